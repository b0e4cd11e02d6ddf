"""Several sources on one detector and one engine: each as if alone, and asked from many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from sealshot.runtime.engines import Screen, open_onnxruntime
from sealshot.runtime.engines.scorer import Scorer
from sealshot.runtime.engines.shared import Shared, shared
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.stages import open_many
from sealshot.runtime.types import Face, Track, Tracks
from sealshot.runtime.weights import FOLDER, score_graph

CROPS = np.random.default_rng(0).integers(0, 256, (6, 1, 64, 64), np.uint8)


def test_what_is_named_alike_is_opened_once() -> None:
    same, small = Settings(source="a.mp4"), Settings(source="b.mp4", min_face_px=60)
    stages = open_many([same, small, same])
    nets = [one.finder._net for one in stages]
    assert nets[0] is nets[2] is not nets[1]
    assert stages[0].engine is stages[2].engine
    for part in ("finder", "selector", "watcher", "stopwatch"):
        assert len({id(getattr(one, part)) for one in stages}) == 3, part


def test_one_alone_has_no_lock_around_its_engine() -> None:
    (alone,) = open_many([Settings(source="a.mp4")])
    assert not isinstance(alone.engine, Shared)


def test_opencv_has_no_threads_beside_those_of_the_watch() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        open_many([Settings(source="a.mp4")])
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_threads_get_the_scores_that_one_gets() -> None:
    alone = open_onnxruntime(score_graph("quality"), threads=1)
    scorers = shared(alone, 4)
    wanted = alone.score(CROPS)
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(lambda i: scorers[i % 4].score(CROPS), range(40)):
            assert np.array_equal(scores, wanted)


class Levels(Scorer):
    """Scores a crop by its grey level, a little wrong where it is the quick one."""

    def __init__(self, manifest, wrong: float) -> None:
        self.manifest, self._wrong, self.description = manifest, wrong, "drawn"

    def score(self, crops) -> np.ndarray:
        return crops.reshape(len(crops), -1).mean(axis=1).astype(np.float32) + self._wrong


@pytest.fixture
def screen(tmp_path) -> Screen:
    full = open_onnxruntime(FOLDER / "rp.onnx", threads=1).manifest
    quick = open_onnxruntime(FOLDER / "rp.int8.onnx", threads=1).manifest
    return Screen(Levels(quick, 0.0), Levels(full, 5.0))


def test_a_screen_knows_the_tracks_of_its_own_source_alone(screen) -> None:
    """Two sources number their tracks alike; the bright face of one hides no face of the other."""
    face = Face(np.float32([0, 0, 40, 40]), 0.9, np.zeros((5, 2), np.float32))
    tracks = Tracks((Track(1, face, 1),), ())
    one, other = shared(screen, 2)
    assert one.rate_tracks(np.full((1, 1, 64, 64), 200, np.uint8), tracks).order == [205]
    assert other.rate_tracks(np.full((1, 1, 64, 64), 50, np.uint8), tracks).order == [55]
