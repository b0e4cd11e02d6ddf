"""The net that ships for style `face`: what it draws is a face, and nobody's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sealshot.runtime.cli.commands.styles import MEASURED, NOT_MEASURED, promise, style
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect import open_detector
from sealshot.runtime.public.cover import Plane, around, cover
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.public.placing import SIDE_PX
from sealshot.runtime.public.square import squares
from sealshot.runtime.types import Face, Floats, Image
from sealshot.runtime.weights import DRAWING

CELL_PX = 16


@pytest.fixture(scope="module")
def painter() -> Painter:
    return Painter(DRAWING)


@pytest.fixture(scope="module")
def portrait() -> tuple[tuple[Plane, ...], Face]:
    """Y, U, V of a photograph, and the face there."""
    picture = cv2.imread(str(PORTRAIT))
    (face, *_) = open_detector("mtcnn").detect(picture)
    return tuple(cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV))), face


def _within_cells(crop: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Mix the pixels of each cell."""
    shape = 3, SIDE_PX // CELL_PX, CELL_PX, SIDE_PX // CELL_PX, CELL_PX
    cells = crop.reshape(shape).transpose(0, 1, 3, 2, 4).reshape(*shape[:2], shape[3], -1)
    mixed = draw.permuted(cells, axis=-1)
    return (
        mixed.reshape(*shape[:2], shape[3], CELL_PX, CELL_PX)
        .transpose(0, 1, 3, 2, 4)
        .reshape(crop.shape)
    )


def test_it_sees_no_more_of_a_face_than_the_means_of_sixteen_cells(
    painter: Painter, portrait: tuple[tuple[Plane, ...], Face]
) -> None:
    planes, face = portrait
    (square,) = squares(planes, [face])
    crop, draw = square.cut(planes), np.random.default_rng(3)
    crops = np.stack([crop, _within_cells(crop, draw), np.full_like(crop, 128)])
    drawn = painter.draw(crops, np.stack([square.landmarks()] * 3), [1] * 3).astype(int)
    assert np.abs(crops[1].astype(int) - crops[0]).mean() > 10  # another picture
    assert np.abs(drawn[1] - drawn[0]).max() <= 1  # a mean's last bit
    assert np.abs(drawn[2] - drawn[0]).mean() > 2  # other means


def _pictured(planes: tuple[Plane, ...]) -> Image:
    return np.asarray(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YUV2BGR), np.uint8)


def _inner(planes: tuple[Plane, ...], face: Face) -> Floats:
    (square,) = squares(planes, [face])
    return square.cut(planes)[0, 16:48, 16:48].astype(np.float32)


def test_a_detector_finds_what_it_draws_where_the_face_was(
    portrait: tuple[tuple[Plane, ...], Face],
) -> None:
    planes, face = portrait
    found, likeness = 0, list[float]()
    for track in range(8):
        covered = cover(planes, [around(face.box)], DRAWN_OVER)
        assert not open_detector("mtcnn").detect(_pictured(covered))
        Painter(DRAWING).paint(planes, covered, [(track, face)])
        for other in open_detector("mtcnn").detect(_pictured(covered))[:1]:
            found += np.abs(other.landmarks - face.landmarks).max() < 0.15 * (
                face.box[2] - face.box[0]
            )
        pair = _inner(planes, face).ravel(), _inner(covered, face).ravel()
        likeness.append(float(np.corrcoef(*pair)[0, 1]))
    assert found >= 6
    assert max(likeness) < 0.9


def test_it_is_named_by_the_style_alone() -> None:
    covered, drawn = style("face")
    assert (covered, drawn and drawn.model) == (DRAWN_OVER, DRAWING)
    assert promise(Painter(DRAWING)) == MEASURED


def test_of_another_net_it_is_said_that_nobody_measured_it(tmp_path) -> None:
    pytest.importorskip("onnx")
    from nets import drawing_net

    assert promise(Painter(drawing_net(tmp_path / "grey.onnx", 77))) == NOT_MEASURED
