"""Where a face lies in the square that the nets of style `face` see: upright, always as large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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


def similarity(source: Floats, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares similarity (turn, scale, shift; no mirror) from points to points.

    In complex numbers the map is ``a z + b``, and the two normal equations solve themselves.

    Args:
        source: ``[n, 2]``, n of 2 or more.
        target: ``[n, 2]``.

    Returns:
        ``float64 [2, 3]``, as ``cv2.warpAffine`` takes it.
    """
    z = np.asarray(source, float) @ [1, 1j]
    w = np.asarray(target, float) @ [1, 1j]
    centred = z - z.mean()
    spread = float((centred * centred.conj()).real.sum())
    a = (w * centred.conj()).sum() / spread if spread > 0 else complex(1)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
