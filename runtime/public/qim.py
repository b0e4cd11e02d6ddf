"""The note in the brightness of blocks: nobody sees it, and it outlives an encoder, but no scaling.

Quantisation index modulation (Chen and Wornell 2001) of the mean of blocks of 8x8 pixels: a mean
is moved to the nearest multiple of a step for one value of a bit, and half a step beside it for the
other. A note (:mod:`sealshot.runtime.public.note`) stands in all of a group of pictures, each bit
in many blocks, so that what an encoder leaves of it adds up. Every eighth block is a clock: it says
in which half of its group a picture is, which tells each picture its number.

Blocks are numbered row by row from the upper left one. Those of number 7 modulo 8 are the clock;
the others, counted alone, carry bit ``n % BITS``, and its opposite where ``n // BITS`` is odd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.note import BITS, Note, from_sums, to_bits
from sealshot.runtime.types import Floats

BLOCK_PX = 8
STEP = 5.0
"""Levels of 256; a mean moves by at most a half of it, but for :data:`STAYS`."""
STAYS = 0.7
"""Of a step: as long as a mean is no further from where it was moved to, it is moved there again,
so that what is still does not flicker."""
GROUP = 24
"""Pictures that carry the same note."""
CLOCK = 8
"""One in so many blocks is the clock."""
LEAST_TIMES = 4
"""Blocks that a bit needs in each picture."""
IN_STEP = 0.92
"""Share of what the clock says that has to agree with where a group begins; one off it is .83."""
EVEN = 1.5
"""Of the usual step from picture to picture: a longer one is of a picture that is missing."""
SHARP = 0.25
"""Least that the clock says in the first picture of a half, of what it says in most: an encoder
that saves much lets blocks follow late, and then nobody knows which picture was the first."""


def check_size(width: int, height: int) -> None:
    """Check that a picture has room for a note.

    Raises:
        InputError: it has not.
    """
    blocks = (width // BLOCK_PX) * (height // BLOCK_PX)
    if blocks - blocks // CLOCK < LEAST_TIMES * BITS:
        raise InputError(
            f"pictures of {width}x{height} are too small for --message qim",
            hint="it takes 640x360, or as many pixels; use --message strip",
        )


class BlockWriter:
    """Writes notes into pictures."""

    def __init__(self) -> None:
        self._last: Floats | None = None
        """Where the means of the last picture were moved to."""

    def write(self, planes: Sequence[Plane], note: Note, picture: int) -> list[Plane]:
        """Return the planes with a note, which is the same for all pictures of a group.

        Args:
            planes: as large as :func:`check_size` wants them.
            note: what is said.
            picture: the number of the picture.
        """
        luma = planes[0]
        deep = 1 if luma.dtype == np.uint8 else 4
        means = _means(luma)
        offset = np.float32(STEP / 2) * _values(to_bits(note), picture, means.shape)
        to = np.rint((means - offset) / STEP) * np.float32(STEP) + offset
        if self._last is not None and self._last.shape == to.shape:
            same = np.rint((self._last - offset) / STEP) * np.float32(STEP) + offset == self._last
            stays = same & (np.abs(self._last - means) <= STAYS * STEP)
            to = np.where(stays, self._last, to)
        self._last = to
        moved = np.rint((to - means) * deep).astype(np.int16)
        high, wide = (side * BLOCK_PX for side in moved.shape)
        by = cv2.resize(moved, (wide, high), interpolation=cv2.INTER_NEAREST)
        shown = luma.copy()
        inside = shown[:high, :wide]
        inside[:] = np.clip(inside + by, 0, 256 * deep - 1).astype(luma.dtype)
        return [shown, *planes[1:]]


class BlockReader:
    """Reads which picture each one is, group by group."""

    def __init__(self) -> None:
        self._clock: list[float] = []
        self._bits: list[Floats] = []
        self._times_s: list[float] = []
        self._follows = False
        """Whether the first picture that waits comes after one whose group was found."""
        self._before_s = 0.0
        """When the one before it was shown."""

    def add(self, luma: Plane, time_s: float) -> Iterator[Note | None]:
        """Take the next picture; yield the notes of pictures that are decided, in order."""
        clock, bits = _read(luma)
        self._clock.append(clock)
        self._bits.append(bits)
        self._times_s.append(time_s)
        if len(self._clock) == 2 * GROUP:
            yield from self._decide()

    def finish(self) -> Iterator[Note | None]:
        """Yield the notes of the pictures that are left."""
        while self._clock:
            yield from self._decide()

    def _decide(self) -> Iterator[Note | None]:
        start = self._start()
        if start == 0:
            yield from self._group(GROUP, 0)
            self._follows = True
        elif start and self._is_even(start + 1):  # what comes before a whole group is an end
            yield from self._group(start, GROUP - start)
        elif self._follows and len(self._clock) < GROUP and self._is_even(GROUP):  # a beginning
            yield from self._group(len(self._clock), 0)
        else:
            yield from [None] * self._drop(1)
            self._follows = False

    def _start(self) -> int | None:
        """Return where the first whole group begins; None where that is not clear."""
        clock = np.asarray(self._clock)
        expected = np.repeat([1, -1], GROUP // 2)
        groups = [clock[at : at + GROUP] for at in range(min(GROUP, len(clock) - GROUP + 1))]
        if not groups:
            return None
        agrees = [(group * expected).sum() / max(np.abs(group).sum(), 1e-6) for group in groups]
        at = int(np.argmax(agrees))
        said = groups[at] * expected
        first = said[[0, GROUP // 2]]
        is_sharp = first.min() >= SHARP * np.median(said)
        return at if agrees[at] >= IN_STEP and is_sharp else None

    def _is_even(self, size: int) -> bool:
        """Whether none of the next ``size`` pictures is missing, as their times look."""
        steps = np.diff([self._before_s, *self._times_s[:size]][not self._follows :])
        return len(steps) == 0 or bool(steps.max() < EVEN * np.median(steps))

    def _group(self, size: int, first: int) -> Iterator[Note | None]:
        """Yield the notes of the next ``size`` pictures, which begin with ``first`` of a group."""
        note = from_sums(np.sum(self._bits[:size], axis=0))
        self._drop(size)
        for at in range(first, first + size):
            yield None if note is None else replace(note, picture=note.picture + at)

    def _drop(self, size: int) -> int:
        self._before_s = self._times_s[size - 1]
        del self._clock[:size], self._bits[:size], self._times_s[:size]
        return size


def _means(luma: Plane) -> Floats:
    """Return the means of the blocks, in levels of 256."""
    high, wide = (side // BLOCK_PX for side in luma.shape)
    whole = luma[: high * BLOCK_PX, : wide * BLOCK_PX].astype(np.float32)
    means = cv2.resize(whole, (wide, high), interpolation=cv2.INTER_AREA)
    return np.asarray(means if luma.dtype == np.uint8 else means / 4, np.float32)


def _values(bits: NDArray[np.bool_], picture: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the bit that each block carries, ``bool [rows, columns]``."""
    count = shape[0] * shape[1]
    values = np.empty(count, bool)
    clock = np.arange(count) % CLOCK == CLOCK - 1
    n = np.arange(np.count_nonzero(~clock))
    values[~clock] = bits[n % BITS] ^ (n // BITS % 2 == 1)
    values[clock] = picture % GROUP >= GROUP // 2
    return values.reshape(shape)


def _read(luma: Plane) -> tuple[float, Floats]:
    """Return what the clock says, above 0 in the first half, and each bit, above 0 for a 0."""
    if min(luma.shape) < BLOCK_PX:
        return 0.0, np.zeros(BITS, np.float32)
    said = np.cos(_means(luma).ravel() * np.float32(2 * np.pi / STEP))
    clock = np.arange(len(said)) % CLOCK == CLOCK - 1
    data = said[~clock]
    times = len(data) // BITS
    signs = np.where(np.arange(times) % 2, -1, 1).astype(np.float32)
    return float(said[clock].sum()), signs @ data[: times * BITS].reshape(times, BITS)
