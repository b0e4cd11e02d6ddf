"""Covering: what changes, what does not, and how little of a region is left."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.public.cover import CELLS_A_FACE, STYLES, Plane, Region, Style, around, cover

REGION = Region((20.0, 10.0, 60.0, 50.0), 40.0)
SHAPES = {"4:2:0": (2, 2), "4:2:2": (2, 1), "4:4:4": (1, 1)}


def noise(seed: int, step: tuple[int, int] = (2, 2), dtype: type = np.uint8) -> tuple[Plane, ...]:
    """Planes of 96x72 pixels, Y, U, V."""
    rng, top = np.random.default_rng(seed), 256 if dtype is np.uint8 else 1024
    shapes = [(72, 96)] + [(72 // step[1], 96 // step[0])] * 2
    return tuple(rng.integers(0, top, shape).astype(dtype) for shape in shapes)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("step", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_region_is_covered_in_all_planes_and_nothing_else_changes(
    style: Style, step: tuple[int, int], dtype: type
) -> None:
    given = noise(1, step, dtype)
    covered = cover(given, [REGION], style)
    for plane, before, (sx, sy) in zip(covered, given, [(1, 1), step, step], strict=True):
        assert plane.dtype == dtype
        inside = np.zeros(plane.shape, bool)
        inside[10 // sy : 50 // sy, 20 // sx : 60 // sx] = True
        assert np.array_equal(plane[~inside], before[~inside])
        assert np.mean(plane[inside] == before[inside]) < 0.05
    assert all(np.array_equal(a, b) for a, b in zip(given, noise(1, step, dtype), strict=True))


@pytest.mark.parametrize("style", ["mosaic", "blur"])
def test_what_is_left_depends_on_the_mean_of_each_cell_alone(style: Style) -> None:
    given, cell = noise(2), 40 // CELLS_A_FACE
    shuffled = tuple(plane.copy() for plane in given)
    rng = np.random.default_rng(3)
    for plane, step in zip(shuffled, (1, 2, 2), strict=True):
        size = cell // step
        for y in range(10 // step, 50 // step, size):
            for x in range(20 // step, 60 // step, size):
                part = plane[y : y + size, x : x + size]
                part[:] = rng.permutation(part.ravel()).reshape(part.shape)
    assert not np.array_equal(given[0], shuffled[0])
    one, other = cover(given, [REGION], style), cover(shuffled, [REGION], style)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_solid_tells_nothing() -> None:
    one, other = (cover(noise(seed), [REGION], "solid")[0][10:50, 20:60] for seed in (4, 5))
    assert np.array_equal(one, other)
    assert len(np.unique(one)) == 1


@pytest.mark.parametrize("face_px", [16, 64, 256])
def test_a_large_face_shows_no_more_cells_than_a_small_one(face_px: int) -> None:
    side = 2 * face_px
    plane = np.random.default_rng(6).random((side, side)) * 255
    box = np.array([0, 0, face_px, face_px]) + face_px / 2
    (covered,) = cover([plane.astype(np.uint8)], [around(box)], "mosaic")
    row = covered[side // 2].astype(int)
    x0, _, x1, _ = around(box).box
    edges = np.flatnonzero(np.diff(row[int(x0) : int(x1)]))
    assert len(edges) <= (x1 - x0) / face_px * CELLS_A_FACE


@pytest.mark.parametrize(
    "box",
    [
        (-30.0, -30.0, 10.0, 10.0),
        (90.0, 60.0, 300.0, 300.0),
        (200.0, 200.0, 240.0, 240.0),
        (-500.0, -500.0, 900.0, 900.0),
        (5.2, 5.2, 5.4, 5.4),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_a_region_may_reach_out_of_the_picture(
    box: tuple[float, float, float, float], style: Style
) -> None:
    for step in SHAPES.values():
        given = noise(7, step)
        for plane, before in zip(cover(given, [Region(box, 30.0)], style), given, strict=True):
            assert plane.shape == before.shape


def test_the_order_of_regions_does_not_matter_and_overlaps_show_nothing_finer() -> None:
    other = Region((40.0, 20.0, 80.0, 60.0), 20.0)
    given = noise(8)
    one, turned = cover(given, [REGION, other], "mosaic"), cover(given, [other, REGION], "mosaic")
    assert np.array_equal(one[0], turned[0])
    assert np.array_equal(one[0][10:50, 20:60], cover(one, [REGION], "mosaic")[0][10:50, 20:60])


def test_planes_of_odd_size_are_covered_to_the_edge() -> None:
    given = (np.full((5, 7), 9, np.uint8), np.full((3, 4), 9, np.uint8))
    luma, chroma = cover(given, [Region((-9.0, -9.0, 99.0, 99.0), 50.0)], "solid")
    assert (luma == 128).all()
    assert (chroma == 128).all()
