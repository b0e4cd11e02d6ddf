"""Selection: whose shot is due when, and that none leaks to another person."""

from datetime import datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Choice, Emit
from sealshot.runtime.pipeline.visibility import tell
from sealshot.runtime.seal.fields import TEXT_LIMIT
from sealshot.runtime.types import Face, Frame, Ratings, Track, Tracks

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
            Ratings.of(np.array(list(scores.values()), float)),
        )


def alone(quality: float, eyes: float = 0.0) -> Ratings:
    """The ratings of a frame that shows one face."""
    return Ratings(np.array([quality]), np.array([[eyes]]))


@pytest.mark.parametrize("set_by", [timedelta(days=20_000), timedelta(hours=-5)])
def test_a_clock_that_is_set_while_somebody_is_in_view(set_by: timedelta):
    """As by the network, soon after a board without a battery started in 1970."""
    clock, seconds = CLOCK, 100.0
    selector = Selector(lambda score: score, now=lambda: clock, monotonic=lambda: seconds)
    scene = Scene(margin=0.0)
    scene.selector = selector
    scene.frame({1: 5.0})
    clock, seconds = CLOCK + set_by + timedelta(seconds=30), 130.0
    scene.frame({1: 3.0})
    (shot,) = scene.frame({}, ended=(1,))
    assert datetime.fromisoformat(shot.utc.replace("Z", "+00:00")) == CLOCK + set_by


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
        selector.update(frame, Tracks((Track(1, face, index + 1),), ()), alone(score))
    (shot,) = selector.finish()
    assert shot.reason.startswith(
        "highest score of 3 frames: -0.2 (above 2 % of the photographs that the score was trained "
        f"on); the lowest was {about}-3.0; told, but not counted by itself: sharpness "
    )


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("at", [(40, 30), (-12, -15), (64, 70)])
def test_what_is_told_is_of_the_face_in_the_frame(at, margin):
    """The picture that is kept begins elsewhere, and at the edge of a frame it is cut off."""
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (110, 100, 3)).astype(np.uint8), (0, 0), 2)
    image = cv2.convertScaleAbs(image, alpha=4, beta=-380)
    landmarks = np.float32([[16, 18], [32, 18], [24, 26], [17, 34], [31, 34]]) + np.float32(at)
    face = Face(np.float32([0, 0, 48, 48]) + np.float32(2 * at), 0.9, landmarks)
    selector = Selector(lambda score: score, choice=Choice(margin=margin))
    selector.update(Frame(0, 0.0, image), Tracks((Track(1, face, 1),), ()), alone(1.0))
    (shot,) = selector.finish()
    assert shot.reason.endswith(f"by itself: {tell(image, landmarks)}")
    assert len(shot.reason) < TEXT_LIMIT / 2


def test_a_score_is_less_by_what_the_eyes_are_behind_the_most_open_of_the_track():
    """The third frame opens the eyes widest; the second stays the best, and loses what it lacks."""
    said = []
    selector = Selector(
        lambda score: score,
        Emit("live"),
        explain=lambda *eyes: said.append(tuple(float(each[0]) for each in eyes)) or "of the eyes",
    )
    face, shots = Face(np.array([0, 0, 20, 20], np.float32), 0.9, np.zeros((5, 2), np.float32)), []
    for index, rated in enumerate([(3.0, -6.0), (2.0, -1.5), (0.0, -1.0), (1.0, -5.0)]):
        frame = Frame(index, index / 25, np.zeros((50, 50, 3), np.uint8))
        tracks = Tracks((Track(1, face, index + 1),), ())
        shots += selector.update(frame, tracks, alone(*rated))
    shots += selector.close((1,))
    # the first frame has no other to be compared with
    assert [(s.frame, s.score, s.percentile) for s in shots] == [(0, 3, 3), (1, 2, 2)]
    assert said == [(-6, -6), (-1.5, -1.5)]
    again = Selector(
        lambda score: score, explain=lambda *eyes: f"eyes {tuple(float(each[0]) for each in eyes)}"
    )
    for index, rated in enumerate([(3.0, -6.0), (2.0, -1.5), (0.0, -1.0)]):
        frame = Frame(index, index / 25, np.zeros((50, 50, 3), np.uint8))
        again.update(frame, Tracks((Track(1, face, index + 1),), ()), alone(*rated))
    (shot,) = again.finish()
    assert (shot.frame, shot.score) == (1, 1.5)
    assert shot.reason.startswith("highest score of 3 frames: 1.5 (above 2 % ")
    assert (
        "the lowest was -2.0; counted beside the quality: eyes (-1.5, -1.0); told," in shot.reason
    )


ratings = st.tuples(st.integers(-9, 9), st.integers(-9, 0))


@given(st.lists(ratings, min_size=1, max_size=12))
def test_no_frame_has_a_higher_score_than_the_chosen_one(rated):
    """Whatever the order in which eyes open: all scores are against the most open ones."""
    selector = Selector(lambda score: score)
    face = Face(np.array([0, 0, 20, 20], np.float32), 0.9, np.zeros((5, 2), np.float32))
    for index, pair in enumerate(rated):
        frame = Frame(index, index / 25, np.zeros((50, 50, 3), np.uint8))
        selector.update(frame, Tracks((Track(1, face, index + 1),), ()), alone(*pair))
    (shot,) = selector.finish()
    scores = [quality - (max(eyes for _, eyes in rated) - eyes) for quality, eyes in rated]
    assert (shot.frame, shot.score) == (scores.index(max(scores)), max(scores))


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
