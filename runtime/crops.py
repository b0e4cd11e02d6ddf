"""From a frame and face boxes to what the score graph takes, and to what is kept for a person."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from sealshot.runtime.planes import Planes
from sealshot.runtime.types import Floats, Pixels

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


def cut(image: Pixels, x: int, y: int, side: int) -> NDArray[np.uint8]:
    """Cut a square out of an image ``[h, w, ...]``; outside of it the edge pixels are repeated."""
    h, w, *_ = image.shape
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
    edge = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return edge[np.ix_(rows - rows[0], columns - columns[0])]


def cut_inside(image: Pixels, x: int, y: int, side: int) -> NDArray[np.uint8]:
    """Return the part of a square that lies in the image ``[h, w, ...]``: one pixel at least."""
    h, w, *_ = image.shape
    x0, y0 = min(max(x, 0), w - 1), min(max(y, 0), h - 1)
    return image[y0 : max(y + side, y0 + 1), x0 : max(x + side, x0 + 1)]


def crop_resize_grey(image: Pixels, boxes: Sequence[Floats]) -> NDArray[np.uint8]:
    """Cut the input of the score graph out of a frame.

    The square around each box, without margin, grey, 64x64: area-resampled when shrinking, bilinear
    when growing.

    Args:
        image: ``uint8 [h, w, 3]`` BGR, or planes.
        boxes: n boxes ``float32 [4]``.

    Returns:
        ``uint8 [n, 1, 64, 64]``.
    """
    squares = [square(box) for box in boxes]
    if isinstance(image, Planes):
        planes = image.luma, image.blue, image.red
        parts = np.empty((3, len(boxes), CROP_PX, CROP_PX), np.uint8)
        for at, (x, y, side) in enumerate(squares):
            half = x // 2, y // 2, (side + 1) // 2
            for part, plane, where in zip(parts, planes, ((x, y, side), half, half), strict=True):
                _resize(cut(plane, *where), part[at])
        # below each other, as one picture
        grey = image.grey(cv2.merge([*parts.reshape(3, -1, CROP_PX)])) if squares else parts[0]
        return grey.reshape(-1, 1, CROP_PX, CROP_PX)
    crops = np.empty((len(boxes), 1, CROP_PX, CROP_PX), np.uint8)
    for crop, where in zip(crops, squares, strict=True):
        _resize(cv2.cvtColor(cut(image, *where), cv2.COLOR_BGR2GRAY), crop[0])
    return crops


def _resize(part: MatLike, into: MatLike) -> None:
    way = cv2.INTER_AREA if len(part) > CROP_PX else cv2.INTER_LINEAR
    cv2.resize(part, (CROP_PX, CROP_PX), into, interpolation=way)
