"""What a privacy mask covers is black before anything looks, whatever the size of the picture."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from sealshot.runtime.planes import Colours, Planes
from sealshot.runtime.sources import open_source
from sealshot.runtime.sources.mask import Mask

LEFT_HALF = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
CORNER = ((1, 1), (1, 0.5), (0.5, 1))


@pytest.mark.parametrize(("width", "height"), [(640, 480), (31, 77)])
def test_the_inside_is_black_and_the_outside_as_it_was(width, height) -> None:
    image = np.full((height, width, 3), 200, np.uint8)
    masked = Mask([LEFT_HALF, CORNER])(image)
    assert not masked[:, : width // 2].any()
    assert not masked[-1, -1].any()
    assert (masked[: height // 2 - 1, width // 2 + 2 :] == 200).all()
    assert (image == 200).all()


def test_outside_of_zones_all_is_black_and_a_mask_goes_before_a_zone() -> None:
    image = np.full((100, 200, 3), 200, np.uint8)
    upper = ((0, 0), (1, 0), (1, 0.4), (0, 0.4))
    seen = Mask([LEFT_HALF], [upper, CORNER])(image)[:, :, 0] == 200
    assert seen[:40, 101:].all()
    assert not seen[42:50].any()
    assert seen[95, 195]
    assert not seen[:, :100].any()
    left = Mask([], [LEFT_HALF])(image)
    assert left[:, :100].all()
    assert not left[:, 102:].any()


def test_a_camera_may_change_its_size() -> None:
    mask = Mask([LEFT_HALF])
    for width in (100, 50, 100):
        masked = mask(np.full((20, width, 3), 9, np.uint8))
        assert masked.shape == (20, width, 3)
        assert masked.any(axis=(0, 2)).tolist() == [x > width // 2 for x in range(width)]


def test_each_picture_of_a_source_is_masked(tmp_path) -> None:
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), 200, np.uint8))
    with open_source(str(tmp_path)) as source:
        source.mask = Mask([LEFT_HALF])
        frames = list(source)
    assert [frame.index for frame in frames] == [0, 1]
    assert all(not f.image[:, :30].any() and f.image[:, 40:].all() for f in frames)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_what_was_decoded_does_not_go_round_the_mask(tmp_path, pixels) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), "bgr24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with open_source(str(path)) as source:
        assert next(source).decoded is not None
    with open_source(str(path)) as source:
        source.mask = Mask([LEFT_HALF])
        frame = next(source)
        assert not frame.image[:, :32].any()
        assert frame.decoded is (frame.pixels if pixels == "yuv420p" else None)


def test_of_planes_no_colour_of_what_is_hidden_is_left() -> None:
    rng = np.random.default_rng(0)
    luma, blue, red = (rng.integers(0, 256, size, np.uint8) for size in ((8, 8), (4, 4), (4, 4)))
    picture = Planes(luma, blue, red, Colours(0, 1, 2, 2))
    masked = Mask([((0, 0), (0.25, 0), (0.25, 1), (0, 1))])(picture)  # three columns, with its edge
    assert not masked[:, :3].any()
    fourth = masked[:, 3:4].astype(int)
    assert (fourth.max(axis=2) - fourth.min(axis=2)).max() <= 1
    assert (masked[:, 4:] == picture[:, 4:]).all()
    assert (picture.luma == luma).all()
    assert (picture.blue == blue).all()
