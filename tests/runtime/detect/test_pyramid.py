"""Parts of levels that share a call of the P-net: what is found in them, and in how many calls."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect.mtcnn import FAST, GLIMPSED_SCORE, Mtcnn
from sealshot.runtime.detect.pyramid import (
    NOWHERE,
    ONE_GO_PX,
    Part,
    Spots,
    levels,
    parts,
    slide,
)
from sealshot.runtime.detect.sampling import MipSampler

ALONE, TOGETHER = 0, 10**9


@pytest.fixture(scope="module")
def detector():
    return Mtcnn(threads=1)


@pytest.fixture(scope="module")
def wall():
    wall = np.full((420, 640, 3), 110, np.uint8)
    face = cv2.imread(str(PORTRAIT))
    for scale, (y, x) in {0.8: (20, 30), 0.4: (250, 300), 0.25: (60, 500)}.items():
        small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        wall[y : y + small.shape[0], x : x + small.shape[1]] = small
    return wall


def looked(detector, image, parts, together_px, stride, least=0.3):
    pnet = detector._pnets[stride]
    return slide(pnet, MipSampler(image), parts, least, together_px)


def all_parts(image, coarse):
    return [
        Part(level, slice(0, level.rows), slice(0, level.columns))
        for level in levels(image.shape[1], image.shape[0], 36, FAST.factor, coarse)
    ]


@pytest.mark.parametrize("stride", [2, 4])
def test_inside_a_level_the_same_is_found(detector, wall, stride):
    """At an odd border half a window is another one: what lies beyond it is made up."""
    for size in ((420, 640), (419, 637), (301, 640)):
        image = np.ascontiguousarray(wall[: size[0], : size[1]])
        parts = all_parts(image, 9 if stride == 4 else 0)
        alone = looked(detector, image, parts, ALONE, stride)
        together = looked(detector, image, parts, TOGETHER, stride)
        assert len(alone) > 5
        inside = (alone[:, 2] < size[1] - 40) & (alone[:, 3] < size[0] - 40)
        for row in alone[inside]:
            assert np.abs(together - row).max(axis=1).min() < 1e-3


def test_parts_of_levels_are_where_they_are(detector, wall):
    halves = [
        Part(part.level, slice(*rows), slice(*columns))
        for part in all_parts(wall, 0)
        for rows, columns in itertools.product(
            itertools.pairwise((0, part.level.rows // 2, part.level.rows)),
            itertools.pairwise((0, part.level.columns // 3, part.level.columns)),
        )
        if rows[0] < rows[1] and columns[0] < columns[1]
    ]
    alone = looked(detector, wall, halves, ALONE, 2)
    together = looked(detector, wall, halves, TOGETHER, 2)
    assert len(together) == len(alone) > 5
    order = [np.lexsort(np.round(found, 2).T) for found in (alone, together)]
    assert together[order[1]] == pytest.approx(alone[order[0]], abs=1e-2)


@pytest.mark.parametrize("cuts", [(0, 1), (0, 0.3, 0.31, 0.9, 1), (0, 0.999, 1)])
def test_each_row_of_windows_is_looked_at_once_a_round(cuts):
    """Small levels as a whole, in one of its parts."""
    for level in levels(1280, 720, 36, FAST.factor, 1):
        found = [list(parts(level, start, end, None)) for start, end in itertools.pairwise(cuts)]
        rows = [row for some in found for part in some for row in range(level.rows)[part.rows]]
        assert rows == list(range(level.rows))
        small = level.width * level.height < ONE_GO_PX
        assert sum(map(bool, found)) <= (1 if small else len(cuts))


def test_few_calls_are_made(detector, wall, monkeypatch):
    calls = []
    for pnet in (detector._glimpse, *detector._pnets.values()):
        monkeypatch.setattr(
            pnet, "run", lambda x, run=pnet.run: calls.append(x["image"].shape) or run(x)
        )
    assert len(detector.propose(detector.open(wall))) > 0
    assert len(levels(640, 420, 36, FAST.factor, 1)) > 4
    assert len(calls) <= 2


def test_who_is_glimpsed_is_looked_at_by_the_p_net(detector, wall, monkeypatch):
    """The smaller network alone decides on nothing: what it sends on is told by the P-net, which
    says of each window that it takes what it says of that in a look at everything."""
    for overlap in ("mtcnn.PNET_OVERLAP", "pyramid.LEVEL_OVERLAP"):
        monkeypatch.setattr(f"sealshot.runtime.detect.{overlap}", 1.0)
    view = detector.open(wall)
    fine = Mtcnn(threads=1, settings=replace(FAST, coarse_levels=0, thresholds=(0.6, 0.7, 0.7)))
    everything = fine.propose(view)
    for least in (GLIMPSED_SCORE, 0.0):
        boxes = detector.closer(view, detector.glimpse(view, least=least))
        assert len(boxes) >= 3
        away = np.abs(boxes[:, None] - everything[None]).max(axis=2).min(axis=1)
        assert away.max() < 0.01


@pytest.mark.parametrize("size", [(36, 36), (40, 43), (36, 300), (50, 37), (173, 149)])
def test_each_spot_shows_its_window_and_what_is_around(detector, size):
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    view = detector.open(image)
    spots = detector.glimpse(view, 0.0, 0.6, least=0.0)
    spots = Spots.join([spots, detector.glimpse(view, 0.6, 1.0, least=0.0), NOWHERE])
    assert len(spots)
    for box, pixels, (left, top, scale) in zip(
        spots.boxes, spots.pixels, spots.corners, strict=True
    ):
        x, y = np.round((box[:2] + 0.5) * scale) - 1 - (left, top)
        assert 0 <= min(x, y) <= max(x, y) <= 4  # of the nine, two pixels apart, that are shown
        width, height = (int(side * scale + 1) for side in (size[1], size[0]))
        level = MipSampler(image).level(width, height)
        there = level[int(top) : int(top) + 16, int(left) : int(left) + 16].astype(int)
        shown = pixels[: there.shape[0], : there.shape[1]].astype(int)
        assert np.abs(shown - there).mean() < 12  # bands are half a pixel off, and this is noise
    assert len(spots.of(spots.boxes[:, 0] < 0)) == 0
    detector.closer(view, spots)


def test_a_wall_is_nobody_however_much_is_glimpsed(detector):
    view = detector.open(np.full((420, 640, 3), 110, np.uint8))
    glimpsed = detector.glimpse(view, least=0.0)
    assert len(glimpsed)
    assert detector.closer(view, glimpsed).shape == (0, 4)


def test_nothing_to_look_at_gives_nothing(detector, wall):
    assert looked(detector, wall, [], TOGETHER, 2).shape == (0, 9)
