"""MTCNN from stage to stage: nothing passes, a lot passes, one face from many boxes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.detect.mtcnn import EXACT, FAST, Mtcnn
from sealshot.runtime.detect.pyramid import levels


@pytest.fixture(scope="module")
def portrait():
    return cv2.imread(str(PORTRAIT))


def mtcnn(settings=FAST, **changes):
    return Mtcnn(threads=1, settings=replace(settings, **changes))


@pytest.mark.parametrize("settings", [FAST, EXACT])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_that_lets_nothing_pass_ends_the_search(portrait, settings, stage):
    thresholds = tuple(1.5 if i == stage else 0.7 for i in range(3))
    assert mtcnn(settings, thresholds=thresholds).detect(portrait) == []


@pytest.mark.parametrize("settings", [FAST, EXACT])
def test_boxes_from_everywhere_stay_finite(portrait, settings):
    """With no threshold, boxes reach far outside the image, and some miss it."""
    view = portrait[40:160, 50:190]
    faces = mtcnn(settings, thresholds=(0.0, 0.0, 0.0)).detect(view)
    assert len(faces) > 5
    for face in faces:
        assert np.isfinite(face.box).all()
        assert np.isfinite(face.landmarks).all()
        assert 0 <= face.score <= 1


def test_the_mean_of_the_boxes_lies_among_them(portrait):
    (best,) = mtcnn(average=False).detect(portrait)
    (mean,) = mtcnn(average=True).detect(portrait)
    assert mean.score == best.score
    assert not np.array_equal(mean.box, best.box)
    assert iou(mean.box[None], best.box[None])[0, 0] > 0.85


def test_the_mean_of_the_boxes_moves_less_than_the_best(portrait):
    wall = np.full((600, 800, 3), 110, np.uint8)
    wall[200:500, 300:540] = portrait
    apart = {}
    for average in (False, True):
        detector = mtcnn(average=average)
        boxes = [detector.detect(wall[d:, d:])[0].box + np.float32(d) for d in range(12)]
        apart[average] = np.std(boxes, axis=0).mean()
    assert apart[True] < apart[False]


def test_more_levels_when_smaller_faces_are_looked_for():
    scales = {px: [one.scale for one in levels(640, 480, px, FAST.factor, 0)] for px in (20, 40)}
    assert len(scales[20]) > len(scales[40])
    for px, each in scales.items():
        assert each[0] == pytest.approx(12 / px)
        assert all(480 * scale >= 12 for scale in each)
        assert 480 * each[-1] * FAST.factor < 12


def test_two_detectors_find_the_same_bit_for_bit(portrait):
    (one,), (other,) = mtcnn().detect(portrait), mtcnn().detect(portrait)
    assert np.array_equal(one.box, other.box)
    assert np.array_equal(one.landmarks, other.landmarks)
    assert one.score == other.score
