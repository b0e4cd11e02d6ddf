"""Arithmetic on boxes: rows of ``x0, y0, x1, y1``."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats


def nms(
    boxes: Floats, scores: Floats, overlap: float, *, over: Literal["union", "smaller"] = "union"
) -> NDArray[np.intp]:
    """Non-maximum suppression: drop each box that overlaps a better one too much.

    Args:
        boxes: ``float32 [n, 4]``.
        scores: ``float32 [n]``.
        overlap: the largest overlap that two kept boxes may have.
        over: what the intersection is divided by: the union, or the smaller of both boxes.

    Returns:
        Indices of the kept boxes, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    x0, y0, x1, y1 = boxes[order].T
    area = (x1 - x0) * (y1 - y0)
    left = np.arange(len(order))
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x1[best], x1[left]) - np.maximum(x0[best], x0[left])
        height = np.minimum(y1[best], y1[left]) - np.maximum(y0[best], y0[left])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        if over == "union":
            whole = area[best] + area[left] - shared
        else:
            whole = np.minimum(area[best], area[left])
        left = left[shared <= overlap * whole]
    return order[np.asarray(kept, np.intp)]


def square(boxes: Floats) -> Floats:
    """Grow each box to a square around its centre."""
    low, high = boxes[:, :2], boxes[:, 2:]
    side = (high - low).max(axis=1, keepdims=True)
    low = (low + high - side) / 2
    return np.concatenate([low, low + side], axis=1)
