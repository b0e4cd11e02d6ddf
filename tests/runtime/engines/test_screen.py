"""int8 screens, fp32 decides: what is scored again, and that fp32's best frame is chosen."""

from dataclasses import replace

import numpy as np
import pytest
from engine_stand_ins import MANIFEST
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.engines import Scorer, Screen
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Emit
from sealshot.runtime.pipeline.stages import Stopwatch, Watcher
from sealshot.runtime.types import Face, Frame, Track, Tracks

MARGIN = 10.0
FP32 = MANIFEST
INT8 = replace(FP32, precision="int8", screen_margin=MARGIN)


class Known(Scorer):
    """Scores that are known: crop number i gets ``scores[i]``."""

    def __init__(self, manifest, scores):
        self.manifest, self.description = manifest, manifest.precision
        self._scores = np.array(scores, np.float32)
        self.asked = []

    def score(self, crops):
        numbers = crops[:, 0, 0, 0] + 256 * crops[:, 0, 0, 1].astype(int)
        self.asked += numbers.tolist()
        return self._scores[numbers]


class Scene:
    """Frames of tracks; each face has a known score by fp32 and by int8."""

    def __init__(self, frames, emit=Emit()):
        """Take ``frames``: ``{track: (fp32, int8)}`` each."""
        pairs = [pair for frame in frames for pair in frame.values()] or [(0, 0)]
        self.quick = Known(INT8, [int8 for _, int8 in pairs])
        self.full = Known(FP32, [fp32 for fp32, _ in pairs])
        self.screen = Screen(self.quick, self.full)
        self._frames, self._emit = frames, emit

    def shots(self, engine):
        """Run the frames through an engine: all shots that were emitted."""
        selector, hits, number, shots = Selector(float, self._emit), {}, 0, []
        for index, frame in enumerate(self._frames):
            seen = []
            crops = np.zeros((len(frame), 1, 64, 64), np.uint8)
            for crop, id in zip(crops, frame, strict=True):
                crop[0, 0, :2] = number % 256, number // 256
                hits[id] = hits.get(id, 0) + 1
                box = np.array([0, 0, 9, 9], np.float32)
                seen.append(Track(id, Face(box, 1, np.zeros((5, 2), np.float32)), hits[id]))
                number += 1
            tracks = Tracks(tuple(seen), ())
            ratings = engine.rate_tracks(crops, tracks)
            image = np.zeros((9, 9, 3), np.uint8)
            shots += selector.update(Frame(index, index / 10, image), tracks, ratings)
        return [(s.track, s.frame, s.score) for s in shots + selector.finish()]


@pytest.mark.parametrize(
    ("frames", "again", "chosen"),
    [
        ([], [], []),
        ([{}], [], []),
        # the first frame of a track is scored by fp32, whatever int8 says
        ([{1: (5, -900)}], [0], [(1, 0, 5)]),
        # far behind: int8 decides
        ([{1: (50, 40)}, {1: (99, 29)}], [0], [(1, 0, 50)]),
        # within the margin, at its very edge too: fp32 decides
        ([{1: (50, 40)}, {1: (51, 30)}], [0, 1], [(1, 1, 51)]),
        ([{1: (50, 40)}, {1: (49, 60)}], [0, 1], [(1, 0, 50)]),
        # what was scored again and lost does not raise the bar
        ([{1: (50, 40)}, {1: (49, 60)}, {1: (52, 31)}], [0, 1, 2], [(1, 2, 52)]),
        # the best has to be beaten, not the first
        ([{1: (50, 40)}, {1: (70, 60)}, {1: (99, 49)}], [0, 1], [(1, 1, 70)]),
        # what int8 alone scored never wins, although int8 is far above all of fp32
        ([{1: (5, 900)}, {1: (4, 800)}], [0], [(1, 0, 5)]),
        # tracks of one batch do not mix
        (
            [{1: (50, 40), 2: (7, 7)}, {2: (9, 8), 1: (99, 0), 3: (1, 1)}],
            [0, 1, 2, 4],
            [(1, 0, 50), (2, 1, 9), (3, 1, 1)],
        ),
    ],
)
def test_what_is_scored_again_and_what_is_chosen(frames, again, chosen):
    scene = Scene(frames)
    assert scene.shots(scene.screen) == chosen
    assert scene.full.asked == again
    assert scene.screen.again == len(again)


faces = st.tuples(st.integers(-1000, 1000), st.integers(0, int(MARGIN)))


@given(
    st.lists(st.dictionaries(st.integers(0, 3), faces, max_size=4), max_size=25),
    st.integers(-5000, 5000),
    st.sampled_from(["end", "timely", "live"]),
)
def test_with_errors_within_the_margin_the_shots_are_those_of_fp32(frames, offset, when):
    """Errors that differ by the margin at most, whatever all have in common."""
    scene = Scene(
        [{id: (s, s - e - offset) for id, (s, e) in frame.items()} for frame in frames],
        Emit(when, within_s=0.3 if when == "timely" else 0.0),
    )
    assert scene.shots(scene.screen) == scene.shots(scene.full)


def test_an_ended_track_is_forgotten():
    scene = Scene([{1: (50, 40)}, {1: (20, 5)}])
    face = Face(np.zeros(4, np.float32), 1, np.zeros((5, 2), np.float32))
    crops = np.zeros((1, 1, 64, 64), np.uint8)
    for ended, number in (((), 0), ((1,), 1), ((), 1)):
        crops[0, 0, 0, 0] = number
        ratings = scene.screen.rate_tracks(crops, Tracks((Track(1, face, 1),), ended))
    assert scene.full.asked == [0, 1]
    assert ratings.order.tolist() == [20]


@pytest.mark.parametrize("pair", [(1, np.nan), (np.nan, 1), (1, -np.inf), (np.inf, 1)])
def test_a_score_that_is_no_number_stops_the_run(pair):
    class OneTrack:
        def update(self, time_s, faces):
            return Tracks((Track(1, faces[0], 1),), ())

    watcher = Watcher(OneTrack(), Scene([{1: pair}]).screen, Selector(float), Stopwatch())
    face = Face(np.array([0, 0, 64, 64], np.float32), 0.9, np.zeros((5, 2), np.float32))
    with pytest.raises(SealshotError, match="no number in frame 7"):
        watcher.step(Frame(7, 0.0, np.zeros((64, 64, 3), np.uint8)), [face])


@pytest.mark.parametrize(
    ("quick", "full", "said"),
    [
        ("ONNX Runtime 1, CPU, int8", "ONNX Runtime 1, CPU, fp32", "fp32 decides"),
        ("An FPGA, int8", "ONNX Runtime 1, CPU, fp32", "ONNX Runtime 1, CPU, fp32 decides"),
    ],
)
def test_it_says_which_engine_decides_where_that_is_another(quick, full, said):
    screens, decides = Known(INT8, [0]), Known(FP32, [0])
    screens.description, decides.description = quick, full
    assert Screen(screens, decides).description == f"{quick} screens, {said}"


def test_single_pictures_are_scored_by_fp32():
    scene = Scene([{1: (50, 40)}])
    assert scene.screen.score(np.zeros((1, 1, 64, 64), np.uint8)).tolist() == [50]
    assert scene.screen.manifest is FP32  # percentiles are of fp32's scores


@pytest.mark.parametrize(
    ("quick", "full", "fact"),
    [
        (replace(INT8, screen_margin=None), FP32, "states no margin"),
        (INT8, replace(FP32, samples=10), "not its fp32 form"),
        (INT8, replace(FP32, seed=2), "not its fp32 form"),
        (INT8, replace(FP32, name="quality"), "not its fp32 form"),
        (INT8, replace(FP32, training_set_sha256="x"), "not its fp32 form"),
        (INT8, INT8, "not its fp32 form"),
    ],
)
def test_what_does_not_go_together_is_refused(quick, full, fact):
    with pytest.raises(InputError, match=fact) as caught:
        Screen(Known(quick, [0]), Known(full, [0]))
    assert "sealshot export" in caught.value.hint
