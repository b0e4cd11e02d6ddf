"""MTCNN: three small networks, each of which looks closer at what the one before it let pass.

Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342. The P-net slides over an image pyramid
and proposes boxes, the R-net refines and rejects, the O-net gives final boxes and landmarks. The
weights are those of facenet-pytorch (`sealshot.export.mtcnn`), so the arithmetic is its arithmetic
too: boxes count pixels from 1 and include both ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import iou, square, suppress, suppress_nested
from sealshot.runtime.detect.image import checked
from sealshot.runtime.detect.sampling import MeanSampler, MipSampler, Sampler
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Floats, Image
from sealshot.runtime.weights import FOLDER

WINDOW_PX, RNET_PX, ONET_PX = 12, 24, 48  # what the networks look at
STRIDE_PX, COARSE_STRIDE_PX = 2, 4
LEVEL_OVERLAP, PYRAMID_OVERLAP, RNET_OVERLAP, ONET_OVERLAP = 0.5, 0.7, 0.7, 0.7
SAME_FACE_IOU = 0.5


@dataclass(frozen=True)
class Settings:
    """What trades fidelity for speed. The defaults are facenet-pytorch's."""

    factor: float = 0.709
    """Size of a pyramid level over that of the level before it."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """The score that lets a box pass the P-, R- and O-net."""
    coarse_levels: int = 0
    """Levels, from the largest on, where the P-net looks at a window every 4 pixels, not 2."""
    average: bool = False
    """Whether a face is the mean of all boxes that the O-net gave for it, or the best of them."""
    sampler: Callable[[Image], Sampler] = MeanSampler
    """How the image is shrunk to the levels and cut to crops."""


EXACT = Settings()
"""Box for box what facenet-pytorch finds."""
FAST = Settings(
    factor=0.65,
    thresholds=(0.7, 0.7, 0.7),
    coarse_levels=1,
    average=True,
    sampler=MipSampler,
)
"""A third of the time; `benchmarks/accuracy/detection.py` measures what it costs in recall."""


class Mtcnn:
    """MTCNN; its networks are small and many, so they run on the CPU."""

    def __init__(
        self, *, min_face_px: int = 36, threads: int = 0, settings: Settings = FAST
    ) -> None:
        if min_face_px < WINDOW_PX:
            raise InputError(
                f"MTCNN cannot look for faces of {min_face_px} px",
                hint=f"the smallest it can see is {WINDOW_PX} px wide",
            )
        self._min_face_px = min_face_px
        self._settings = settings
        networks: Iterator[Runner] = (
            OnnxRuntimeRunner(FOLDER / f"mtcnn_{name}.onnx", threads=threads)
            for name in ("pnet", "pnet_stride4", "rnet", "onet")
        )
        self._pnet, self._coarse_pnet, self._rnet, self._onet = networks

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        image = checked(image)
        size = np.asarray(image.shape[1::-1])
        sampler = self._settings.sampler(image)
        boxes = self._propose(sampler, size)
        boxes = self._refine(sampler, _touching(boxes, size))
        return self._finish(sampler, _touching(boxes, size))

    def _propose(self, sampler: Sampler, size: NDArray[np.int64]) -> Floats:
        """P-net over the pyramid: square boxes [n, 4]."""
        found = [np.empty((0, 9), np.float32)]  # box, score, offsets
        for index, scale in enumerate(self._scales(int(size.min()))):
            coarse = index < self._settings.coarse_levels
            pnet = self._coarse_pnet if coarse else self._pnet
            width, height = (size * scale + 1).astype(int).tolist()
            given = pnet.run({"image": sampler.level(width, height)[None]})
            score, offsets = given["score"], given["box"]
            y, x = np.nonzero(score[0] >= self._settings.thresholds[0])
            corner = np.stack([x, y], axis=1) * (COARSE_STRIDE_PX if coarse else STRIDE_PX)
            window = np.concatenate([corner + 1, corner + WINDOW_PX], axis=1).astype(np.float32)
            boxes = np.floor(window / np.float32(scale))
            scores = score[0, y, x]
            rows = np.concatenate([boxes, scores[:, None], offsets[0][:, y, x].T], axis=1)
            found.append(rows[suppress(boxes, scores, LEVEL_OVERLAP)])
        rows = np.concatenate(found)
        rows = rows[suppress(rows[:, :4], rows[:, 4], PYRAMID_OVERLAP)]
        return square(_move(rows[:, :4], rows[:, 5:], 0))

    def _scales(self, side_px: int) -> list[float]:
        """Sizes of the pyramid's levels over the image's, whose shorter side is given."""
        scales = []
        scale = WINDOW_PX / self._min_face_px
        while side_px * scale >= WINDOW_PX:
            scales.append(scale)
            scale *= self._settings.factor
        return scales

    def _refine(self, sampler: Sampler, boxes: Floats) -> Floats:
        """R-net: the boxes that may be faces, moved and squared [m, 4]."""
        if not len(boxes):
            return boxes
        crops = sampler.crops(_regions(boxes), RNET_PX)
        given = self._rnet.run({"image": crops})
        score, offsets = given["score"], given["box"]
        passed = np.flatnonzero(score > self._settings.thresholds[1])
        passed = passed[suppress(boxes[passed], score[passed], RNET_OVERLAP)]
        return square(_move(boxes[passed], offsets[passed], 1))

    def _finish(self, sampler: Sampler, boxes: Floats) -> list[Face]:
        """O-net: the faces."""
        if not len(boxes):
            return []
        regions = _regions(boxes)
        given = self._onet.run({"image": sampler.crops(regions, ONET_PX)})
        score, offsets, points = given["score"], given["box"], given["landmarks"]
        passed = score > self._settings.thresholds[2]
        score, boxes = score[passed], _move(boxes[passed], offsets[passed], 1)
        low, high = regions[passed, None, :2], regions[passed, None, 2:]
        points = low + points[passed] * (high - low)
        kept = suppress_nested(boxes + np.asarray([0, 0, 1, 1], np.float32), score, ONET_OVERLAP)
        if self._settings.average:
            weight = score * (iou(boxes[kept], boxes) > SAME_FACE_IOU)
            weight /= weight.sum(axis=1, keepdims=True)
            boxes_kept, points_kept = weight @ boxes, np.tensordot(weight, points, 1)
        else:
            boxes_kept, points_kept = boxes[kept], points[kept]
        return [
            Face(box, score, landmarks)
            for box, score, landmarks in zip(
                boxes_kept, score[kept].tolist(), points_kept, strict=True
            )
        ]


def _move(boxes: Floats, offsets: Floats, extra: float) -> Floats:
    """Move each side by its offset, which is in units of the box (``extra`` pixels larger)."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Floats = boxes + offsets * np.tile(size, 2)
    return moved


def _regions(boxes: Floats) -> Floats:
    """From boxes that count from 1 and include both ends to regions."""
    return boxes - np.asarray([1, 1, 0, 0], np.float32)


def _touching(boxes: Floats, size: NDArray[np.int64]) -> Floats:
    """Keep the boxes that have a pixel inside the image."""
    inside = (boxes[:, 2:] >= 1) & (np.trunc(boxes[:, :2]) <= size)
    return boxes[inside.all(axis=1)]
