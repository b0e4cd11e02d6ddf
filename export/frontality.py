"""How squarely a face looks at the camera, from the detector's landmarks.

A teacher for the quality score: of two frames of one person, the one that faces the camera is the
better, as ISO/IEC 29794-5 asks, even where a matcher does not mind.
"""

from __future__ import annotations

import numpy as np

from sealshot.runtime.types import Floats

FREE = 0.15
"""Turns up to this much cost nothing: about 15 degrees."""


def frontality(landmarks: Floats) -> float:
    """Return 0 for a face that looks at the camera, and less the further it is turned aside.

    In a face turned aside the nose leaves the middle between the eyes. The value is its distance
    from there beyond ``FREE``, in units of the distance between the eyes, negated.

    Args:
        landmarks: ``float32 [5, 2]``, as in :class:`~sealshot.runtime.types.Face`.
    """
    left, right, nose = landmarks[:3].astype(np.float64)
    along = right - left
    apart = max(float(np.hypot(*along)), 1.0)
    middle = (nose - (left + right) / 2) @ along / apart**2
    return -max(abs(float(middle)) - FREE, 0.0)
