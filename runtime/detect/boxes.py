"""Arithmetic on boxes: float32 rows of ``x0, y0, x1, y1``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats


def iou(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union [n, m] of each of ``boxes`` [n, 4] and ``others`` [m, 4]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    whole = _area(boxes)[:, None] + _area(others)[None] - shared
    result: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return result


def suppress(boxes: Floats, scores: Floats, overlap: float) -> NDArray[np.intp]:
    """Non-maximum suppression: drop each box whose IoU with a better one is above ``overlap``.

    Returns:
        Indices of the kept boxes, best score first.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    corner_and_size = boxes.astype(np.float64)
    corner_and_size[:, 2:] -= corner_and_size[:, :2]
    kept = cv2.dnn.NMSBoxes(corner_and_size, scores, 0.0, overlap)  # type: ignore[arg-type]
    return np.asarray(kept, np.intp)


def suppress_nested(boxes: Floats, scores: Floats, overlap: float) -> NDArray[np.intp]:
    """Like :func:`suppress`, with the intersection measured against the smaller box."""
    kept: list[int] = []
    low, high = boxes[:, :2], boxes[:, 2:]
    area = _area(boxes)
    for i in np.argsort(-scores, kind="stable").tolist():
        sides = np.minimum(high[i], high[kept]) - np.maximum(low[i], low[kept])
        shared = np.maximum(sides, 0).prod(axis=1)
        if np.all(shared <= overlap * np.minimum(area[i], area[kept])):
            kept.append(i)
    return np.asarray(kept, np.intp)


def square(boxes: Floats) -> Floats:
    """Grow each box to a square around its centre."""
    low, high = boxes[:, :2], boxes[:, 2:]
    side = (high - low).max(axis=1, keepdims=True)
    low = (low + high - side) / 2
    return np.concatenate([low, low + side], axis=1)


def scaled(boxes: Floats, size: float) -> Floats:
    """Grow or shrink each box around its centre to ``size`` times its size."""
    more = (boxes[:, 2:] - boxes[:, :2]) * np.float32((size - 1) / 2)
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def _area(boxes: Floats) -> Floats:
    area: Floats = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return area
