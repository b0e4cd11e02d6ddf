"""From a frame and face boxes to what the score graph takes, and to what is kept for a person."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats, Image

CROP_PX = 64


def square(box: Floats, margin: float = 0.0) -> tuple[int, int, int]:
    """Return ``(x, y, side)`` of the square around a box, whole pixels.

    Args:
        box: ``float32 [4]``, ``x0, y0, x1, y1``.
        margin: added on each side, as a share of the square's side.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(x1 - x0, y1 - y0) * (1 + 2 * margin)
    pixels = max(1, round(side))
    return round((x0 + x1 - pixels) / 2), round((y0 + y1 - pixels) / 2), pixels


def cut(image: NDArray[np.uint8], x: int, y: int, side: int) -> NDArray[np.uint8]:
    """Cut a square out of an image ``[h, w, ...]``; outside of it the edge pixels are repeated."""
    h, w = image.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, w), min(y + side, h)
    if x0 < x1 and y0 < y1:
        part = image[y0:y1, x0:x1]
        if part.shape[:2] == (side, side):
            return part
        padded = cv2.copyMakeBorder(
            part, y0 - y, y + side - y1, x0 - x, x + side - x1, cv2.BORDER_REPLICATE
        )
        return np.asarray(padded, np.uint8)
    rows = np.clip(np.arange(y, y + side), 0, h - 1)
    columns = np.clip(np.arange(x, x + side), 0, w - 1)
    return image[np.ix_(rows, columns)]


def cut_inside(image: NDArray[np.uint8], x: int, y: int, side: int) -> NDArray[np.uint8]:
    """Return the part of a square that lies in the image ``[h, w, ...]``: one pixel at least."""
    h, w = image.shape[:2]
    x0, y0 = min(max(x, 0), w - 1), min(max(y, 0), h - 1)
    return image[y0 : max(y + side, y0 + 1), x0 : max(x + side, x0 + 1)]


def crop_resize_grey(image: Image, boxes: Sequence[Floats]) -> NDArray[np.uint8]:
    """Cut the input of the score graph out of a frame.

    The square around each box, without margin, grey, 64x64: area-resampled when shrinking, bilinear
    when growing.

    Args:
        image: ``uint8 [h, w, 3]`` BGR.
        boxes: n boxes ``float32 [4]``.

    Returns:
        ``uint8 [n, 1, 64, 64]``.
    """
    crops = np.empty((len(boxes), 1, CROP_PX, CROP_PX), np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        x, y, side = square(box)
        grey = cv2.cvtColor(cut(image, x, y, side), cv2.COLOR_BGR2GRAY)
        shrink = side > CROP_PX
        cv2.resize(
            grey,
            (CROP_PX, CROP_PX),
            dst=crop[0],
            interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
        )
    return crops
