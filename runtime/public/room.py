"""Room for pictures: taken once, and used again for those that come after them.

Pictures that wait for a second among others that are gone at once would leave gaps as large as they
are, which glibc's allocator keeps; to give each one's memory back to the system leaves none, but to
get it anew takes longer than to copy the picture.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.packed import Bytes, Packer, Upper, lower_bytes
from sealshot.runtime.types import Image

Form: TypeAlias = "tuple[tuple[tuple[int, ...], np.dtype[np.unsignedinteger[Any]]], ...]"
"""Shape and type of each plane."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A picture that waits, packed."""

    form: Form
    lower: tuple[Bytes, ...]
    """Of each plane, as :class:`Packer` fills it."""
    upper: tuple[list[Upper], ...]


class Room:
    """Holds pictures that wait, packed. One thread may keep them and one take them out."""

    def __init__(self) -> None:
        self._free: deque[tuple[Form, tuple[Bytes, ...]]] = deque()
        self._packer, self._unpacker = Packer(), Packer()

    def keep(self, planes: Sequence[Plane]) -> Kept:
        """Take a picture in; what was given may be used for others then."""
        form = tuple((plane.shape, plane.dtype) for plane in planes)
        while self._free:
            known, lower = self._free.pop()
            if known == form:
                break
        else:
            lower = tuple(np.empty(lower_bytes(*of_plane), np.uint8) for of_plane in form)
        packed = map(self._packer.pack, planes, lower)
        return Kept(form, lower, tuple(packed))

    def take_out(self, kept: Kept, into: Sequence[Plane] | None = None) -> tuple[Plane, ...]:
        """Return the planes that were kept, as they were; it is done once.

        Args:
            kept: of :meth:`keep`.
            into: planes of the same form in which they are to be; None makes new ones.
        """
        if into is None:
            into = [np.empty(shape, dtype) for shape, dtype in kept.form]
        for lower, upper, plane in zip(kept.lower, kept.upper, into, strict=True):
            self._unpacker.unpack(lower, upper, plane)
        self._free.append((kept.form, kept.lower))
        return tuple(into)


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
