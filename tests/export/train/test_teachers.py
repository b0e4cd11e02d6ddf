"""The teachers of the quality score, on a face that may be shown."""

import cv2
import numpy as np
import pytest

from sealshot.export.train.align import INNER, align
from sealshot.export.train.degrade import centre, shift, turn
from sealshot.export.train.detail import INNER_FACE, detail, lost_detail
from sealshot.export.train.frontality import frontality, levelness
from sealshot.export.train.robustness import FEATURES, GROUPS, Looker
from sealshot.export.train.typicality import contrast_normalised, typicality
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import open_detector

FRONTAL = np.array([[20, 20], [60, 20], [40, 45], [28, 60], [52, 60]], np.float32)


def moved_nose(*, aside=0.0, down=0.0):
    landmarks = FRONTAL.copy()
    landmarks[2] += (aside * 40, down * 40)
    return landmarks


def test_a_face_to_the_camera_is_0():
    assert (frontality(np.stack([FRONTAL, moved_nose(aside=0.14)])) == 0).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_the_further_turned_the_less(side):
    values = frontality(np.stack([moved_nose(aside=side * s) for s in (0.2, 0.3, 0.5)]))
    assert values == pytest.approx([-0.05, -0.15, -0.35], abs=1e-6)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_further_up_or_down_the_less(side):
    heights = (0, 0, 0, 0.1 * side, 0.2 * side)
    values = levelness(np.stack([moved_nose(down=h) for h in heights]))
    assert values == pytest.approx([0, 0, 0, -0.1, -0.2], abs=1e-6)


def test_a_head_tilted_to_the_shoulder_is_still_frontal():
    turn = cv2.getRotationMatrix2D((40, 40), 35, 1.7)
    tilted = (np.c_[FRONTAL, np.ones(5)] @ turn.T).astype(np.float32)
    assert frontality(tilted[None]) == pytest.approx(0, abs=1e-6)


def test_eyes_in_one_place_are_no_division_by_zero():
    assert np.isfinite(frontality(np.zeros((1, 5, 2), np.float32)))


def test_the_usual_is_more_typical_than_the_odd():
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(500, 20)) * np.linspace(3, 0.1, 20)
    odd = np.zeros((1, 20))
    odd[0, 0] = 22  # seven spreads out
    far_in_a_small_direction = np.zeros((1, 20))
    far_in_a_small_direction[0, -1] = 1.5
    values = typicality(np.concatenate([usual, odd, far_in_a_small_direction]), 20)
    assert values[-2] < np.quantile(values[:500], 0.02)
    assert values[-1] < np.quantile(values[:500], 0.02)
    assert values[:500].mean() == pytest.approx(-20, rel=0.15)  # chi-square of 20 degrees
    few = typicality(np.concatenate([usual, far_in_a_small_direction]), 5)
    assert few[-1] > np.quantile(few, 0.9)  # the small direction does not count


def test_neither_light_nor_contrast_changes_an_aligned_face():
    face = np.random.default_rng(1).integers(80, 120, (1, 32, 32)).astype(np.uint8)
    rows = contrast_normalised(np.concatenate([face, face * 2 - 60, face * 0 + 7]))
    assert np.corrcoef(rows[0], rows[1])[0, 1] == pytest.approx(1)
    assert (rows[2] == 0).all()


@pytest.fixture(scope="module")
def portrait():
    image = cv2.imread(str(PORTRAIT))
    (face,) = open_detector("mtcnn", threads=1).detect(image)
    return image, face


def test_detail_is_of_the_inner_face_and_not_of_light(portrait):
    image, face = portrait
    crop = crop_resize_grey(image, [face.box])[0, 0]
    around = crop.copy()
    around[: INNER_FACE[0].start] = np.random.default_rng(0).integers(0, 256, (20, 64))
    dim = np.uint8(crop * 0.5 + 40)
    flat = np.full_like(crop, 90)
    flat[::7] += 1  # less than a camera's noise
    blurred = [cv2.GaussianBlur(crop, (0, 0), sigma) for sigma in (0.7, 1.5, 4)]
    sizes = detail(np.stack([crop, around, dim, *blurred, flat])[:, None])
    assert sizes[1] == sizes[0]
    assert sizes[2] == pytest.approx(sizes[0], rel=0.03)
    assert (np.diff(sizes[[0, 3, 4, 5, 6]]) < 0).all()


def test_lost_detail_is_of_the_face_and_not_of_light(portrait):
    image, face = portrait
    crop = crop_resize_grey(image, [face.box])[0, 0]
    dim = np.uint8(np.rint(crop * 0.4 + 40))
    around = crop.copy()
    around[:, :7] = 0
    assert lost_detail(crop, crop) == 0
    assert lost_detail(crop, dim) < 0.02
    assert lost_detail(crop, around) < 0.02
    blurs = [lost_detail(crop, cv2.GaussianBlur(crop, (0, 0), s)) for s in (0.7, 1.5, 4)]
    assert 0 < blurs[0] < blurs[1] < blurs[2] <= 1
    half = crop.copy()
    half[:, :32] = 128
    assert 0.3 < lost_detail(crop, half) < 0.7
    flat = np.full_like(crop, 128)
    assert lost_detail(crop, flat) == 1
    assert lost_detail(flat, flat) == lost_detail(flat, crop) == 0
    assert (
        lost_detail(crop, np.random.default_rng(0).permutation(crop.ravel()).reshape(64, 64)) > 0.8
    )


@pytest.mark.parametrize(
    ("severity", "most"), [pytest.param(0.3, 0.2, id="turned"), pytest.param(1, 0.5, id="far")]
)
def test_what_alignment_undoes_is_not_lost(severity, most, portrait):
    image, _ = portrait
    context = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[12:212, 21:221], (112, 112))
    turned = turn(context, severity, np.random.default_rng(1))
    assert lost_detail(centre(context), turned.in_place) < most
    assert lost_detail(centre(context), turned.crop) > most


def test_what_a_shift_moves_out_of_the_crop_is_lost(portrait):
    image, _ = portrait
    context = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[12:212, 21:221], (112, 112))
    moved = [shift(context, s, np.random.default_rng(2)) for s in (0.1, 0.5, 1)]
    lost = [lost_detail(centre(context), worse.in_place) for worse in moved]
    assert lost[0] < lost[1] < lost[2]
    assert lost[0] < 0.2
    assert lost[2] > 0.3


def test_robustness_falls_when_the_face_is_blurred_hidden_or_none(portrait):
    image, face = portrait
    box, looker = face.box, Looker()
    clear = looker.look(image, box)
    assert clear.robustness.shape == (len(GROUPS),)
    assert clear.features.shape == (FEATURES,)
    hidden = image.copy()
    hidden[int(box[1]) : int(box[3]), int(box[0]) : int((box[0] + box[2]) / 2)] = 90
    for worse in (cv2.GaussianBlur(image, (0, 0), 9), hidden, np.full_like(image, 128)):
        assert (looker.look(worse, box).robustness.mean() < clear.robustness.mean() - 1).all()


def test_an_aligned_face_is_the_same_when_the_picture_is_turned(portrait):
    image, face = portrait
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 0.8)
    turned = cv2.warpAffine(image, turn, (width, height))
    points = (np.c_[face.landmarks, np.ones(5)] @ turn.T).astype(np.float32)
    upright, again = align(image, face.landmarks), align(turned, points)
    assert upright.shape == (32, 32)
    assert np.abs(upright.astype(int) - again).mean() < 4
    assert INNER.min() > 0
    assert INNER.max() < 1
