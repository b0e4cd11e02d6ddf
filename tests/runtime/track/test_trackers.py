"""What both trackers promise: identifiers, ends, order, odd input, memory, time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealshot.runtime.errors import InputError
from sealshot.runtime.track import Tracker, open_tracker
from sealshot.runtime.types import Face

NAMES = ("bytetrack", "euclidean")


def face(x0: float, y0: float, x1: float, y1: float, score: float = 0.99, mark: float = 0) -> Face:
    box = np.array([x0, y0, x1, y1], np.float32)
    return Face(box, score, np.full((5, 2), mark, np.float32))


@pytest.fixture(params=NAMES)
def tracker(request: pytest.FixtureRequest) -> Tracker:
    return open_tracker(request.param)


# Boxes that often lie near each other, and every kind of odd one.
NEAR = st.builds(
    lambda x, y, w, h, s: face(x, y, x + w, y + h, s),
    st.floats(0, 300),
    st.floats(0, 300),
    st.floats(20, 90),
    st.floats(20, 90),
    st.floats(0, 1),
)
ODD = st.builds(
    face, *[st.floats(width=32, allow_nan=True, allow_infinity=True)] * 4, st.floats(0, 1)
)
GAPS = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 1e9))
FRAMES = st.lists(st.tuples(GAPS, st.lists(st.one_of(NEAR, NEAR, ODD), max_size=6)), max_size=25)


def has_area(f: Face) -> bool:
    x0, y0, x1, y1 = f.box.tolist()
    return all(map(math.isfinite, f.box.tolist())) and x1 > x0 and y1 > y0


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150)
@given(frames=FRAMES)
def test_identifiers_and_ends(name: str, frames) -> None:
    tracker = open_tracker(name)
    now = 0.0
    hits: dict[int, int] = {}
    ended: set[int] = set()
    for gap, faces in frames:
        now += gap
        tracks = tracker.update(now, faces)
        ids = [t.id for t in tracks.seen]
        assert ids == sorted(set(ids))
        assert len({id(t.face) for t in tracks.seen}) == len(ids)
        assert {id(t.face) for t in tracks.seen} <= {id(f) for f in faces if has_area(f)}
        assert not ended & set(tracks.ended)
        ended |= set(tracks.ended)
        assert not ended & set(ids)
        for track in tracks.seen:
            if track.id not in hits:
                assert track.id == len(hits) + 1  # a counter
            hits[track.id] = hits.get(track.id, 0) + 1
            assert track.hits == hits[track.id]
    last = tracker.flush()
    assert len(set(last)) == len(last)
    assert not ended & set(last)
    assert ended | set(last) == set(hits)
    assert tracker.flush() == ()
    assert tracker.update(now + 1, []).seen == ()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100)
@given(frames=FRAMES, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_faces_does_not_matter(name: str, frames, seed: int) -> None:
    one, other = open_tracker(name), open_tracker(name)
    rng = np.random.default_rng(seed)
    now = 0.0
    for gap, faces in frames:
        now += gap
        shuffled = [faces[i] for i in rng.permutation(len(faces))]
        a, b = one.update(now, faces), other.update(now, shuffled)
        assert a.ended == b.ended
        assert [(t.id, t.hits) for t in a.seen] == [(t.id, t.hits) for t in b.seen]
        for t, u in zip(a.seen, b.seen, strict=True):
            assert (t.face.box == u.face.box).all()
            assert t.face.score == u.face.score


def test_two_faces_stay_two_tracks(tracker) -> None:
    for frame in range(10):
        a, b = face(10, 10, 60, 70), face(110 + frame, 10, 160 + frame, 70)
        seen = tracker.update(frame / 25, [b, a]).seen
        assert [(t.id, t.hits) for t in seen] == [(1, frame + 1), (2, frame + 1)]
        assert [t.face for t in seen] == [a, b]


def test_a_track_is_told_from_its_first_face(tracker) -> None:
    assert [(t.id, t.hits) for t in tracker.update(3.0, [face(0, 0, 40, 50)]).seen] == [(1, 1)]


def test_empty_frames_end_a_track_once_and_it_never_comes_back(tracker) -> None:
    f = face(10, 10, 60, 70)
    tracker.update(0.0, [f])
    ended = [tracker.update(t / 10, []).ended for t in range(1, 30)]
    assert [e for e in ended if e] == [(1,)]
    assert [t.id for t in tracker.update(3.0, [f]).seen] == [2]


def test_a_huge_gap_ends_everything_before_it_matches(tracker) -> None:
    f = face(10, 10, 60, 70)
    tracker.update(0.0, [f])
    tracks = tracker.update(1e9, [f])
    assert tracks.ended == (1,)
    assert [t.id for t in tracks.seen] == [2]


@pytest.mark.parametrize("name", NAMES)
def test_lost_s_is_how_long_a_person_may_be_away(name: str) -> None:
    f = face(10, 10, 60, 70)
    for away, known in ((0.25, True), (0.75, False)):
        tracker = open_tracker(name, lost_s=0.5)
        for frame in range(5):
            tracker.update(frame / 25, [f])
        tracks = tracker.update(4 / 25 + away, [f])
        assert [t.id for t in tracks.seen] == [1 if known else 2]


@pytest.mark.parametrize(("seen_s", "away_s", "known"), [(0.0, 0.5, False), (0.8, 0.5, True)])
def test_bytetrack_soon_forgets_what_it_hardly_saw(seen_s, away_s, known) -> None:
    tracker = open_tracker("bytetrack")
    f = face(10, 10, 60, 70)
    for at in np.arange(0.0, seen_s + 0.01, 0.1):
        tracker.update(at, [f])
    tracker.update(seen_s + 0.1, [])
    (track,) = tracker.update(seen_s + away_s, [f]).seen
    assert track.id == (1 if known else 2)


@pytest.mark.parametrize("fps", [2.0, 4.0])
def test_bytetrack_joins_the_frames_of_a_slow_camera(fps: float) -> None:
    tracker = open_tracker("bytetrack")
    for frame in range(6):
        (track,) = tracker.update(frame / fps, [face(10 + frame, 10, 60 + frame, 70)]).seen
        assert track.id == 1


def test_equal_times_are_taken(tracker) -> None:
    f = face(10, 10, 60, 70)
    for hits in range(1, 5):
        (track,) = tracker.update(1.0, [f]).seen
        assert (track.id, track.hits) == (1, hits)


@pytest.mark.parametrize("late", [0.9, -1.0, math.nan, math.inf, -math.inf])
def test_a_time_that_runs_back_is_an_error(tracker, late: float) -> None:
    tracker.update(1.0, [face(10, 10, 60, 70)])
    with pytest.raises(ValueError, match="after one at"):
        tracker.update(late, [])
    assert [t.id for t in tracker.update(1.0, [face(10, 10, 60, 70)]).seen] == [1]


@pytest.mark.parametrize(
    "box",
    [
        (math.nan, 0, 10, 10),
        (0, 0, math.inf, 10),
        (-math.inf, 0, 10, 10),
        (10, 0, 10, 10),
        (20, 0, 10, 10),
        (0, 10, 10, 0),
    ],
)
def test_a_box_without_area_is_left_out(tracker, box) -> None:
    good = face(10, 10, 60, 70)
    for hits in (1, 2):
        seen = tracker.update(hits, [face(*box), good]).seen
        assert [t.face for t in seen] == [good]
    assert len(tracker.flush()) == 1


def test_extreme_boxes_do_no_harm(tracker) -> None:
    good = face(10, 10, 60, 70)
    odd = [
        face(-3e38, -3e38, 3e38, 3e38),
        face(1e-44, 1e-44, 3e-44, 3e-44),
        face(0, 0, 3e38, 1e-44),
        face(-1e6, -1e6, -1e6 + 1, -1e6 + 1),
    ]
    with np.errstate(all="raise", under="ignore"):
        for frame in range(5):
            seen = tracker.update(frame / 25, [*odd, good]).seen
    assert [t.hits for t in seen if t.face is good] == [5]


def test_unsure_faces_go_on_but_do_not_start_in_bytetrack() -> None:
    tracker = open_tracker("bytetrack")
    low = face(10, 10, 60, 70, score=0.4)
    assert tracker.update(0.0, [low]).seen == ()
    assert tracker.update(0.1, [face(10, 10, 60, 70)]).seen[0].id == 1
    assert [t.id for t in tracker.update(0.2, [low]).seen] == [1]
    sure, near = face(12, 10, 62, 70), face(11, 10, 61, 70, score=0.4)
    assert [t.face for t in tracker.update(0.3, [near, sure]).seen] == [sure]


def test_memory_is_bounded(tracker) -> None:
    rng = np.random.default_rng(0)
    ends = 0
    for frame in range(2000):
        x, y = rng.uniform(0, 5000, 2)
        ends += len(tracker.update(frame / 10, [face(x, y, x + 40, y + 50)]).ended)
        assert len(tracker._open) <= 12
    assert ends > 1900


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(InputError, match="no tracker 'sort'") as caught:
        open_tracker("sort")
    assert caught.value.hint == "use `bytetrack` or `euclidean`"


@pytest.mark.parametrize("lost_s", [-1.0, math.nan, math.inf])
def test_a_bad_lost_s_is_refused(lost_s: float) -> None:
    with pytest.raises(InputError, match="cannot be lost"):
        open_tracker("bytetrack", lost_s=lost_s)


@pytest.mark.parametrize("step_s", [0.5, 1.0, 2.0, 30.0])
def test_a_slow_source_follows_who_hardly_moves(tracker, step_s) -> None:
    ids = set()
    for index in range(12):
        moved = 4.0 * (index % 3)
        tracks = tracker.update(index * step_s, [face(10 + moved, 10, 60 + moved, 70)])
        ids |= {track.id for track in tracks.seen}
        if index:  # one step is known: the pause before the next frame ends nobody
            assert tracker.advance((index + 0.9) * step_s) == ()
    assert ids == {1}


def test_an_outage_of_a_fast_source_ends_who_was_in_view(tracker) -> None:
    f = face(10, 10, 60, 70)
    for index in range(20):
        tracker.update(index / 25, [f])
    assert tracker.update(60.0, [f]).ended == (1,)
