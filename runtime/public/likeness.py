"""Following a face by what it looked like when it was found, where no net finds it."""

from __future__ import annotations

import cv2
import numpy as np

from sealshot.runtime.types import Floats, Image

SIDE_PX = 16
"""Of a face, as it is compared."""
REACH = 0.5
"""How far from where it is expected it may be, as a share of its size."""
LEAST = 0.6
"""Correlation from which on it is the same."""


class Likeness:
    """A face as it was when it was found."""

    def __init__(self, image: Image, box: Floats) -> None:
        """Take it from a picture, ``uint8 [h, w, 3]``, and its box in it, ``[4]``."""
        self._looked = _grey(image, box, 0.0)

    def find(self, image: Image, box: Floats) -> Floats | None:
        """Return the box where it is now; None where nothing looks like it.

        Args:
            image: a later picture, ``uint8 [h, w, 3]``.
            box: where it is expected, ``[4]``.
        """
        # normalised cross-correlation (Lewis 1995), which light that changes does not disturb
        alike = cv2.matchTemplate(_grey(image, box, REACH), self._looked, cv2.TM_CCOEFF_NORMED)
        _, best, _, place = cv2.minMaxLoc(alike)
        if not best >= LEAST:  # a face of one grey is like nothing
            return None
        by = (np.asarray(place, np.float32) / SIDE_PX - REACH) * (box[2:] - box[:2])
        return np.asarray(box + np.tile(by, 2), np.float32)


def _grey(image: Image, box: Floats, reach: float) -> Image:
    """Return a box and what is around it, grey, a face being ``SIDE_PX`` wide and high."""
    by, side = reach * (box[2:] - box[:2]), round((1 + 2 * reach) * SIDE_PX)
    left, top = np.floor(box[:2] - by).astype(int).tolist()
    right, bottom = np.ceil(box[2:] + by).astype(int).tolist()
    height, width = image.shape[:2]
    inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not inside.size:
        return np.zeros((side, side), np.uint8)
    grey = cv2.copyMakeBorder(
        cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY),
        max(-top, 0),
        max(bottom - height, 0),
        max(-left, 0),
        max(right - width, 0),
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
