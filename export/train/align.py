"""Where a face lies: the similarity that puts its landmarks where they are wanted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.alignment import similarity
from sealshot.runtime.types import Floats, Image

ALIGNED_PX = 32
INNER = np.array([[0.29, 0.33], [0.71, 0.33], [0.5, 0.56], [0.33, 0.8], [0.67, 0.8]])
"""Eyes, nose and corners of the mouth where the inner face fills the square."""


def align(image: Image, landmarks: Floats) -> NDArray[np.uint8]:
    """Return the inner face, upright and centred, ``uint8 [32, 32]`` grey.

    Args:
        image: ``uint8 [h, w, 3]`` BGR.
        landmarks: ``float32 [5, 2]``, as in :class:`~sealshot.runtime.types.Face`.
    """
    side = 2 * ALIGNED_PX  # sampled finely, then averaged
    fine = cv2.warpAffine(
        image,
        similarity(landmarks, INNER * side),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    grey = cv2.cvtColor(fine, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (ALIGNED_PX, ALIGNED_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
