"""Planes against the definition of their colours, and against what FFmpeg makes of them."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from sealshot.runtime.alignment import cut_eyes
from sealshot.runtime.crops import crop_resize_grey, cut, cut_inside
from sealshot.runtime.detect.sampling import MeanSampler, MipSampler
from sealshot.runtime.planes import Colours, Planes, bgr_of
from sealshot.runtime.sandbox.shape import FULL_RANGE, MATRICES
from sealshot.runtime.sources.sameness import Sameness

WIDTH, HEIGHT = 96, 64


LIMITED_709 = Colours(1, 1, 2, 2)


def planes(colours: Colours = LIMITED_709, *, smooth: bool = False) -> Planes:
    """Noise, or hills that change little from pixel to pixel."""
    rng = np.random.default_rng(1)
    if smooth:
        y, x = np.mgrid[:HEIGHT, :WIDTH] / 16
        luma = 120 + 60 * np.sin(x + y)
        blue, red = (128 + 30 * np.sin(x - k * y)[::2, ::2] for k in (1, 2))
        return Planes(*(np.rint(p).astype(np.uint8) for p in (luma, blue, red)), colours)
    sizes = (HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2)
    return Planes(*(rng.integers(0, 256, size, np.uint8) for size in sizes), colours)


def defined(picture: Planes, matrix: int, full: bool) -> np.ndarray:
    """BGR by ITU-T H.273, equations 1 to 3, 20 to 22 and 41 to 43, solved for R, G and B."""
    red, blue = MATRICES[matrix]
    low, high, chroma = (0, 255, 255) if full else (16, 235, 224)
    y = (picture.luma - float(low)) / (high - low)
    b, r = ((p.repeat(2, 0).repeat(2, 1) - 128.0) / chroma for p in (picture.blue, picture.red))
    r, b = y + 2 * (1 - red) * r, y + 2 * (1 - blue) * b
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(255 * np.stack([b, g, r], axis=2), 0, 255)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_bgr_is_what_colours_are_defined_by(matrix, full) -> None:
    picture = planes(Colours(FULL_RANGE if full else 1, matrix, 2, 2))
    assert picture.bgr == pytest.approx(
        defined(picture, matrix, full), abs=0.7
    )  # OpenCV rounds factors, too


@pytest.mark.parametrize(
    ("form", "said_range", "matrix"),
    [
        ("yuv420p", 0, 1),
        ("yuv420p", 1, 5),
        ("yuv420p", 2, 9),
        ("yuvj420p", 0, 6),
        ("yuvj420p", 1, 7),
    ],
)
def test_bgr_is_what_ffmpeg_makes_of_it(form, said_range, matrix) -> None:
    noise = planes()
    frame = av.VideoFrame(WIDTH, HEIGHT, form)
    for plane, own in zip(frame.planes, (noise.luma, noise.blue, noise.red), strict=True):
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width] = own
    frame.color_range, frame.colorspace = said_range, matrix
    made = VideoReformatter().reformat(frame, WIDTH, HEIGHT, "bgr24").to_ndarray().astype(float)
    own = (noise.luma, noise.blue, noise.red)
    picture = Planes.of(form, own, said_range, matrix, 2, 2)
    # its quick conversion cuts each of up to three products off
    error = picture.bgr - made
    assert error.min() >= -1
    assert error.max() <= 3
    assert 0 <= error.mean() <= 1.3


def test_a_picture_that_names_no_matrix_has_that_of_its_size() -> None:
    small = planes(Colours(0, 2, 2, 2))
    assert (small.bgr == planes(Colours(0, 5, 2, 2)).bgr).all()
    large = Planes(
        *(np.tile(p, (10, 1)) for p in (small.luma, small.blue, small.red)), small.colours
    )
    assert (large[:HEIGHT, :] == planes(Colours(0, 1, 2, 2)).bgr).all()


@pytest.mark.parametrize(
    "rows", [slice(None), slice(3, 40), slice(1, 2), slice(5, 4), slice(9, 999)]
)
@pytest.mark.parametrize("columns", [slice(None), slice(7, 8), slice(0, 95), slice(-3, None)])
def test_a_part_is_that_part_of_the_whole(rows, columns) -> None:
    picture = planes()
    assert (picture[rows, columns] == picture.bgr[rows, columns]).all()
    assert picture[rows, columns].shape == picture.bgr[rows, columns].shape


def test_a_large_picture_is_converted_in_strips() -> None:
    small = planes()
    large = Planes(
        *(np.tile(p, (16, 16)) for p in (small.luma, small.blue, small.red)), small.colours
    )
    assert (large.bgr == np.tile(small.bgr, (16, 16, 1))).all()
    assert (large[3:1000, 5:1501] == large.bgr[3:1000, 5:1501]).all()


def test_every_eighth_pixel_is_that_of_the_whole() -> None:
    picture = planes()
    assert (picture[::8, ::8] == picture.bgr[::8, ::8]).all()
    sameness = Sameness()
    for _ in range(10):
        sameness.add(picture)
    assert "same" in str(sameness.finding(moves=True))


@pytest.mark.parametrize("size", [(50, 40), (47, 33), (24, 16), (90, 62)])
def test_levels_of_planes_are_those_of_their_bgr(size) -> None:
    picture = planes(smooth=True)
    level, same = (MipSampler(p).level(*size).astype(int) for p in (picture, picture.bgr))
    assert np.abs(level - same).max() <= 6
    assert np.abs(level - same).mean() < 1


@pytest.mark.parametrize("side", [12, 24, 48])
def test_crops_of_planes_are_those_of_their_bgr(side) -> None:
    picture = planes(smooth=True)
    regions = np.array(
        [[10.3, 5.2, 40.3, 35.2], [-8, -9, 12, 11], [70, 40, 130, 100], [0, 0, 8, 8]], np.float32
    )
    crops, same = (MipSampler(p).crops(regions, side) for p in (picture, picture.bgr))
    assert np.abs(crops - same).mean() < 1.5
    outside = crops[2, -1, -1]
    assert outside == pytest.approx([127] * 3, abs=1)
    assert MipSampler(picture).crops(regions[:0], side).shape == (0, side, side, 3)


def test_what_needs_every_pixel_gets_them() -> None:
    picture = planes()
    assert (MeanSampler(picture).level(20, 10) == MeanSampler(picture.bgr).level(20, 10)).all()
    assert bgr_of(picture) is picture.bgr


def test_faces_are_cut_as_of_bgr() -> None:
    picture, boxes = (
        planes(smooth=True),
        [np.array(b, np.float32) for b in ((5, 6, 45, 46), (80, -9, 120, 31))],
    )
    crops, same = (crop_resize_grey(p, boxes).astype(int) for p in (picture, picture.bgr))
    assert np.abs(crops - same).max() <= 2
    for x, y, side in ((-5, 3, 20), (90, 60, 9), (500, -70, 6), (3, 3, 10)):
        assert (cut(picture, x, y, side) == cut(picture.bgr, x, y, side)).all()
        assert (cut_inside(picture, x, y, side) == cut_inside(picture.bgr, x, y, side)).all()
    points = np.array([[30, 20], [50, 22], [40, 32], [33, 42], [47, 43]], np.float32)
    faces = [points, points - 28, points + 60]
    eyes, same = (cut_eyes(p, faces).astype(int) for p in (picture, picture.bgr))
    assert np.abs(eyes - same).max() <= 3
