"""Room for pictures that wait: taken once, and used again for those that come after them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from sealshot.runtime.public.cover import Plane


class Room:
    """Holds copies of pictures. Threads may share it.

    Pictures that wait for a second among others that are gone at once would leave gaps as large as
    they are, which glibc's allocator keeps; to give each one's memory back to the system leaves
    none, but to get it anew takes longer than to copy the picture.
    """

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
