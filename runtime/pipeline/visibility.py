"""How well the face of a shot is to be seen: told of a shot that is given out, and never counted.

What is told has the names of ISO/IEC 29794-5:2025 and, all but sharpness, its measures and its way
from them to 0 to 100, with five landmarks for its many: the face is an ellipse around them, and the
way between the eyes is not put right for a turned head. The measure of sharpness is our own, for
the standard's is a trained one that is not at hand.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.alignment import UPRIGHT, sample, similarity
from sealshot.runtime.types import Floats, Image

NAMES = (
    "sharpness",
    "luminance mean",
    "dynamic range",
    "over-exposure prevention",
    "illumination uniformity",
    "roll frontal alignment",
    "inter-eye distance",
)
"""As the standard calls what :func:`visibility` returns."""
WIDE, BROW = 2.0, 0.35
"""The square that is looked at, in units of the way between the eyes: its side, and how far its
upper edge is above them."""
HALF = 0.8, 0.92
"""Half the width and the height of the face in it, in these units."""
LIT_PX, SHARP_PX = 113, 32
"""Between the eyes: where light is measured, as in the standard, and where sharpness is."""
SIGMA, COARSE = 0.7, 4.0
"""Pixels: single ones are smoothed away before edges are sought; what is larger is contrast."""
SOFT, SHARP = 0.001, 0.2
"""Edges over contrast that count as 0 and as 100, and what lies between by its logarithm: about
what a blur of 4 px leaves of a face of 64, and what one photograph of twenty has."""
BRIGHTEST = 247
"""Luminance from which on a pixel is overexposed."""


def tell(image: Image, landmarks: Floats) -> str:
    """Say for people how well a face is to be seen; see :func:`visibility`."""
    numbers = zip(NAMES, visibility(image, landmarks).tolist(), strict=True)
    said = ", ".join(f"{name} {number:.0f}" for name, number in numbers)
    return f"{said} of 100 ({_apart(landmarks):.0f} px)"


def visibility(image: Image, landmarks: Floats) -> NDArray[np.float64]:
    """Return how well a face is to be seen, ``[7]`` in the order of :data:`NAMES`, 0 to 100.

    Args:
        image: ``uint8 [h, w, 3]`` BGR.
        landmarks: ``float32 [5, 2]``, pixels of it.
    """
    light = _luminance(image, landmarks)
    share = cv2.calcHist([light], [0], FACE, [256], [0, 256]).ravel() / np.count_nonzero(FACE)
    mean, some = float(share @ np.arange(256)) / 255, share[share > 0]
    across = (landmarks[1] - landmarks[0]).astype(float)
    return np.array(
        [
            _sharpness(image, landmarks),
            100 * _sigmoid(mean, 0.2, 0.05) * (1 - _sigmoid(mean, 0.8, 0.05)),
            12.5 * (some * np.log2(1 / some)).sum(),
            min(100.0, 1 / (share[BRIGHTEST:].sum() + 0.01)),
            100 * _alike(light) ** 0.3,
            100 * max(across[0], 0.0) ** 2 / max(across @ across, 1e-6),
            100 * _sigmoid(_apart(landmarks), 70, 20),
        ]
    )


def _apart(landmarks: Floats) -> float:
    """Return the way between the eyes, pixels."""
    return float(np.hypot(*(landmarks[1] - landmarks[0])))


def _sigmoid(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp((middle - value) / width)))


def _upright(image: Image, landmarks: Floats, apart: int) -> NDArray[np.uint8]:
    """Return the face in one colour, upright, its eyes so many pixels apart."""
    side = round(WIDE * apart)
    to_part = similarity(landmarks, apart * UPRIGHT)
    to_part[:, 2] += (side - 1) / 2, BROW * apart
    return sample(image, to_part, side, side)


def _of_light() -> Floats:
    """Return what each value of blue, green and red adds to the luminance, ``float32 [3, 256]``.

    Values of sRGB, as the light that they stand for (IEC 61966-2-1), weighed as ITU-R BT.709 does.
    """
    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.outer([0.0722, 0.7152, 0.2126], 255 * light).astype(np.float32)


OF_LIGHT = _of_light()


def _face() -> NDArray[np.uint8]:
    """Return where the face is in the square in which light is measured: 1 there, 0 beside it."""
    side = round(WIDE * LIT_PX)
    place = (np.arange(side) - (side - 1) / 2) / LIT_PX
    inside = (place / HALF[0]) ** 2 + (place[:, None] / HALF[1]) ** 2 <= 1
    return np.asarray(inside, np.uint8)


FACE = _face()


def _luminance(image: Image, landmarks: Floats) -> NDArray[np.uint8]:
    """Return the relative luminance of a face, 0 to 255: of light, and not of grey levels."""
    colours = (
        cv2.LUT(_upright(np.ascontiguousarray(colour), landmarks, LIT_PX), adds)
        for colour, adds in zip(np.moveaxis(image, 2, 0), OF_LIGHT, strict=True)
    )
    blue, green, red = colours
    return np.asarray(cv2.convertScaleAbs(cv2.add(cv2.add(blue, green), red)), np.uint8)


def _alike(light: NDArray[np.uint8]) -> float:
    """Return what the histograms of the cheeks have in common, 0 to 1."""
    side, top = round(0.3 * LIT_PX), round((BROW + UPRIGHT[3, 1] / 2) * LIT_PX)
    left = round((WIDE - 1) / 2 * LIT_PX)
    cheeks = (
        light[top : top + side, left : left + side],
        light[top : top + side, -left - side : -left],
    )
    both = [np.bincount(cheek.ravel(), minlength=256) for cheek in cheeks]
    return float(np.minimum(*both).sum() / side**2)


def _sharpness(image: Image, landmarks: Floats) -> float:
    """Return how sharp a face is, 0 to 100.

    The variance of the Laplacian, less what a picture of noise alone would have that has the same
    median, over the contrast of what is coarse: a dark or a pale face is none the less sharp.
    """
    grey = _upright(image, landmarks, SHARP_PX).astype(np.float32)
    edges = np.asarray(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), SIGMA), cv2.CV_32F))
    noise = (1.4826 * np.median(np.abs(edges))) ** 2
    contrast = np.var(cv2.GaussianBlur(grey, (0, 0), COARSE)) + 1
    ratio = max(float((edges.var() - noise) / contrast), 1e-6)
    return float(100 * np.clip(np.log(ratio / SOFT) / np.log(SHARP / SOFT), 0, 1))
