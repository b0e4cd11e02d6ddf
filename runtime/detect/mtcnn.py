"""MTCNN: three small networks, each of which looks closer at what the one before it let pass.

Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342. The P-net slides over an image pyramid
and proposes boxes, the R-net refines and rejects, the O-net gives final boxes and landmarks. The
weights are those of facenet-pytorch (`sealshot.export.mtcnn`), so the arithmetic is its arithmetic
too: boxes count pixels from 1 and include both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealshot.runtime.detect.boxes import square, suppress, suppress_nested
from sealshot.runtime.detect.image import check_image
from sealshot.runtime.detect.sampling import MeanSampler, MipSampler, Sampler
from sealshot.runtime.onnx_session import open_session
from sealshot.runtime.types import Face, Floats, Image

MODELS = Path(__file__).resolve().parent.parent / "models"
WINDOW_PX, STRIDE_PX = 12, 2  # of the P-net
RNET_PX, ONET_PX = 24, 48


@dataclass(frozen=True)
class Settings:
    """What trades speed for recall."""

    factor: float = 0.709
    """Size of a pyramid level over that of the level before it."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """The score that lets a box pass the P-, R- and O-net."""
    overlaps: tuple[float, float, float] = (0.5, 0.7, 0.7)
    """The IoU of two boxes that may both stay: in a level, between levels, after the R-net."""
    sampler: type[MeanSampler] | type[MipSampler] = MeanSampler


EXACT = Settings()
FAST = Settings(sampler=MipSampler)


class Mtcnn:
    """MTCNN on ONNX Runtime."""

    def __init__(
        self, *, min_face_px: int = 36, threads: int = 0, settings: Settings = FAST
    ) -> None:
        self._min_face_px = min_face_px
        self._settings = settings
        self._pnet, self._rnet, self._onet = (
            open_session(MODELS / f"mtcnn_{name}.onnx", threads=threads)
            for name in ("pnet", "rnet", "onet")
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        check_image(image)
        size = np.asarray(image.shape[1::-1])
        sampler = self._settings.sampler(image)
        boxes = self._propose(sampler, size)
        boxes = self._refine(sampler, _touching(boxes, size))
        return self._finish(sampler, _touching(boxes, size))

    def _propose(self, sampler: Sampler, size) -> Floats:
        """P-net over the pyramid: square boxes [n, 4]."""
        found = [np.empty((0, 9), np.float32)]  # box, score, offsets
        scale = WINDOW_PX / self._min_face_px
        width, height = size.tolist()
        while min(width, height) * scale >= WINDOW_PX:
            level = sampler.level(int(width * scale + 1), int(height * scale + 1))
            score, offsets = self._pnet.run(None, {"image": level[None]})
            y, x = np.nonzero(score[0] >= self._settings.thresholds[0])
            corner = np.stack([x, y], axis=1) * STRIDE_PX
            window = np.concatenate([corner + 1, corner + WINDOW_PX], axis=1)
            boxes = np.floor(window.astype(np.float32) / np.float32(scale))
            scores = score[0, y, x]
            rows = np.concatenate([boxes, scores[:, None], offsets[0][:, y, x].T], axis=1)
            found.append(rows[suppress(boxes, scores, self._settings.overlaps[0])])
            scale *= self._settings.factor
        rows = np.concatenate(found)
        rows = rows[suppress(rows[:, :4], rows[:, 4], self._settings.overlaps[1])]
        return square(_move(rows[:, :4], rows[:, 5:], 0))

    def _refine(self, sampler: Sampler, boxes: Floats) -> Floats:
        """R-net: the boxes that may be faces, moved and squared [m, 4]."""
        if not len(boxes):
            return boxes
        crops = sampler.crops(_regions(boxes), RNET_PX)
        score, offsets = self._rnet.run(None, {"image": crops})
        passed = np.flatnonzero(score > self._settings.thresholds[1])
        passed = passed[suppress(boxes[passed], score[passed], self._settings.overlaps[2])]
        return square(_move(boxes[passed], offsets[passed], 1))

    def _finish(self, sampler: Sampler, boxes: Floats) -> list[Face]:
        """O-net: the faces."""
        if not len(boxes):
            return []
        crops = sampler.crops(_regions(boxes), ONET_PX)
        score, offsets, landmarks = self._onet.run(None, {"image": crops})
        passed = score > self._settings.thresholds[2]
        boxes, score = boxes[passed], score[passed]
        regions = _regions(boxes)[:, None]
        landmarks = regions[..., :2] + landmarks[passed] * (regions[..., 2:] - regions[..., :2])
        boxes = _move(boxes, offsets[passed], 1)
        return [
            Face(boxes[i], float(score[i]), landmarks[i])
            for i in suppress_nested(boxes, score, 0.7)
        ]


def _move(boxes: Floats, offsets: Floats, extra: float) -> Floats:
    """Move each side by its offset, which is in units of the box (`extra` pixels larger)."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Floats = boxes + offsets * np.tile(size, 2)
    return moved


def _regions(boxes: Floats) -> Floats:
    """From boxes that count from 1 and include both ends to regions."""
    return boxes - np.asarray([1, 1, 0, 0], np.float32)


def _touching(boxes: Floats, size) -> Floats:
    """Keep the boxes that have a pixel inside the image."""
    inside = (boxes[:, 2:] >= 1) & (np.trunc(boxes[:, :2]) <= size)
    return boxes[inside.all(axis=1)]
