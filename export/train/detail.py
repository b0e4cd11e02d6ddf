"""How much a face shows, and how much of that a degradation takes away.

Teachers for the quality score that need no label, no identity and no recogniser. Likelihood favours
what is simple (Serrà et al. 2020, "Input complexity and out-of-distribution detection with
likelihood-based generative models", who correct it by the compressed size): a smooth face is likely
and yet shows a matcher little.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INNER_FACE = np.s_[20:52, 18:46]
"""Rows and columns of the crop, from eyes to mouth: neither hair nor background counts."""
CONTRAST = 40.0
"""Standard deviation in grey levels that each inner face is brought to."""
FLATTEST = 3.0
"""Less contrast than this is not raised in full: it would be noise."""
JPEG_QUALITY = 90
FACE = np.s_[8:56, 10:54]
"""Rows and columns of the crop, from forehead to chin."""
FINE_PX = 3.0
"""Sigma, in px of the crop, of the blur that takes the fine structure away."""
FLAT = 1.0
"""Sum of squares below which there is no fine structure."""


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


def lost_detail(crop: NDArray[np.uint8], worse: NDArray[np.uint8]) -> float:
    """Return how much of a face's fine structure is lost: 1 less its correlation with what it was.

    Neither light nor contrast counts, nor what alignment undoes, as long as nothing is cut off or
    drowned. What a blur, a compression or a hand takes away is put on one scale by this.

    Args:
        crop: ``uint8 [64, 64]``.
        worse: the same crop after a degradation, the face in the same place.

    Returns:
        0, nothing is lost, to 1, all is.
    """
    before, after = _fine(crop), _fine(worse)
    shown, left = float((before * before).sum()), float((after * after).sum())
    if shown < FLAT:  # nothing can be lost
        return 0.0
    if left < FLAT:
        return 1.0
    return float(np.clip(1 - (before * after).sum() / np.sqrt(shown * left), 0, 1))


def _fine(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = crop.astype(np.float32)
    fine = (grey - cv2.GaussianBlur(grey, (0, 0), FINE_PX))[FACE]
    return np.asarray(fine - fine.mean(), np.float32)
