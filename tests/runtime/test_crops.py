"""Crops: what the score graph sees and what is kept."""

import cv2
import numpy as np
import pytest

from sealshot.runtime.crops import crop_resize_grey, cut, cut_inside, square


def box(*corners: float) -> np.ndarray:
    return np.array(corners, np.float32)


@pytest.mark.parametrize(
    ("corners", "margin", "expected"),
    [
        ((10, 20, 30, 40), 0.0, (10, 20, 20)),
        ((10, 20, 20, 40), 0.0, (5, 20, 20)),  # tall: widened
        ((10, 20, 30, 30), 0.0, (10, 15, 20)),  # wide: heightened
        ((10, 20, 30, 40), 0.5, (0, 10, 40)),
        ((5, 5, 5.2, 5.2), 0.0, (5, 5, 1)),  # never empty
    ],
)
def test_square_has_the_box_in_its_middle(corners, margin, expected):
    assert square(box(*corners), margin) == expected


def test_cut_inside_is_a_view_of_the_image():
    image = np.arange(100 * 100 * 3, dtype=np.uint8).reshape(100, 100, 3)
    assert np.shares_memory(cut(image, 10, 20, 30), image)
    assert np.array_equal(cut(image, 10, 20, 30), image[20:50, 10:40])


@pytest.mark.parametrize(
    ("x", "y"), [(-5, -5), (90, 90), (-200, 40), (40, 500), (-50, -50), (99, -29)]
)
def test_cut_outside_repeats_the_edge(x, y):
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    part = cut(image, x, y, 30)
    rows, columns = np.clip(range(y, y + 30), 0, 99), np.clip(range(x, x + 30), 0, 99)
    assert np.array_equal(part, image[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        (10, 20, (30, 30)),
        (-5, -5, (25, 25)),
        (90, 80, (20, 10)),
        (-30, 50, (30, 1)),  # beside the picture: the nearest pixels
        (50, -30, (1, 30)),  # above it
        (500, 500, (1, 1)),
    ],
)
def test_cut_inside_never_leaves_the_picture(x, y, shape):
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    part = cut_inside(image, x, y, 30)
    assert part.shape[:2] == shape
    assert np.shares_memory(part, image)


def test_shrinking_averages_areas():
    image = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    (crop,) = crop_resize_grey(image, [box(0, 0, 128, 128)])
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(float)
    areas = grey.reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.abs(crop[0] - areas).max() <= 0.5


def test_growing_is_bilinear():
    image = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (32, 1, 3))
    (crop,) = crop_resize_grey(image, [box(0, 0, 32, 32)])
    assert (np.diff(crop[0].astype(int), axis=1) >= 0).all()
    assert len(np.unique(crop[0])) > 40  # values between those of the picture


def test_crops_keep_the_order_of_the_boxes():
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, 100:] = 200
    crops = crop_resize_grey(image, [box(110, 10, 174, 74), box(10, 10, 74, 74)])
    assert crops.shape == (2, 1, 64, 64)
    assert crops.dtype == np.uint8
    assert crops[0].min() == 200
    assert crops[1].max() == 0


def test_no_box_gives_no_crop():
    assert crop_resize_grey(np.zeros((9, 9, 3), np.uint8), []).shape == (0, 1, 64, 64)
