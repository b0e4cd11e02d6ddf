"""Evening out the contrast of what is dark: as if it were done to the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sealshot.runtime.detect.changes import Places
from sealshot.runtime.public.search import CONTRAST, TILES, _evened
from sealshot.runtime.types import Image

CELL_PX = 10


def picture(height: int, width: int) -> Image:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 20, width // 20, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def whole(image: Image) -> Image:
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    yuv[..., 0] = cv2.createCLAHE(CONTRAST, (TILES, TILES)).apply(np.ascontiguousarray(yuv[..., 0]))
    return np.asarray(cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR), np.uint8)


@pytest.mark.parametrize(
    ("size", "dark", "part"),
    [
        pytest.param((320, 640), np.s_[12:20, 40:44], 0.4, id="in the middle"),
        pytest.param((320, 640), np.s_[:1, :1], 0.1, id="a corner"),
        pytest.param((320, 640), np.s_[-1:, -1:], 0.1, id="the last corner"),
        pytest.param((320, 640), np.s_[:, :], 1.0, id="all"),
        pytest.param((270, 480), np.s_[4:5, 4:5], 1.0, id="no whole tiles"),
    ],
)
def test_what_is_dark_looks_as_if_all_were_evened_out(
    size: tuple[int, int], dark: tuple[slice, slice], part: float
) -> None:
    image = picture(*size)
    places: Places = np.zeros((size[0] // CELL_PX, size[1] // CELL_PX), bool)
    places[dark] = True
    given = image.copy()
    evened, wanted = _evened(image, places, np.empty_like(image)), whole(image)
    assert np.array_equal(image, given)
    inside = places.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
    off = np.abs(evened[inside].astype(int) - wanted[inside])
    assert off.max() <= 1  # how numbers are rounded hangs on where tiles lie
    assert (off > 0).mean() < 0.01
    changed = (evened != image).any(axis=2)
    assert 0.1 * part < changed.mean() <= part
    assert changed[inside].mean() > 0.5
