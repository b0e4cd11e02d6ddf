"""How a decoded picture becomes the one that a player shows: its shape, its turn and its colours.

Numbers of colours are those of ITU-T H.273.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MOST_OBLONG = 4
"""A pixel more oblong than this is a mistake of whoever wrote the file."""

GIVEN = "yuv420p", "yuvj420p"
"""FFmpeg's names of what is given on as planes; the second is of full range."""
LIMITED_RANGE, FULL_RANGE = 1, 2
RGB, UNSPECIFIED = 0, 2
"""Matrices; primaries and transfer that a stream does not name are 2, too."""
BT709, BT601 = 1, 5
MATRICES = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    BT601: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Matrix coefficients that swscale can convert, others end in EOPNOTSUPP: what red and blue count
in luma."""
HD_WIDTH, SD_HEIGHT = 1280, 576


def matrix_of(said: int, width: int, height: int) -> int:
    """Return the matrix of a picture: what is said, where that is one of :data:`MATRICES`.

    Else it is BT.709 from 1280 pixels of width or 577 of height on and BT.601 below, as players do.
    """
    if said in MATRICES:
        return said
    return BT709 if width >= HD_WIDTH or height > SD_HEIGHT else BT601


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
