"""How squarely a face looks at the camera, from the detector's landmarks.

Teachers for the quality score: of two frames of one person, the one that faces the camera is the
better, as ISO/IEC 29794-5 asks, even where a matcher does not mind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats

FREE = 0.15
"""Turns aside up to this much cost nothing: about 15 degrees."""


def frontality(landmarks: Floats) -> NDArray[np.float64]:
    """Return 0 for faces that look at the camera, and less the further they are turned aside.

    In a face turned aside the nose leaves the middle between the eyes. The value is its distance
    from there beyond ``FREE``, in units of the distance between the eyes, negated.

    Args:
        landmarks: ``float32 [n, 5, 2]``, as in :class:`~sealshot.runtime.types.Face`.

    Returns:
        ``float64 [n]``.
    """
    nose, _ = _nose_and_mouth(landmarks)
    return -np.maximum(np.abs(nose.real) - FREE, 0.0)


def roll_deg(landmarks: Floats) -> NDArray[np.float64]:
    """Return how far the line of the eyes is from level.

    Args:
        landmarks: ``float32 [n, 5, 2]``, as in :class:`~sealshot.runtime.types.Face`.

    Returns:
        ``float64 [n]``, degrees; above 0 where the eye on the right of the picture is the lower.
    """
    right, down = np.moveaxis(np.asarray(landmarks[:, 1] - landmarks[:, 0], np.float64), -1, 0)
    return np.asarray(np.degrees(np.arctan2(down, right)))


def levelness(landmarks: Floats) -> NDArray[np.float64]:
    """Return 0 for faces that look neither up nor down, and less the more they do.

    In a face that looks up or down the nose comes nearer to the eyes or to the mouth. Where it is
    in a level face depends on how the pictures were taken: the median of them all says.

    Args:
        landmarks: ``float32 [n, 5, 2]``, of one set of pictures.

    Returns:
        ``float64 [n]``, minus the nose's distance from there, as a share of the way to the mouth.
    """
    nose, mouth = _nose_and_mouth(landmarks)
    height = nose.imag / np.maximum(mouth.imag, 0.1)
    return -np.abs(height - np.median(height))


def _nose_and_mouth(landmarks: Floats) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Nose and mouth from the middle between the eyes: along the eyes, and down from them."""
    points = np.asarray(landmarks, np.float64) @ np.array([1, 1j])  # [n, 5]
    left, right, nose, *mouth = points.T
    along = right - left
    apart = np.maximum(np.abs(along), 1.0)
    to_face = along.conj() / apart**2
    middle = (left + right) / 2
    return (nose - middle) * to_face, (sum(mouth) / 2 - middle) * to_face
