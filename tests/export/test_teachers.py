"""The teachers of the quality score, on a face that may be shown."""

import cv2
import numpy as np
import pytest

from sealshot.export.frontality import frontality
from sealshot.export.robustness import GROUPS, Robustness
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import open_detector

FRONTAL = np.array([[20, 20], [60, 20], [40, 45], [28, 60], [52, 60]], np.float32)


def shifted_nose(share):
    landmarks = FRONTAL.copy()
    landmarks[2, 0] += share * 40
    return landmarks


def test_a_face_to_the_camera_is_0():
    assert frontality(FRONTAL) == 0
    assert frontality(shifted_nose(0.14)) == 0


@pytest.mark.parametrize("side", [-1, 1])
def test_the_further_turned_the_less(side):
    values = [frontality(shifted_nose(side * s)) for s in (0.2, 0.3, 0.5)]
    assert values == pytest.approx([-0.05, -0.15, -0.35], abs=1e-6)


def test_a_head_tilted_to_the_shoulder_is_still_frontal():
    turn = cv2.getRotationMatrix2D((40, 40), 35, 1.7)
    tilted = (np.c_[FRONTAL, np.ones(5)] @ turn.T).astype(np.float32)
    assert frontality(tilted) == pytest.approx(0, abs=1e-6)


def test_eyes_in_one_place_are_no_division_by_zero():
    assert np.isfinite(frontality(np.zeros((5, 2), np.float32)))


@pytest.fixture(scope="module")
def portrait():
    image = cv2.imread(str(PORTRAIT))
    (face,) = open_detector("mtcnn", threads=1).detect(image)
    return image, face.box


def test_robustness_falls_when_the_face_is_blurred_hidden_or_none(portrait):
    image, box = portrait
    judge = Robustness()
    clear = judge.measure(image, box)
    assert clear.shape == (len(GROUPS),)
    hidden = image.copy()
    hidden[int(box[1]) : int(box[3]), int(box[0]) : int((box[0] + box[2]) / 2)] = 90
    for worse in (cv2.GaussianBlur(image, (0, 0), 9), hidden, np.full_like(image, 128)):
        assert (judge.measure(worse, box).mean() < clear.mean() - 1).all()
