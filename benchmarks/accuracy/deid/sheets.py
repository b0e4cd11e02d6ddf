"""Contact sheets, for the eyes of whoever measures alone: they show people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from sealshot.benchmarks.accuracy.deid.drawn import FRAMES, frame
from sealshot.benchmarks.accuracy.deid.learned import coded, drawn_planes
from sealshot.benchmarks.accuracy.deid.pictures import (
    FACE_PX,
    Shown,
    covered_image,
    image_of,
    scaled,
)
from sealshot.benchmarks.accuracy.deid.recognition import Judge
from sealshot.runtime.files import make_folder, write_atomic
from sealshot.runtime.public.cover import STYLES, Style
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.public.undo import Undoer
from sealshot.runtime.types import Face, Image

ROWS, CELL_PX = 12, 112
AROUND = 0.45
"""Shown beside a face, as a share of its width."""
CRF = 23

Column = Callable[[int], Shown]


def write_sheets(
    folder: Path, judge: Judge, model: Path | None, undoers: Mapping[str, Undoer]
) -> list[Path]:
    """Write one picture a question, each row a face, and return their paths."""

    def plain(index: int) -> Shown:
        return scaled(judge.faces.view(index), FACE_PX)

    def covered(style: Style, painter: Painter | None = None, first_track: int = 0) -> Column:
        def show(index: int) -> Shown:
            image, face = plain(index)
            return covered_image(image, face, style, painter, first_track + index), face

        return show

    sheets: dict[str, list[Column]] = {"styles": [plain, *map(covered, STYLES)]}
    if model:
        painter, count = Painter(model), len(judge.faces)
        names = painter.manifest.attributes

        def later(number: int) -> Column:
            return lambda index: frame(judge, painter, index, number, index)

        def undone(undoer: Undoer, crf: int | None) -> Column:
            def show(index: int) -> Shown:
                image, face = plain(index)
                guess = [p.copy() for p in coded(drawn_planes(image, face, painter, index)[1], crf)]
                undoer.undo(guess, [face])
                return image_of(guess), face

            return show

        face = covered(DRAWN_OVER, painter)
        asked = [Painter(model, dict.fromkeys(names, sign)) for sign in (1, -1)]
        sheets["styles"].append(face)
        sheets["track"] = [plain, *map(later, range(FRAMES))]
        sheets["diversity"] = [
            plain,
            *(covered(DRAWN_OVER, painter, count * number) for number in range(FRAMES)),
        ]
        sheets["labels"] = [plain, face, *(covered(DRAWN_OVER, one) for one in asked)]
        if undoers:
            sheets["undone"] = [
                plain,
                face,
                *(undone(one, crf) for one in undoers.values() for crf in (None, CRF)),
            ]
    make_folder(folder, "name another with --sheets")
    rows = np.unique(np.linspace(0, len(judge.faces) - 1, ROWS).astype(int))
    written = []
    for name, columns in sheets.items():
        path = folder / f"{name}.png"
        cells = [np.hstack([_cell(*show(int(index))) for show in columns]) for index in rows]
        done, data = cv2.imencode(".png", np.vstack(cells))
        assert done
        write_atomic(path, data.tobytes(), mode=0o600)
        written.append(path)
    return written


def _cell(image: Image, face: Face) -> Image:
    """Return a face and what lies around it, ``uint8 [112, 112, 3]``."""
    x, y = (face.box[:2] + face.box[2:]) / 2
    half = (0.5 + AROUND) * float((face.box[2:] - face.box[:2]).max())
    scale = CELL_PX / (2 * half)
    matrix = np.array([[scale, 0, (half - x) * scale], [0, scale, (half - y) * scale]])
    return np.asarray(cv2.warpAffine(image, matrix, (CELL_PX, CELL_PX)), np.uint8)
