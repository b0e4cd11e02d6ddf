"""How much a face shows: what JPEG needs to code the inner face at equal contrast.

A teacher for the quality score that needs no label, no identity and no recogniser. Likelihood
favours what is simple (Serrà et al. 2020, "Input complexity and out-of-distribution detection with
likelihood-based generative models", who correct it by the compressed size): a smooth face is likely
and yet shows a matcher little. From eyes to mouth only, so that hair and background do not count.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INNER_FACE = np.s_[20:52, 18:46]
"""Rows and columns of the crop."""
CONTRAST = 40.0
"""Standard deviation in grey levels that each inner face is brought to."""
FLATTEST = 3.0
"""Less contrast than this is not raised in full: it would be noise."""
JPEG_QUALITY = 90


def detail(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the size of each inner face as a JPEG, in bytes.

    Args:
        crops: ``uint8 [n, 1, 64, 64]``.

    Returns:
        ``float64 [n]``, higher shows more.
    """
    return np.array([_jpeg_bytes(crop[0][INNER_FACE]) for crop in crops], np.float64)


def _jpeg_bytes(face: NDArray[np.uint8]) -> int:
    grey = face.astype(np.float32)
    grey = 128 + (grey - grey.mean()) * (CONTRAST / max(float(grey.std()), FLATTEST))
    pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return len(coded)
