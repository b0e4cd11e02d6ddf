"""MTCNN: three small networks, each of which looks closer at what the one before it let pass.

Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342. The P-net slides over an image pyramid
and proposes boxes, the R-net refines and rejects, the O-net gives final boxes and landmarks. The
weights are those of facenet-pytorch (`sealshot.export.mtcnn`), so the arithmetic is its arithmetic
too: boxes count pixels from 1 and include both ends, until they leave as a Face.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sealshot.runtime.detect.boxes import nms, square
from sealshot.runtime.detect.image import check_image
from sealshot.runtime.onnx_session import open_session
from sealshot.runtime.types import Face, Floats, Image

MODELS = Path(__file__).resolve().parent.parent / "models"
WINDOW_PX, STRIDE_PX = 12, 2  # of the P-net
RNET_PX, ONET_PX = 24, 48


class Mtcnn:
    """MTCNN on ONNX Runtime."""

    def __init__(
        self,
        *,
        min_face_px: int = 36,
        threads: int = 0,
        factor: float = 0.709,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
    ) -> None:
        self._min_face_px = min_face_px
        self._factor = factor
        self._thresholds = thresholds
        self._pnet, self._rnet, self._onet = (
            open_session(MODELS / f"mtcnn_{name}.onnx", threads=threads)
            for name in ("pnet", "rnet", "onet")
        )

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        check_image(image)
        boxes = self._propose(image)
        boxes = self._refine(image, boxes)
        return self._finish(image, boxes)

    def _scales(self, height: int, width: int) -> list[float]:
        scales = []
        scale = WINDOW_PX / self._min_face_px
        while min(height, width) * scale >= WINDOW_PX:
            scales.append(scale)
            scale *= self._factor
        return scales

    def _propose(self, image: Image) -> Floats:
        """P-net over the pyramid: square boxes [n, 4]."""
        height, width = image.shape[:2]
        found = [np.empty((0, 9), np.float32)]  # box, score, offsets
        for scale in self._scales(height, width):
            size = int(width * scale + 1), int(height * scale + 1)
            level = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            score, offsets = self._pnet.run(None, {"image": level[None]})
            y, x = np.nonzero(score[0] >= self._thresholds[0])
            corner = np.stack([x, y], axis=1) * STRIDE_PX
            window = np.concatenate([corner + 1, corner + WINDOW_PX], axis=1)
            boxes = np.floor(window / scale).astype(np.float32)
            scores = score[0, y, x]
            rows = np.concatenate([boxes, scores[:, None], offsets[0][:, y, x].T], axis=1)
            found.append(rows[nms(boxes, scores, 0.5)])
        rows = np.concatenate(found)
        rows = rows[nms(rows[:, :4], rows[:, 4], 0.7)]
        return square(_move(rows[:, :4], rows[:, 5:], 0))

    def _refine(self, image: Image, boxes: Floats) -> Floats:
        """R-net: the boxes that may be faces, moved and squared [m, 4]."""
        boxes, crops = _crops(image, boxes, RNET_PX)
        if not len(boxes):
            return boxes
        score, offsets = self._rnet.run(None, {"image": crops})
        passed = np.flatnonzero(score > self._thresholds[1])
        passed = passed[nms(boxes[passed], score[passed], 0.7)]
        return square(_move(boxes[passed], offsets[passed], 1))

    def _finish(self, image: Image, boxes: Floats) -> list[Face]:
        """O-net: the faces."""
        boxes, crops = _crops(image, boxes, ONET_PX)
        if not len(boxes):
            return []
        score, offsets, landmarks = self._onet.run(None, {"image": crops})
        passed = score > self._thresholds[2]
        boxes, score = boxes[passed], score[passed]
        low, size = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2] + 1
        landmarks = low - 1 + landmarks[passed] * size
        boxes = _move(boxes, offsets[passed], 1)
        return [
            Face(boxes[i], float(score[i]), landmarks[i])
            for i in nms(boxes, score, 0.7, over="smaller")
        ]


def _move(boxes: Floats, offsets: Floats, extra: float) -> Floats:
    """Move each side by its offset, which is in units of the box (`extra` pixels larger)."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Floats = boxes + offsets * np.tile(size, 2)
    return moved


def _crops(image: Image, boxes: Floats, side: int) -> tuple[Floats, Image]:
    """Cut the part of each box that is inside the image and scale it to ``side``.

    Returns the boxes that have such a part, and the crops, uint8 [n, side, side, 3].
    """
    height, width = image.shape[:2]
    limits = np.trunc(boxes).astype(np.int64)
    low = np.maximum(limits[:, :2], 1) - 1
    high = np.minimum(limits[:, 2:], [width, height])
    inside = (high > low).all(axis=1)
    crops = np.empty((int(inside.sum()), side, side, 3), np.uint8)
    for crop, (x0, y0), (x1, y1) in zip(crops, low[inside], high[inside], strict=True):
        cv2.resize(image[y0:y1, x0:x1], (side, side), dst=crop, interpolation=cv2.INTER_AREA)
    return boxes[inside], crops
