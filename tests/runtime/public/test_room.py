"""What waits is a copy, and memory is used again, but never where somebody looks at it."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.public.picture import Blank
from sealshot.runtime.public.room import Room, Spare

SHAPES = ((8, 12), (4, 6), (4, 6))


def picture(level: int, dtype: str = "u1") -> tuple[np.ndarray, ...]:
    return tuple(np.full(shape, level, dtype) for shape in SHAPES)


def test_what_is_kept_comes_out_as_it_was_and_its_memory_is_used_again() -> None:
    room, given = Room(), picture(1)
    one = room.keep(given)
    two = room.keep(picture(2))
    given[0][:] = 9
    assert [int(plane.max()) for plane in room.take_out(one)] == [1, 1, 1]
    three = room.keep(picture(3))
    assert all(a is b for a, b in zip(one.lower, three.lower, strict=True))
    into = picture(0)
    taken = room.take_out(two, into)
    assert all(a is b for a, b in zip(taken, into, strict=True))
    assert [int(plane.min()) for plane in into] == [2, 2, 2]


@pytest.mark.parametrize("other", [picture(1)[:1], picture(1, "u2")])
def test_a_picture_of_another_form_gets_room_of_its_own(other: tuple[np.ndarray, ...]) -> None:
    room = Room()
    room.take_out(room.keep(picture(5)))
    taken = room.take_out(room.keep(other))
    assert [(p.shape, p.dtype, int(p.min())) for p in taken] == [
        (p.shape, p.dtype, 1) for p in other
    ]


def test_memory_is_used_again_once_nobody_holds_a_part_of_it() -> None:
    spare = Spare()
    image = spare.of((8, 12, 3))
    part = image[2:4, ::2]
    part[:] = 7
    del image
    assert not np.shares_memory(spare.of((8, 12, 3)), part)
    held = spare.of((8, 12, 3))
    where = held.ctypes.data
    assert spare.of((8, 12, 3)).ctypes.data != where
    last = spare.of((8, 12, 3)).ctypes.data
    assert spare.of((8, 12, 3)).ctypes.data == last
    assert spare.of((4, 12, 3)).shape == (4, 12, 3)


def test_a_frame_is_filled_again_in_the_same_memory() -> None:
    first = Blank.of(16, 8, "yuv420p")
    for level, plane in enumerate(first.planes):
        plane[:] = level
    there = first.planes[0].ctypes.data
    second = first.again()
    assert second.planes[0].ctypes.data == there
    assert [int(plane.max()) for plane in second.planes] == [0, 1, 2]
