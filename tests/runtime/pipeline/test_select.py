"""Selection: whose shot is due when, and that none leaks to another person."""

from datetime import datetime, timezone

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Choice, Emit
from sealshot.runtime.types import Face, Frame, Track, Tracks

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class Scene:
    """Feeds a selector: each track has its own grey level, so that its pictures are known."""

    def __init__(self, emit: Emit = Emit(), **choice: float) -> None:
        min_seen_s = choice.pop("min_seen_s", 0.0)
        self.selector = Selector(
            lambda score: score, emit, Choice(**choice), min_seen_s, now=lambda: CLOCK
        )
        self.hits: dict[int, int] = {}
        self.index = -1

    def frame(self, scores: dict[int, float], ended: tuple[int, ...] = ()) -> list:
        self.index += 1
        image = np.zeros((100, 100, 3), np.uint8)
        seen = []
        for id in scores:
            self.hits[id] = self.hits.get(id, 0) + 1
            x = 20 * (id % 5)
            image[:, x : x + 20] = 10 * id + self.index % 10
            face = Face(np.array([x, 0, x + 20, 20], np.float32), 0.9, np.zeros((5, 2), np.float32))
            seen.append(Track(id, face, self.hits[id]))
        return self.selector.update(
            Frame(self.index, self.index / 10, image),
            Tracks(tuple(seen), ended),
            list(scores.values()),
        )


def test_the_best_frame_is_due_when_the_track_ends():
    scene = Scene(margin=0.0)
    for score in (1.0, 5.0, 3.0):
        assert scene.frame({1: score}) == []
    (shot,) = scene.frame({}, ended=(1,))
    assert (shot.track, shot.frame, shot.time_s, shot.score) == (1, 1, 0.1, 5.0)
    assert shot.percentile == 5.0
    assert shot.frames_seen == 3
    assert shot.utc == "2026-01-02T03:04:05.000Z"
    assert (shot.image == 11).all()
    assert shot.box == (20, 0, 40, 20)


@pytest.mark.parametrize(("estimates", "about"), [(False, ""), (True, "about ")])
def test_the_reason_says_what_the_numbers_are(estimates, about):
    selector = Selector(lambda _: 2.0, estimates=estimates)
    face = Face(np.array([0, 0, 20, 20], np.float32), 0.9, np.zeros((5, 2), np.float32))
    for index, score in enumerate((-1.0, -0.25, -3.0)):
        frame = Frame(index, index / 25, np.zeros((50, 50, 3), np.uint8))
        selector.update(frame, Tracks((Track(1, face, index + 1),), ()), [score])
    assert selector.finish()[0].reason == (
        "highest score of 3 frames: -0.2 (above 2 % of the photographs that the score was trained "
        f"on); the lowest was {about}-3.0"
    )


def test_the_reason_says_what_else_was_seen_in_the_frame_that_won():
    selector = Selector(lambda _: 2.0, explain=lambda crop: f"grey {crop.mean():.0f}")
    face = Face(np.array([0, 0, 20, 20], np.float32), 0.9, np.zeros((5, 2), np.float32))
    for index, (score, grey) in enumerate(((1.0, 10), (3.0, 20), (2.0, 30))):
        frame = Frame(index, index / 25, np.full((50, 50, 3), grey, np.uint8))
        selector.update(frame, Tracks((Track(1, face, index + 1),), ()), [score])
    assert selector.finish()[0].reason.endswith("the lowest was 1.0; grey 20")


def test_the_first_of_equal_scores_stays():
    scene = Scene()
    for _ in range(3):
        scene.frame({1: 2.0})
    assert scene.frame({}, ended=(1,))[0].frame == 0


def test_a_low_score_is_no_reason_to_lose_a_person():
    scene = Scene()
    scene.frame({1: -1e30})
    assert len(scene.selector.finish()) == 1


def test_a_passing_detection_is_no_person():
    scene = Scene(min_seen_s=0.3)
    scene.frame({1: 1.0, 2: 1.0})
    scene.frame({1: 1.0, 2: 1.0})
    scene.frame({1: 1.0})
    assert scene.selector.people == {1}
    shots = scene.frame({}, ended=(1, 2))
    assert [s.track for s in shots] == [1]
    assert scene.selector.passing == 1


def test_timely_emits_in_time_and_again_if_a_better_one_came():
    scene = Scene(Emit("timely", within_s=0.25))
    due = [scene.frame({1: s}) for s in (1.0, 2.0, 1.5, 1.0, 0.5, 9.0)]
    assert [[s.frame for s in d] for d in due] == [[], [], [], [1], [], []]
    assert [s.frame for s in scene.frame({}, ended=(1,))] == [5]


def test_timely_emits_once_if_nothing_better_came():
    scene = Scene(Emit("timely", within_s=0.1))
    assert [len(scene.frame({1: s})) for s in (2.0, 1.0, 1.0)] == [0, 1, 0]
    assert scene.frame({}, ended=(1,)) == []


def test_timely_is_on_time_while_the_person_is_hidden():
    scene = Scene(Emit("timely", within_s=0.2))
    scene.frame({1: 1.0})
    assert scene.frame({}) == []
    assert [s.track for s in scene.frame({})] == [1]


def test_live_emits_each_improvement():
    scene = Scene(Emit("live"))
    due = [scene.frame({1: s}) for s in (1.0, 0.5, 2.0, 2.0, 3.0)]
    assert [[s.score for s in d] for d in due] == [[1.0], [], [2.0], [], [3.0]]
    assert scene.frame({}, ended=(1,)) == []


def test_the_crop_does_not_keep_the_frame_alive():
    scene = Scene()
    scene.frame({1: 1.0})
    (shot,) = scene.selector.finish()
    assert shot.image.base is None


def test_a_clip_spans_the_seconds_around_the_best_frame():
    scene = Scene(clip_s=0.25)
    for score in (1, 2, 3, 4, 9, 4, 3, 2, 1):
        scene.frame({1: float(score)})
    (shot,) = scene.selector.finish()
    assert [round(t, 1) for t, _ in shot.clip] == [0.2, 0.3, 0.4, 0.5, 0.6]
    decoded = [cv2.imdecode(np.frombuffer(j, np.uint8), cv2.IMREAD_COLOR) for _, j in shot.clip]
    assert all(d.shape == (256, 256, 3) for d in decoded)


def test_a_live_shot_comes_again_with_the_rest_of_its_clip():
    scene = Scene(Emit("live"), clip_s=0.2)
    assert len(scene.frame({1: 5.0})) == 1
    assert scene.frame({1: 1.0}) == []
    (shot,) = scene.selector.finish()
    assert len(shot.clip) == 2


@settings(deadline=None)  # it says nothing of time, and a busy machine takes long
@given(
    st.lists(
        st.dictionaries(st.integers(0, 4), st.floats(-100, 100), max_size=5),
        min_size=1,
        max_size=15,
    ),
    st.sampled_from(["end", "timely", "live"]),
)
def test_every_person_ends_with_their_own_best_frame(frames, when):
    scene = Scene(Emit(when, within_s=0.3 if when == "timely" else 0.0), margin=0.0)
    shots = [shot for scores in frames for shot in scene.frame(scores)]
    shots += scene.selector.finish()
    last = {shot.track: shot for shot in shots}
    assert last.keys() == {id for scores in frames for id in scores}
    for id, shot in last.items():
        best = max(scores[id] for scores in frames if id in scores)
        assert shot.score == best
        assert frames[shot.frame][id] == best
        assert (shot.image == 10 * id + shot.frame % 10).all()  # never another person's picture
    assert scene.selector.people == set()


@pytest.mark.parametrize("ended", [(7,), (1, 1)])
def test_a_track_that_was_never_seen_or_ends_twice_is_a_defect(ended):
    scene = Scene()
    scene.frame({1: 1.0})
    with pytest.raises(KeyError):
        scene.selector.close(ended)
