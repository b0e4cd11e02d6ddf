"""How much of a person a learned way back brings from a drawn face: the paper's U_d, an outsider's.

The outsider has what everybody has who was given the net that draws: that net, and photos of his
own. He draws over them, trains a net of his own to undo it, and knows nothing of the other.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.deid.pictures import FACE_PX, image_of, planes_of, scaled
from sealshot.benchmarks.accuracy.deid.recognition import Judge, distances
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.public.cover import Plane, around, cover
from sealshot.runtime.public.painter import DRAWN_OVER, Painter
from sealshot.runtime.public.picture import frame_of
from sealshot.runtime.public.picture import planes_of as planes_in
from sealshot.runtime.public.square import ALPHA, squares
from sealshot.runtime.public.undo import Undoer
from sealshot.runtime.types import Face, Image

CARRIED: tuple[int | None, ...] = (None, 18, 23, 28)
"""H.264's constant rate factors; None is without loss."""
FORMAT = "yuv420p"


@dataclass(frozen=True)
class Undone:
    """How well one net undoes drawn faces after one codec."""

    by: str
    crf: int | None
    psnr_db: float
    """Of the brightness, where a drawing is not blended with what lies around it."""
    match: float
    """Share that match the picture they were drawn over, at the limit of plain faces."""


def undone(judge: Judge, painter: Painter, undoers: Mapping[str, Undoer]) -> list[Undone]:
    """Measure nets that undo what a painter draws."""
    names = [(by, crf) for by in undoers for crf in CARRIED]
    errors: dict[tuple[str, int | None], list[float]] = {name: [] for name in names}
    seen: dict[tuple[str, int | None], list[NDArray[np.float32]]] = {name: [] for name in names}
    count = len(judge.faces)
    with progress("undoing", count) as bar:
        for index in range(count):
            image, face = scaled(judge.faces.view(index), FACE_PX)
            plain, drawn = drawn_planes(image, face, painter, index)
            for crf in CARRIED:
                carried = coded(drawn, crf)
                for by, undoer in undoers.items():
                    guess = [plane.copy() for plane in carried]
                    undoer.undo(guess, [face])
                    errors[by, crf].append(_error(plain, guess, face))
                    aligned = judge.matcher.align(image_of(guess), face.landmarks)
                    seen[by, crf].append(judge.matcher.embed([aligned])[0])
            bar.update(index + 1)
    rows = []
    for by, crf in names:
        away = np.diagonal(distances(judge.plain, np.stack(seen[by, crf])))
        decibel = -10 * np.log10(np.mean(errors[by, crf]))
        rows.append(Undone(by, crf, float(decibel), float(np.mean(away <= judge.limit))))
    return rows


def drawn_planes(
    image: Image, face: Face, painter: Painter, track: int
) -> tuple[Sequence[Plane], Sequence[Plane]]:
    """Return the planes of a picture, and the same with its face drawn over."""
    plain = planes_of(image)
    drawn = cover(plain, [around(face.box)], DRAWN_OVER)
    painter.paint(plain, drawn, [(track, Face(face.box, 1.0, face.landmarks))])
    return plain, drawn


def coded(planes: Sequence[Plane], crf: int | None) -> Sequence[Plane]:
    """Return what H.264 leaves of a picture; all of it where ``crf`` is None."""
    if crf is None:
        return planes
    height, width = planes[0].shape
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf)})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, FORMAT
        container.mux(stream.encode(frame_of(planes, FORMAT)))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        return [plane.copy() for plane in planes_in(next(container.decode(video=0)))]


def _error(plain: Sequence[Plane], guess: Sequence[Plane], face: Face) -> float:
    """Return the mean squared error of the brightness, of 1, where the drawing is whole."""
    (square,) = squares(plain, [face])
    off = (square.cut(plain)[0].astype(float) - square.cut(guess)[0]) / 255
    return float(np.square(off[ALPHA == 1]).mean())
