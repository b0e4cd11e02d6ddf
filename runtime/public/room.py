"""Room for pictures: taken once, and used again for those that come after them.

Pictures that wait for a second among others that are gone at once would leave gaps as large as they
are, which glibc's allocator keeps; to give each one's memory back to the system leaves none, but to
get it anew takes longer than to copy the picture.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence

import numpy as np

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.types import Image


class Room:
    """Holds copies of pictures that wait. Threads may share it."""

    def __init__(self) -> None:
        self._free: deque[tuple[Plane, ...]] = deque()

    def keep(self, planes: Sequence[Plane]) -> tuple[Plane, ...]:
        """Return a copy of planes, which is there until it leaves."""
        form = [(plane.shape, plane.dtype) for plane in planes]
        while self._free:
            kept = self._free.pop()
            if [(plane.shape, plane.dtype) for plane in kept] == form:
                break
        else:
            kept = tuple(np.empty(shape, dtype) for shape, dtype in form)
        for place, plane in zip(kept, planes, strict=True):
            place[:] = plane
        return kept

    def leave(self, kept: tuple[Plane, ...]) -> None:
        """Take that nobody looks at what :meth:`keep` returned any more."""
        self._free.append(kept)


class Spare:
    """Memory for one picture at a time, used again once nobody holds the picture before."""

    def __init__(self) -> None:
        self._memory: Image = np.empty((0, 0, 3), np.uint8)
        self._unheld = self._holders()

    def of(self, shape: tuple[int, ...]) -> Image:
        """Return ``uint8`` memory of a shape with anything in it, which nobody else has."""
        if self._memory.shape != shape or self._holders() > self._unheld:
            self._memory = np.empty(shape, np.uint8)
        return self._memory

    def _holders(self) -> int:
        """Count who holds the memory, a view too; how many of them are ours is Python's affair."""
        return sys.getrefcount(self._memory)
