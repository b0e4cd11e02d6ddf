"""Drawing lids over eyes: what a blink looks like, from the landmarks alone.

The skin between brow and eye is stretched down over the eye, and a dark line of lashes drawn along
its edge. Lengths are in units of the distance between the eyes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.types import Floats, Image

HALF_WIDTH = 0.27
"""Of the opening between the lids."""
BROW, UPPER, LOWER = -0.23, -0.095, 0.085
"""How far below the middle of the eye they lie: the lower edge of the brow, and the lids of an open
eye at their middle."""
LASHES = 0.026
"""Half the width of their line."""
DARKENED = 0.2
"""By the lashes, at most: the share of the light that they take is this to twice this."""
SOFT = 0.05
"""Width of the edge over which what is drawn fades out."""
REACH = 0.34
"""How far from the middle of the eye anything changes."""


def close_eyes(image: Image, landmarks: Floats, shut: float, rng: np.random.Generator) -> Image:
    """Close both eyes of a face.

    Args:
        image: ``uint8 [h, w, 3]`` BGR.
        landmarks: ``float32 [5, 2]``, as in :class:`~sealshot.runtime.types.Face`.
        shut: how far, 0 to 1.
        rng: people differ in their lids; the same numbers draw the same ones.
    """
    eyes = landmarks[:2].astype(float)
    across = eyes[1] - eyes[0]
    apart = max(float(np.hypot(*across)), 1.0)
    size, low, dark = rng.uniform(0.9, 1.1), rng.uniform(0.8, 1.2), rng.uniform(1, 2)
    drawn = image.astype(np.float32)
    for eye in eyes:
        reach = int(np.ceil(REACH * apart))
        x0, y0 = (max(round(float(at)) - reach, 0) for at in eye)
        part = drawn[y0 : y0 + 2 * reach + 1, x0 : x0 + 2 * reach + 1]
        if not part.size:
            continue
        y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]].astype(float)
        # from the middle of the eye: along the line through both, and down from it
        to_eye = (x - eye[0] + 1j * (y - eye[1])) * complex(across[0], -across[1]) / apart**2
        along, down = to_eye.real, to_eye.imag
        half = HALF_WIDTH * size
        arc = np.clip(1 - (along / half) ** 2, 0, 1)
        edge = (UPPER + shut * (LOWER * low - UPPER)) * arc
        source = BROW + (down - BROW) * (UPPER * arc - BROW) / (edge - BROW)
        at = (along + 1j * source) * complex(*across) + complex(*eye)
        lid = cv2.remap(
            image.astype(np.float32),
            at.real.astype(np.float32),
            at.imag.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        beside = _ramp((half - abs(along)) / SOFT)
        cover = beside * _ramp((edge - down) / SOFT + 0.5) * _ramp((down - BROW) / SOFT)
        line = np.exp(-(((down - edge) / LASHES) ** 2)) * beside * DARKENED * dark * shut
        part += cover[..., None] * (lid - part)
        part *= 1 - line[..., None]
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def _ramp(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.clip(values, 0, 1))
