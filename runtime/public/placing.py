"""Where a face lies in the square that the nets of style `face` see: upright, always as large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.alignment import similarity
from sealshot.runtime.types import Floats

SIDE_PX = 64
LANDMARKS = 5
WANTED = np.array([[0.38, 0.43], [0.62, 0.43], [0.5, 0.56], [0.4, 0.69], [0.6, 0.69]]) * SIDE_PX
"""Eyes, nose and corners of the mouth: the face takes about five eighths of the side."""


def placing(landmarks: Floats) -> NDArray[np.float64]:
    """Return the map from a picture to the square, ``[2, 3]``, as ``cv2.warpAffine`` takes it.

    Args:
        landmarks: ``[5, 2]``, as in :class:`~sealshot.runtime.types.Face`.
    """
    return similarity(landmarks, WANTED)
