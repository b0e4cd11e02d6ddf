"""What waits is a copy, and its memory is used again."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.public.room import Room

SHAPES = ((8, 12), (4, 6), (4, 6))


def picture(level: int, dtype: str = "u1") -> tuple[np.ndarray, ...]:
    return tuple(np.full(shape, level, dtype) for shape in SHAPES)


def test_what_is_kept_stays_as_it_was_until_it_leaves() -> None:
    room, given = Room(), picture(1)
    one = room.keep(given)
    two = room.keep(picture(2))
    given[0][:] = 9
    assert [int(plane.min()) for plane in (*one, *two)] == [1, 1, 1, 2, 2, 2]
    room.leave(one)
    three = room.keep(picture(3))
    assert all(np.shares_memory(a, b) for a, b in zip(one, three, strict=True))
    assert [int(plane.min()) for plane in two] == [2, 2, 2]


@pytest.mark.parametrize("other", [picture(1)[:1], picture(1, "u2")])
def test_a_picture_of_another_form_gets_room_of_its_own(other: tuple[np.ndarray, ...]) -> None:
    room = Room()
    room.leave(room.keep(picture(5)))
    kept = room.keep(other)
    assert [(p.shape, p.dtype, int(p.min())) for p in kept] == [
        (p.shape, p.dtype, 1) for p in other
    ]
