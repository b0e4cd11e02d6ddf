"""Pictures that wait, without loss in six tenths of their bytes, and quickly.

A byte of a picture is nearly always within eight levels of the one above it. So of each difference
the lower four bits are kept, two of them in a byte, and where one of eight bytes beside each other
has more, the upper four bits of these eight too: of what was filmed in one place of nine. What is
noise takes what it took.

It is done strip by strip, within the processor's cache, and on eight bytes at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.planes import strips
from sealshot.runtime.public.cover import Plane

Bytes = NDArray[np.uint8]
Eights = NDArray[np.uint64]
EIGHT = 8
MIDDLE = np.uint8(8)
"""Added to differences: those from -8 to 7 have no upper bits then."""
LOWER, UPPER = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0xF0F0F0F0F0F0F0F0)
NIBBLE = np.uint64(4)
MOST_APART = 2 / 3
"""Of all eights: upper bits of more take less by themselves than with their places."""


@dataclass(frozen=True, slots=True, eq=False)
class Upper:
    """The upper bits of a strip, where there are any."""

    places: NDArray[np.unsignedinteger[Any]] | None
    """Which eights have them; None: all."""
    bits: Eights
    """Of two of them in one: the first has the upper bits of each byte, the second the lower."""


class Packer:
    """Packs planes and unpacks them; for one thread."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def pack(self, plane: Plane, lower: Bytes) -> list[Upper]:
        """Pack a plane; return what else there is of it, strip by strip.

        Args:
            plane: ``[h, w]``, of 8 or 16 bits; its rows may lie apart.
            lower: ``[n]``, :func:`lower_bytes` of its form; is filled.
        """
        found, at = [], 0
        for strip in _strips(plane):
            wide = self._wide(strip)
            inside = wide[: len(strip), : strip.shape[1]]
            inside[0] = strip[0]
            np.subtract(strip[1:], strip[:-1], out=inside[1:])
            np.add(inside, MIDDLE, out=inside)
            eights = wide.reshape(-1).view(np.uint64)
            half = len(eights) // 2
            kept = lower[at : at + half * EIGHT].view(np.uint64)
            at += half * EIGHT
            np.left_shift(eights[half:], NIBBLE, out=kept)
            kept &= UPPER
            kept |= eights[:half] & LOWER
            eights &= UPPER
            found.append(_upper(eights))
        return found

    def unpack(self, lower: Bytes, upper: Sequence[Upper], into: Plane) -> None:
        """Fill a plane, ``[h, w]``, with what :meth:`pack` made of one of this form."""
        at = 0
        for strip, more in zip(_strips(into), upper, strict=True):
            wide = self._wide(strip)
            eights = wide.reshape(-1).view(np.uint64)
            half = len(eights) // 2
            kept = lower[at : at + half * EIGHT].view(np.uint64)
            at += half * EIGHT
            np.bitwise_and(kept, LOWER, out=eights[:half])
            np.right_shift(kept, NIBBLE, out=eights[half:])
            eights[half:] &= LOWER
            _add_upper(eights, more)
            inside = wide[: len(strip), : strip.shape[1]]
            np.subtract(inside, MIDDLE, out=strip)
            for above, row in pairwise(strip):
                np.add(above, row, out=row)

    def _wide(self, strip: Bytes) -> Bytes:
        """Return memory for a strip and what makes whole eights of it, an even number of rows."""
        rows, columns = len(strip) + len(strip) % 2, -(-strip.shape[1] // EIGHT) * EIGHT
        if self._memory.size < rows * columns:
            self._memory = np.empty(rows * columns, np.uint8)
        wide = self._memory[: rows * columns].reshape(rows, columns)
        wide[len(strip) :], wide[:, strip.shape[1] :] = MIDDLE, MIDDLE
        return wide


def lower_bytes(shape: tuple[int, ...], dtype: np.dtype[np.unsignedinteger[Any]]) -> int:
    """Return how many bytes the lower bits of a plane take."""
    height, width = shape
    return (height + height % 2) * -(-width * dtype.itemsize // EIGHT) * EIGHT // 2


def _strips(plane: Plane) -> Iterator[Bytes]:
    """Yield the bytes of a plane, some rows at a time, an even number but for the last."""
    flat = plane.view(np.uint8)
    for rows in strips(*flat.shape):
        yield flat[rows]


def _upper(eights: Eights) -> Upper:
    """Return what there is of upper bits."""
    places: NDArray[np.unsignedinteger[Any]] | None = None
    there = np.flatnonzero(eights)
    if len(there) < MOST_APART * len(eights):
        eights, places = eights[there], there.astype(np.min_scalar_type(len(eights)))
    bits = eights[::2].copy()
    bits[: len(eights) // 2] |= eights[1::2] >> NIBBLE
    return Upper(places, bits)


def _add_upper(eights: Eights, upper: Upper) -> None:
    count = len(eights) if upper.places is None else len(upper.places)
    bits = np.empty(count, np.uint64)
    np.bitwise_and(upper.bits, UPPER, out=bits[::2])
    np.left_shift(upper.bits[: count // 2] & LOWER, NIBBLE, out=bits[1::2])
    if upper.places is None:
        eights |= bits
    else:
        eights[upper.places] |= bits
