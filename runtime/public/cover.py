"""Covering: from the planes of a picture and regions to planes in which the regions show nobody.

What is left of a region is a function of a few means, one for each cell of a grid whose cells are
tied to the size of the face and never to the size of the picture: a large face shows no more of
itself than a small one. `sealshot bench deid` measures what a face matcher still makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.unsignedinteger[Any]]
Style = Literal["mosaic", "blur", "solid"]
STYLES: tuple[Style, ...] = ("mosaic", "blur", "solid")
DEFAULT_STYLE: Style = "mosaic"

CELLS_A_FACE = 4
"""Cells from one side of a face to the other."""
MARGIN = 0.3
"""Added to a face on each side, as a share of its larger side: a detector's box leaves out hair and
ears, and is a little off."""
ALIGN_PX = 2
"""Regions begin and end at whole pixels of subsampled planes."""


@dataclass(frozen=True, slots=True)
class Region:
    """What is to be covered of one picture: a rectangle that holds one face."""

    box: tuple[float, float, float, float]
    """``x0, y0, x1, y1`` in pixels of the first plane; may reach outside of it."""
    face_px: float
    """The smaller side of the face in it, in pixels of the first plane."""
    track: int = 0
    """Whose it is; 0 where that is not known."""


def around(box: NDArray[np.floating], grown_px: NDArray[np.floating] | float = 0.0) -> Region:
    """Return the region of a face.

    Args:
        box: ``[4]``, the face as a detector finds it.
        grown_px: added on each side, beside :data:`MARGIN`; a number, or ``[2]`` for x and y.
    """
    x0, y0, x1, y1 = margined(box, grown_px).tolist()
    return Region((x0, y0, x1, y1), float((box[2:] - box[:2]).min()))


def margined(
    boxes: NDArray[np.floating], grown_px: NDArray[np.floating] | float = 0.0
) -> NDArray[np.floating]:
    """Return boxes ``[..., 4]`` with :data:`MARGIN` and so much more on each side."""
    low, high = boxes[..., :2], boxes[..., 2:]
    grown = grown_px + MARGIN * (high - low).max(axis=-1, keepdims=True)
    return np.concatenate([low - grown, high + grown], axis=-1)


def cover(
    planes: Sequence[Plane],
    regions: Iterable[Region],
    style: Style,
    into: Sequence[Plane] | None = None,
) -> tuple[Plane, ...]:
    """Return planes whose regions are covered.

    Args:
        planes: ``uint8`` or ``uint16`` ``[h, w]``, of Y, U and V, or of grey; a later plane may be
            of half the width and height, rounded up.
        regions: in any order; they may overlap.
        style: ``mosaic`` shows the mean of each cell; ``blur`` the same means with soft edges, so
            that it tells nothing more; ``solid`` is one grey and tells nothing.
        into: planes of the same form in which they are to be, maybe those that are given; None
            makes new ones.
    """
    covered = tuple(map(np.empty_like, planes) if into is None else into)
    for plane, shown in zip(planes, covered, strict=True):
        if shown is not plane:
            shown[:] = plane
    height, width = covered[0].shape
    # how many pixels of the first plane one of each plane stands for: 1 or 2
    steps = [(round(width / plane.shape[1]), round(height / plane.shape[0])) for plane in covered]
    # the coarsest cells come last, so that they decide where regions overlap
    for region in sorted(regions, key=lambda region: region.face_px):
        rectangle = inside(region, width, height)
        if rectangle is None:
            continue
        x0, y0, x1, y1 = rectangle
        cell = max(region.face_px / CELLS_A_FACE, 2.0)
        cells = max(1, math.floor((x1 - x0) / cell)), max(1, math.floor((y1 - y0) / cell))
        for plane, (step_x, step_y) in zip(covered, steps, strict=True):
            part = plane[
                y0 // step_y : -(-y1 // step_y),
                x0 // step_x : -(-x1 // step_x),
            ]
            part[:] = _hidden(part, cells, style)
    return covered


def inside(region: Region, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return what of a region is covered: whole pixels, by ``ALIGN_PX``; None if it is outside."""
    x0, y0, x1, y1 = region.box
    left, top = (max(0, math.floor(v / ALIGN_PX) * ALIGN_PX) for v in (x0, y0))
    right = min(width, math.ceil(x1 / ALIGN_PX) * ALIGN_PX)
    bottom = min(height, math.ceil(y1 / ALIGN_PX) * ALIGN_PX)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _hidden(part: Plane, cells: tuple[int, int], style: Style) -> Plane:
    height, width = part.shape
    if style == "solid":
        return np.full_like(part, _middle(part))
    cells = min(cells[0], width), min(cells[1], height)
    means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA).reshape(cells[::-1])
    enlarge = cv2.INTER_LINEAR if style == "blur" else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(means, (width, height), interpolation=enlarge), part.dtype)


def _middle(part: Plane) -> int:
    """Return grey: the middle of 8 bits, or of the 10 bits that fill two bytes in part."""
    return 128 if part.dtype == np.uint8 else 512
