"""Privacy masks: parts of the picture that nothing may look at, black before anything does."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.planes import Planes
from sealshot.runtime.types import Image, Pixels

Polygon = Sequence[tuple[float, float]]
"""Corners: shares of the width, from the left, and of the height, from the top."""


class Mask:
    """Blackens parts of each picture of a source, whatever its size.

    Corners are rounded to the next pixel. The edge of a mask is black, that of a zone is not; of
    planes a pixel beside what is black may be grey.

    Args:
        masks: polygons that are black.
        zones: where there are any, what is outside of all of them is black, too.
    """

    def __init__(self, masks: Sequence[Polygon], zones: Sequence[Polygon] = ()) -> None:
        self._masks, self._zones = masks, zones
        self._covered: NDArray[np.bool_] = np.empty((0, 0), np.bool_)

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return the picture with the polygons black; the one that is given stays as it is."""
        height, width, _ = pixels.shape
        if self._covered.shape != (height, width):  # a camera may change its size
            self._covered = self._draw(height, width)
        if isinstance(pixels, Planes):
            return pixels.blackened(self._covered)
        masked: Image = pixels.copy()
        masked[self._covered] = 0
        return masked

    def _draw(self, height: int, width: int) -> NDArray[np.bool_]:
        covered = np.full((height, width), bool(self._zones), np.uint8)
        for polygons, value in ((self._zones, 0), (self._masks, 1)):
            for polygon in polygons:
                shares = np.asarray(polygon, np.float64)  # [corners, 2]
                corners = np.rint(shares * (width, height)).astype(np.int32)
                cv2.fillPoly(covered, [corners], value)  # its edge included
        return covered.astype(bool)
