"""A face is followed by what it looked like, and nothing else is taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sealshot.runtime.public.likeness import Likeness
from sealshot.runtime.types import Floats, Image

PATTERN = cv2.resize(
    np.random.default_rng(7).integers(0, 256, (6, 6, 3), np.uint8), (40, 40)
).astype(np.uint8)


def shown_at(x: int, y: int) -> Image:
    image = np.full((120, 160, 3), 90, np.uint8)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + 40, 160), min(y + 40, 120)
    if left < right and top < bottom:
        image[top:bottom, left:right] = PATTERN[top - y : bottom - y, left - x : right - x]
    return image


def box_at(x: float, y: float) -> Floats:
    return np.array([x, y, x + 40, y + 40], np.float32)


@pytest.mark.parametrize(("x", "y"), [(60, 40), (67, 33), (50, 55), (75, 40)])
def test_it_is_found_where_it_went(x: int, y: int) -> None:
    likeness = Likeness(shown_at(60, 40), box_at(60, 40))
    found = likeness.find(shown_at(x, y), box_at(60, 40))
    assert found is not None
    assert np.abs(found - box_at(x, y)).max() <= 40 / 16 + 0.5  # a pixel of what is compared


def test_it_is_found_in_other_light() -> None:
    likeness = Likeness(shown_at(60, 40), box_at(60, 40))
    dim = (shown_at(62, 41) * 0.4).astype(np.uint8)
    assert likeness.find(dim, box_at(60, 40)) is not None


def test_nothing_else_is_taken_for_it() -> None:
    likeness = Likeness(shown_at(60, 40), box_at(60, 40))
    assert likeness.find(np.full((120, 160, 3), 90, np.uint8), box_at(60, 40)) is None
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    assert likeness.find(noise, box_at(60, 40)) is None


@pytest.mark.parametrize(("x", "y"), [(-20, 40), (140, 100), (150, -30)])
def test_the_edge_of_the_picture_is_no_end(x: int, y: int) -> None:
    found = Likeness(shown_at(x, y), box_at(x, y)).find(shown_at(x, y), box_at(x, y))
    assert found is None or np.abs(found - box_at(x, y)).max() <= 3
