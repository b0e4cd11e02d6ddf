"""Pictures that have nothing to do with each other: each face in each is a person."""

from __future__ import annotations

import numpy as np

from sealshot.runtime.track.stills import Stills
from sealshot.runtime.types import Face


def faces(count: int) -> list[Face]:
    face = Face(np.float32([0, 0, 40, 40]), 0.9, np.zeros((5, 2), np.float32))
    return [face] * count


def test_faces_at_the_same_place_are_other_people_and_end_with_their_picture() -> None:
    tracker = Stills()
    seen = [tracker.update(float(i), faces(count)) for i, count in enumerate((2, 0, 1, 3))]
    assert [[track.id for track in each.seen] for each in seen] == [[1, 2], [], [3], [4, 5, 6]]
    assert [each.ended for each in seen] == [(), (1, 2), (), (3,)]
    assert tracker.advance(99.0) == ()
    assert tracker.flush() == (4, 5, 6)
    assert tracker.flush() == ()
