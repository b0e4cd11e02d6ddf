"""Noticing that pictures which are taken for a video have nothing to do with each other."""

from __future__ import annotations

from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Image

ENOUGH = 8
"""Pairs of neighbours by which a folder is judged; a shorter one by ``LEAST`` or more."""
LEAST = 4
SIDE_PX = 24
ALIKE = 0.5
"""Correlation of two thumbnails of one scene. Of a still camera's pictures a second apart the
median is .83 to 1, of unrelated photographs of faces .2 to .3."""


class Likeness:
    """Compares each picture with the one before it."""

    def __init__(self) -> None:
        self._before: NDArray[np.float64] | None = None
        self._found: list[float] = []

    def add(self, image: Image) -> bool:
        """Look at a picture; return True once, when there are enough to judge by."""
        if len(self._found) == ENOUGH:
            return False
        small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        thumbnail = np.asarray(small, np.float64).ravel()
        thumbnail -= thumbnail.mean()
        if self._before is not None:
            length = float(np.linalg.norm(thumbnail) * np.linalg.norm(self._before))
            # pictures without any content are alike
            self._found.append(float(thumbnail @ self._before) / length if length else 1.0)
        self._before = thumbnail
        return len(self._found) == ENOUGH

    @property
    def is_missing(self) -> bool:
        """Whether the pictures seem to be of different scenes."""
        return len(self._found) >= LEAST and median(self._found) < ALIKE
