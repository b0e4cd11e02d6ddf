"""Arithmetic on boxes: float32 rows of ``x0, y0, x1, y1``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats

TINY = np.finfo(np.float32).tiny


def iou(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union [n, m] of each of ``boxes`` [n, 4] and ``others`` [m, 4]."""
    shared = _shared(boxes, others)
    return _share(shared, _area(boxes)[:, None] + _area(others)[None] - shared)


def nested(boxes: Floats, others: Floats) -> Floats:
    """Intersection over the smaller of two [n, m], of ``boxes`` [n, 4] and ``others`` [m, 4]."""
    smaller = np.minimum(_area(boxes)[:, None], _area(others)[None])
    return _share(_shared(boxes, others), smaller)


def suppress(
    boxes: Floats, scores: Floats, overlap: float, kinds: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Non-maximum suppression: drop each box whose IoU with a better one is above ``overlap``.

    Args:
        boxes: ``[n, 4]``.
        scores: ``[n]``.
        overlap: see above.
        kinds: ``[n]``; only boxes of one kind drop each other. None: all are of one.

    Returns:
        Indices of the kept boxes, best score first.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    corner_and_size = boxes.astype(np.float64)
    corner_and_size[:, 2:] -= corner_and_size[:, :2]
    if kinds is None:
        kept = cv2.dnn.NMSBoxes(corner_and_size, scores, 0.0, overlap)  # type: ignore[arg-type]
    else:
        kept = cv2.dnn.NMSBoxesBatched(corner_and_size, scores, kinds.tolist(), 0.0, overlap)  # type: ignore[arg-type]
    return np.asarray(kept, np.intp)


def suppress_nested(boxes: Floats, scores: Floats, overlap: float) -> NDArray[np.intp]:
    """Like :func:`suppress`, with the intersection measured against the smaller box."""
    covered = nested(boxes, boxes) > overlap
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        if not covered[i, kept].any():
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
    area: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def _shared(boxes: Floats, others: Floats) -> Floats:
    """Area [n, m] that each of ``boxes`` has in common with each of ``others``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    sides = np.maximum(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - low, 0)
    shared: Floats = sides[:, :, 0] * sides[:, :, 1]
    return shared


def _share(part: Floats, whole: Floats) -> Floats:
    """Return ``part`` over ``whole``; where there is no whole there is no part."""
    share: Floats = part / np.maximum(whole, TINY)
    return share
