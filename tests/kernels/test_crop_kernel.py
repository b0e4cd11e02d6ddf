"""The crop kernel: bit for bit the reference, within one grey level of OpenCV, hostile boxes."""

from __future__ import annotations

from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sealshot.kernels import reference
from sealshot.kernels.device import DeviceFrame, DeviceKernels
from sealshot.kernels.memory import DeviceArray
from sealshot.runtime import crops

NAN, INF = float("nan"), float("inf")
SIDES = (1, 2, 5, 31, 63, 64, 65, 96, 100, 128, 192, 199, 300)


def picture(height: int = 150, width: int = 200, seed: int = 0) -> NDArray[np.uint8]:
    """Noise of all scales, BGR."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + random.integers(-40, 40, smooth.shape), 0, 255).astype(np.uint8)


def boxes(side: float, count: int = 6, seed: int = 0) -> NDArray[np.float32]:
    """Boxes in the picture, over its edges, and outside of it."""
    random = np.random.default_rng(seed + int(side))
    x, y = random.uniform(-side - 20, 220, count), random.uniform(-side - 20, 170, count)
    short = side * random.uniform(0.5, 1, count)
    return np.stack([x, y, x + side, y + short], axis=1).astype(np.float32)


@pytest.mark.parametrize("side", SIDES)
def test_bgr_is_the_reference(functions: ModuleType, side: int) -> None:
    frame, places = picture(), boxes(side)
    want = reference.crop_resize_grey(frame, places)
    assert (functions.crop_resize_grey(frame, places) == want).all()


@pytest.mark.parametrize("side", SIDES)
def test_the_reference_is_opencv_within_a_grey_level(side: int) -> None:
    frame, places = picture(), boxes(side)
    want = crops.crop_resize_grey(frame, list(places)).astype(int)
    assert np.abs(reference.crop_resize_grey(frame, places) - want).max() <= 1


@pytest.mark.parametrize("format", ["nv12", "nv12-full"])
@pytest.mark.parametrize("side", [20, 64, 130])
def test_nv12_is_the_reference(functions: ModuleType, format: str, side: int) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (150, 120), np.uint8)  # 100 x 120
    places = boxes(side)
    want = reference.crop_resize_grey(frame, places, format)
    assert (functions.crop_resize_grey(frame, places, format) == want).all()


@pytest.mark.parametrize("side", [64, 100, 130])
def test_nv12_is_what_opencv_makes_of_it_within_a_grey_level(side: int) -> None:
    # muted colours: OpenCV clips saturated ones on the way through BGR
    bgr = picture() // 4 + 96
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    nv12 = i420.copy()
    nv12[150:] = np.stack([i420[150:].ravel()[:7500], i420[150:].ravel()[7500:]], 1).reshape(
        75, 200
    )
    decoded = cv2.cvtColor(nv12, cv2.COLOR_YUV2BGR_NV12)
    places = boxes(side)
    want = crops.crop_resize_grey(np.asarray(decoded, np.uint8), list(places)).astype(int)
    assert np.abs(reference.crop_resize_grey(nv12, places, "nv12") - want).max() <= 1


@pytest.mark.parametrize(
    "box",
    [
        (NAN, 0, 10, 10),
        (0, 0, 10, NAN),
        (-INF, 0, 10, 10),
        (0, 0, INF, INF),
        (0, 0, 2**23 + 1, 10),
        (3e38, 3e38, -3e38, -3e38),
    ],
)
def test_a_box_that_is_none_gives_zeros(
    functions: ModuleType, box: tuple[float, float, float, float]
) -> None:
    places = np.array([(10, 10, 90, 90), box, (10, 10, 90, 90)], np.float32)
    got = functions.crop_resize_grey(picture(), places)
    assert not got[1].any()
    assert (got[0] == got[2]).all()
    assert got[0].any()


@pytest.mark.parametrize(
    "box",
    [
        (50, 50, 50, 50),
        (60, 60, 20, 30),
        (-(2**23), -(2**23), 2**23, 2**23),
        (2**23 - 8, 2**23 - 8, 2**23, 2**23),
        (-5000, -4000, -100, -100),
        (199, 149, 200, 150),
        (-1e-30, 0, 1e-30, 1e-30),
        (10.5, 10.5, 75.5, 75.5),
        (0.5, 0.5, 65, 65),
    ],
)
def test_odd_boxes_are_the_reference(
    functions: ModuleType, box: tuple[float, float, float, float]
) -> None:
    frame, places = picture(), np.array([box], np.float32)
    want = reference.crop_resize_grey(frame, places)
    assert (functions.crop_resize_grey(frame, places) == want).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_frames(functions: ModuleType, shape: tuple[int, int]) -> None:
    frame, places = picture(*shape), np.concatenate([boxes(30), boxes(100)])
    want = reference.crop_resize_grey(frame, places)
    assert (functions.crop_resize_grey(frame, places) == want).all()


@pytest.mark.parametrize("n", [0, 1, 17])
def test_any_number_of_boxes(functions: ModuleType, n: int) -> None:
    assert functions.crop_resize_grey(picture(), boxes(80, n)).shape == (n, 1, 64, 64)


@pytest.mark.parametrize("format", ["bgr", "nv12-full"])
def test_rows_with_a_pitch(device: DeviceKernels, format: str) -> None:
    frame = picture() if format == "bgr" else picture()[..., 0]
    row = frame[0].nbytes
    padded = np.full((len(frame), row + 13), 255, np.uint8)
    padded[:, :row] = frame.reshape(len(frame), row)
    on_device = DeviceArray.of(padded.ravel()[:-13])  # nothing after the last pixel
    out = DeviceArray.empty((6, 1, 64, 64), np.uint8)
    places = boxes(100)
    device.crop_resize_grey(
        DeviceFrame(on_device.ptr, 150, 200, row + 13, format), DeviceArray.of(places), out
    )
    whole = frame if format == "bgr" else np.concatenate([frame, frame[:75]])
    assert (out.get() == reference.crop_resize_grey(whole, places, format)).all()


@pytest.mark.parametrize(
    ("height", "width", "pitch", "format"),
    [
        (0, 10, 30, "bgr"),
        (10, 0, 30, "bgr"),
        (10, 10, 29, "bgr"),
        (10, 70_000, 2**20, "nv12"),
        (10, 10, 30, "rgb"),
    ],
)
def test_a_frame_that_is_none_is_refused(
    device: DeviceKernels, height: int, width: int, pitch: int, format: str
) -> None:
    frame = DeviceFrame(0, height, width, pitch, format)
    out = DeviceArray.empty((1, 1, 64, 64), np.uint8)
    with pytest.raises(ValueError, match=r"frame|none of"):
        device.crop_resize_grey(frame, DeviceArray.of(boxes(10, 1)), out)


def test_boxes_and_crops_must_fit(device: DeviceKernels) -> None:
    frame = DeviceFrame.of(DeviceArray.of(picture()))
    for places, crop in (((2, 4), (1, 1, 64, 64)), ((1, 5), (1, 1, 64, 64)), ((4,), (1, 64, 64))):
        with pytest.raises(ValueError, match=r"fit|not"):
            device.crop_resize_grey(
                frame, DeviceArray.zeros(places, np.float32), DeviceArray.empty(crop, np.uint8)
            )
