"""What every detector does with odd, empty and wrong images."""

import cv2
import numpy as np
import pytest

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError


@pytest.fixture(scope="module", params=["mtcnn", "mtcnn:exact", "yunet"])
def detector(request):
    spec = request.param
    if spec == "yunet":
        models = request.getfixturevalue("reference_models")
        spec = f"yunet:{models / 'yunet_n_dynamic.onnx'}"
    return open_detector(spec, threads=1)


@pytest.fixture(scope="module")
def portrait():
    return cv2.imread(str(PORTRAIT))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


SIZES = [(1, 1), (1, 2000), (2000, 1), (11, 11), (35, 35), (36, 36), (37, 37), (36, 1500), (97, 61)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_an_image_of_any_size_without_a_face_has_none(detector, height, width):
    assert detector.detect(np.zeros((height, width, 3), np.uint8)) == []
    for face in detector.detect(noise(height, width)):  # noise may look like anything
        assert np.isfinite(face.box).all()


@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_flat_image_has_no_face(detector, level):
    assert detector.detect(np.full((480, 640, 3), level, np.uint8)) == []


@pytest.mark.parametrize(
    ("image", "fact"),
    [
        (np.zeros((50, 60), np.uint8), r"\[50, 60\]"),
        (np.zeros((50, 60, 1), np.uint8), r"\[50, 60, 1\]"),
        (np.zeros((50, 60, 4), np.uint8), r"\[50, 60, 4\]"),
        (np.zeros((1, 50, 60, 3), np.uint8), r"\[1, 50, 60, 3\]"),
        (np.zeros((50, 60, 3), np.float32), "float32"),
        (np.zeros((50, 60, 3), np.int64), "int64"),
        (np.zeros((50, 60, 3), bool), "bool"),
        (np.zeros((0, 60, 3), np.uint8), "60x0"),
        (np.zeros((50, 0, 3), np.uint8), "0x50"),
        (None, "NoneType"),
        ([[[0, 0, 0]]], "list"),
    ],
)
def test_anything_but_a_colour_image_is_refused(detector, image, fact):
    with pytest.raises(InputError, match=fact) as caught:
        detector.detect(image)
    assert caught.value.hint


def views(portrait):
    wide = np.zeros((portrait.shape[0], 2 * portrait.shape[1], 3), np.uint8)
    wide[:, ::2] = portrait
    planes = np.ascontiguousarray(portrait.transpose(2, 0, 1))
    frozen = portrait.copy()
    frozen.setflags(write=False)
    return {
        "every second column": wide[:, ::2],
        "planes": planes.transpose(1, 2, 0),
        "Fortran order": np.asfortranarray(portrait),
        "reversed twice": portrait[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
        "read-only": frozen,
    }


def test_the_layout_in_memory_makes_no_difference(detector, portrait):
    expected = detector.detect(portrait)
    assert len(expected) == 1
    for name, view in views(portrait).items():
        found = detector.detect(view)
        assert len(found) == 1, name
        assert np.array_equal(found[0].box, expected[0].box), name


def test_the_image_is_left_as_it_was(detector, portrait):
    image = portrait.copy()
    detector.detect(image)
    assert np.array_equal(image, portrait)


def test_the_size_may_change_from_frame_to_frame(detector, portrait):
    once = detector.detect(portrait)[0]
    for width in (640, 90, 1280):
        detector.detect(noise(360, width, seed=width))
    again = detector.detect(portrait)[0]
    assert np.array_equal(once.box, again.box)
    assert np.array_equal(once.landmarks, again.landmarks)


def test_a_face_has_the_promised_types(detector, portrait):
    (face,) = detector.detect(portrait)
    assert (face.box.dtype, face.box.shape) == (np.float32, (4,))
    assert (face.landmarks.dtype, face.landmarks.shape) == (np.float32, (5, 2))
    assert isinstance(face.score, float)
    assert 0 <= face.score <= 1
