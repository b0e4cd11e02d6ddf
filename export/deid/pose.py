"""How a head is turned, from five landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats

HEAD_MM = np.array(
    [[-31.5, -33, 27], [31.5, -33, 27], [0, 0, 0], [-25, 30, 18], [25, 30, 18]], float
)
"""Eyes, tip of the nose, corners of the mouth of a common head; x to the right, y down, z away from
the camera."""


def pose(landmarks: Floats) -> NDArray[np.float64]:
    """Return yaw, pitch and roll in radians, under scaled orthographic projection.

    The best affine map of the head to the picture is made a rotation: its two rows are the first
    two axes of the camera, scaled (DeMenthon, Davis 1995).

    Args:
        landmarks: ``[5, 2]``, as in :class:`~sealshot.runtime.types.Face`.
    """
    points = np.asarray(landmarks, float)
    head = HEAD_MM - HEAD_MM.mean(0)
    rows = np.linalg.lstsq(head, points - points.mean(0), rcond=None)[0].T  # [2, 3]
    left, _, right = np.linalg.svd(rows, full_matrices=False)
    x, y = left @ right
    z = np.cross(x, y)
    return np.array(
        [np.arctan2(x[2], z[2]), np.arcsin(np.clip(-y[2], -1, 1)), np.arctan2(y[0], y[1])]
    )
