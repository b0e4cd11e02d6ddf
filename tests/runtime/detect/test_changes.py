"""Which places changed, and which windows must be looked at for it: none too few, few too many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sealshot.runtime.detect.changes import CHANGED_LEVELS, Changes, rectangles, shrunk, windows
from sealshot.runtime.detect.sampling import MipSampler


def cells_of(image):
    return shrunk(MipSampler(image), image.shape[1], image.shape[0], 12)


def test_a_place_has_changed_when_it_differs_and_not_before():
    still = np.full((4, 5), 100, np.uint8)
    moved = still.copy()
    moved[1, 2] = 120
    changes = Changes(still, at=0.0)
    changes.add(still, at=1.0)
    assert not changes.after(0.0).any()
    changes.add(moved, at=2.0)
    assert np.argwhere(changes.after(1.5)).tolist() == [[1, 2]]
    changes.add(moved, at=3.0)
    assert not changes.after(2.0).any()


def test_what_changes_slowly_is_told_as_well():
    changes = Changes(np.full((2, 2), 100, np.uint8), at=0.0)
    for i in range(1, 20):
        changes.add(np.full((2, 2), 100 + i, np.uint8), at=i)
    assert changes.after(19 - CHANGED_LEVELS - 1).all()


@pytest.mark.parametrize("size", [(1080, 1920), (1081, 1917), (40, 30), (5, 700), (1, 1)])
def test_a_face_that_comes_anywhere_is_a_change_and_noise_is_none(size):
    random = np.random.default_rng(1)
    wall = np.full((*size, 3), 110, np.uint8)
    noisy = np.clip(wall + random.normal(0, 1.5, wall.shape), 0, 255).astype(np.uint8)
    face = wall.copy()
    y, x = size[0] // 3, size[1] // 3
    face[y : y + 36, x : x + 36] = 160
    changes = Changes(cells_of(wall), at=0.0)
    changes.add(cells_of(noisy), at=1.0)
    assert changes.after(0.0).mean() < 0.01
    changes.add(cells_of(face), at=2.0)
    assert changes.after(1.0).any()


@given(
    arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.floats(0.05, 1),
    st.data(),
)
def test_each_window_that_sees_a_change_is_covered(places, count, reach, data):
    first = data.draw(st.integers(0, count[0] - 1))
    rows = slice(first, data.draw(st.integers(first + 1, count[0])))
    wanted = windows(places, rows, count, (reach, reach))
    covered = np.zeros(count, bool)
    for down, across in rectangles(wanted, rows.start, gap=2):
        assert rows.start <= down.start < down.stop <= rows.stop
        assert 0 <= across.start < across.stop <= count[1]
        covered[down, across] = True
    start = [np.linspace(0, 1 - reach, n) if n > 1 else np.zeros(1) for n in count]
    cells = [(np.arange(n + 1) / n) for n in places.shape]
    seen = [
        (s[:, None] < c[None, 1:] - 1e-6) & (s[:, None] + reach > c[None, :-1] + 1e-6)
        for s, c in zip(start, cells, strict=True)
    ]
    must = (seen[0].astype(int) @ places.astype(int) @ seen[1].T.astype(int)) > 0
    assert covered[rows][must[rows]].all()
    assert covered[rows].any() == wanted.any()
