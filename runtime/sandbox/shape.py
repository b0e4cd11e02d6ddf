"""How a decoded picture becomes the one that a player shows: its shape, and how it is turned."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MOST_OBLONG = 4
"""A pixel more oblong than this is a mistake of whoever wrote the file."""


def squared(width: int, height: int, pixel_aspect: Fraction) -> tuple[int, int]:
    """Return the size of a picture whose pixels were made square; no pixel is lost for it.

    >>> squared(960, 1080, Fraction(2)), squared(720, 480, Fraction(8, 9))
    ((1920, 1080), (720, 540))
    """
    if not Fraction(1, MOST_OBLONG) <= pixel_aspect <= MOST_OBLONG:
        return width, height
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a display matrix asks for, to quarters of a turn."""

    transposed: bool = False
    """Whether x and y change places, before the picture is mirrored."""
    right_to_left: bool = False
    upside_down: bool = False
