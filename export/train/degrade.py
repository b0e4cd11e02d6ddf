"""Ways in which a face crop gets worse, by severity: 0 is as it is, 1 is barely a face.

They teach the quality score which of two pictures of one face is the worse, and by how much
(:func:`sealshot.export.train.detail.lost_detail`). All work on the context of a crop, so that a
turned or shifted crop shows what really is there, and beyond the context its edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.crops import CROP_PX

Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Worse:
    """A crop after a degradation."""

    crop: Grey
    """``uint8 [64, 64]``."""
    in_place: Grey
    """``uint8 [64, 64]``: the face where it was before, if the degradation moved it; what is then
    unknown is of one grey."""


Degradation = Callable[[Grey, float, np.random.Generator], Worse]
"""Takes the context ``uint8 [112, 112]``, the severity and randomness."""


def centre(context: Grey) -> Grey:
    """Return the crop in the middle of a context."""
    edge = (len(context) - CROP_PX) // 2
    return context[edge : edge + CROP_PX, edge : edge + CROP_PX]


def _clip(pixels: NDArray[np.number]) -> Grey:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


def _unmoved(pixels: NDArray[np.number]) -> Worse:
    crop = _clip(pixels)
    return Worse(crop, crop)


def gaussian_blur(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Blur with sigma up to 5 px."""
    return _unmoved(centre(np.asarray(cv2.GaussianBlur(context, (0, 0), 0.1 + 4.9 * severity))))


def motion_blur(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Blur along a line of up to 20 px, in any direction."""
    length, angle = 1 + 19 * severity, rng.uniform(0, math.pi)
    size = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((size, size), np.float32)
    middle = size // 2
    reach = length / 2 * np.linspace(-1, 1, 4 * size)
    at = np.stack([middle + reach * math.sin(angle), middle + reach * math.cos(angle)])
    low = np.floor(at).astype(int)
    part = at - low
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (part[0] if dy else 1 - part[0]) * (part[1] if dx else 1 - part[1])
        rows, columns = np.clip(low[0] + dy, 0, size - 1), np.clip(low[1] + dx, 0, size - 1)
        np.add.at(kernel, (rows, columns), share.astype(np.float32))
    return _unmoved(centre(np.asarray(cv2.filter2D(context, -1, kernel / kernel.sum()))))


def shrink(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Shrink up to 8 times and enlarge again, as a face far away."""
    crop = centre(context)
    small = max(8, round(CROP_PX / 8**severity))
    little = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    way = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return _unmoved(np.asarray(cv2.resize(little, (CROP_PX, CROP_PX), interpolation=way)))


def noise(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Add Gaussian noise with sigma up to 50, fine or coarse."""
    crop = centre(context).astype(np.float32)
    grain = rng.normal(0, 1, crop.shape).astype(np.float32)
    if rng.random() < 0.5:
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.8), np.float32)
        grain /= grain.std()
    return _unmoved(crop + 50 * severity * grain)


def jpeg(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Compress as JPEG, quality 95 down to 3."""
    quality = round(95 - 92 * severity**0.5)
    _, coded = cv2.imencode(".jpg", centre(context), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _unmoved(np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)))


def darken(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Take away up to 94 % of the light; the sensor's noise stays."""
    dark = centre(context) * np.float32(0.06**severity)
    return _unmoved(dark + rng.normal(0, 1.5 * severity, dark.shape).astype(np.float32))


def overexpose(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Multiply the light up to 5 times; what is too bright is white."""
    return _unmoved(centre(context) * np.float32(5**severity))


def flatten(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Take away up to 95 % of the contrast, as fog or backlight does."""
    crop = centre(context).astype(np.float32)
    level = rng.uniform(30, 225)
    return _unmoved(crop + (level - crop) * np.float32(0.95 * severity))


def glare(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Add a bright spot that hides up to most of the face."""
    crop = centre(context).astype(np.float32)
    at_y, at_x = rng.uniform(8, CROP_PX - 8, 2)
    rows, columns = np.mgrid[:CROP_PX, :CROP_PX]
    radius = 6 + 26 * severity
    spot = np.exp(-((rows - at_y) ** 2 + (columns - at_x) ** 2) / (2 * radius**2))
    return _unmoved(crop + (420 * severity * spot).astype(np.float32))


def occlude(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Cover up to three quarters of the crop, from a side or in a block, flat or textured."""
    crop: Grey = centre(context).copy()
    if rng.random() < 0.6:  # from a side
        depth = round(0.75 * severity * CROP_PX)
        area = [
            np.s_[:depth, :],
            np.s_[CROP_PX - depth :, :],
            np.s_[:, :depth],
            np.s_[:, CROP_PX - depth :],
        ][rng.integers(4)]
    else:
        share = math.sqrt(0.7 * severity)
        h = min(CROP_PX, round(CROP_PX * share * rng.uniform(0.7, 1.4)))
        w = min(CROP_PX, round(CROP_PX * share * rng.uniform(0.7, 1.4)))
        # on the face, not in a corner
        y = round(np.clip(rng.normal(32, 10) - h / 2, 0, CROP_PX - h))
        x = round(np.clip(rng.normal(32, 10) - w / 2, 0, CROP_PX - w))
        area = np.s_[y : y + h, x : x + w]
    shape = crop[area].shape
    cover = np.full(shape, rng.uniform(0, 255), np.float32)
    if rng.random() < 0.5:
        cover += rng.normal(0, rng.uniform(0, 40), shape).astype(np.float32)
    crop[area] = _clip(cover)
    return _unmoved(crop)


def recut(
    context: Grey, turn_deg: float, size: float, right: float, down: float
) -> tuple[Grey, NDArray[np.float64]]:
    """Cut another crop: turned, ``size`` times as wide, and so many pixels off the middle.

    Returns:
        ``uint8 [64, 64]``, and the matrix ``[2, 3]`` from its pixels to those of the context.
    """
    a = math.radians(turn_deg)
    cos, sin = math.cos(a) * size, math.sin(a) * size
    half, middle = (CROP_PX - 1) / 2, (len(context) - 1) / 2
    to_context = np.array(
        [
            [cos, -sin, middle + right - (cos - sin) * half],
            [sin, cos, middle + down - (sin + cos) * half],
        ]
    )
    crop = cv2.warpAffine(
        context,
        to_context,
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8), to_context


def _moved(context: Grey, turn_deg: float, size: float, right: float, down: float) -> Worse:
    crop, to_context = recut(context, turn_deg, size, right, down)
    half, middle = (CROP_PX - 1) / 2, (len(context) - 1) / 2
    to_centre = to_context - [[0, 0, middle - half], [0, 0, middle - half]]
    in_place = cv2.warpAffine(
        crop,
        to_centre,
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(crop.mean()),
    )
    return Worse(crop, np.asarray(in_place, np.uint8))


def turn(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Turn the picture up to 80 degrees, either way."""
    return _moved(context, 80 * severity * rng.choice((-1, 1)), 1, 0, 0)


def shift(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Miss the face by up to half the crop, in any direction."""
    angle = rng.uniform(0, 2 * math.pi)
    far = CROP_PX / 2 * severity
    return _moved(context, 0, 1, far * math.cos(angle), far * math.sin(angle))


def missize(context: Grey, severity: float, rng: np.random.Generator) -> Worse:
    """Cut up to 2.2 times too tight, or 1.7 times too wide."""
    return _moved(context, 0, 2.2**-severity if rng.random() < 0.5 else 1.7**severity, 0, 0)


DEGRADATIONS: tuple[Degradation, ...] = (
    gaussian_blur,
    motion_blur,
    shrink,
    noise,
    jpeg,
    darken,
    overexpose,
    flatten,
    glare,
    occlude,
    turn,
    shift,
    missize,
)
"""All of them."""


def non_face(contexts: Grey, rng: np.random.Generator) -> Grey:
    """Return a crop that shows no face.

    Args:
        contexts: ``uint8 [n, 112, 112]``, to take pieces of.
        rng: randomness.

    Returns:
        ``uint8 [64, 64]``: a corner of a picture enlarged, a face in shuffled pieces, or texture.
    """
    context = contexts[rng.integers(len(contexts))]
    kind = rng.random()
    if kind < 0.4:
        side = int(rng.integers(16, 25))
        y, x = (int(rng.choice((0, len(context) - side))) for _ in range(2))
        patch = context[y : y + side, x : x + side]
        return np.asarray(cv2.resize(patch, (CROP_PX, CROP_PX)), np.uint8)
    if kind < 0.7:
        pieces = centre(context).reshape(4, 16, 4, 16).transpose(0, 2, 1, 3).reshape(16, 16, 16)
        mixed = rng.permutation(pieces).reshape(4, 4, 16, 16).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(mixed.reshape(CROP_PX, CROP_PX))
    grain = rng.normal(0, 1, (CROP_PX, CROP_PX)).astype(np.float32)
    grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 16)), np.float32)
    grain *= rng.uniform(2, 60) / max(float(grain.std()), 1e-6)
    return _clip(rng.uniform(20, 235) + grain)
