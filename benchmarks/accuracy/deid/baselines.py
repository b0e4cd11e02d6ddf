"""What others do to faces, measured beside our styles: fewer pixels, superpixels, `deface`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import cv2
import numpy as np
from scipy.cluster.vq import kmeans2

from sealshot.runtime.public.cover import around, inside
from sealshot.runtime.types import Face, Image

Way = Callable[[Image, Face], Image]
"""Returns a picture, ``uint8 [h, w, 3]`` BGR, with one face hidden; that it is given stays."""

FEWER_PX = 16
SUPERPIXELS = 10
"""Across and down."""
COMPACTNESS = 10.0
ROUNDS = 10
DEFACE_STYLES = ("blur", "mosaic", "solid")
DEFACE_SCALE, DEFACE_MOSAIC_PX = 1.3, 20
"""What its command takes where nothing else is said."""


def baselines() -> dict[str, Way]:
    """Return ways to hide a face, by their names; those of `deface` where it is installed."""
    found: dict[str, Way] = {
        f"{FEWER_PX}x{FEWER_PX} pixels": fewer_pixels,
        f"{SUPERPIXELS**2} superpixels": superpixels,
    }
    if find_spec("deface"):
        found |= {f"deface {style}": _deface(style) for style in DEFACE_STYLES}
    return found


def fewer_pixels(image: Image, face: Face) -> Image:
    """Show the region of a face in few pixels."""
    shown, part = _region(image, face)
    small = cv2.resize(part, (FEWER_PX, FEWER_PX), interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return shown


def superpixels(image: Image, face: Face) -> Image:
    """Show the region of a face as superpixels (SLIC, Achanta 2012), each in its mean colour.

    The clusters are those of all of the region: it is small enough to do without search windows.
    """
    shown, part = _region(image, face)
    height, width = part.shape[:2]
    lab = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    step = np.sqrt(height * width) / SUPERPIXELS
    weighed = np.dstack([lab, x * COMPACTNESS / step, y * COMPACTNESS / step])
    rows, columns = (
        ((np.arange(SUPERPIXELS) + 0.5) * side / SUPERPIXELS).astype(int)
        for side in (height, width)
    )
    first = weighed[np.ix_(rows, columns)].reshape(-1, 5)
    _, label = kmeans2(weighed.reshape(-1, 5), first, iter=ROUNDS, minit="matrix")
    count = np.maximum(np.bincount(label, minlength=len(first)), 1)
    means = [
        np.bincount(label, part[..., channel].ravel(), len(first)) / count for channel in range(3)
    ]
    part[:] = np.rint(np.stack(means, -1)[label]).reshape(part.shape)
    return shown


def _deface(style: str) -> Way:
    anonymize = import_module("deface.deface").anonymize_frame

    def hide(image: Image, face: Face) -> Image:
        shown: Image = image.copy()
        found = [np.append(face.box, face.score)]
        anonymize(found, shown, DEFACE_SCALE, style, True, False, None, DEFACE_MOSAIC_PX)
        return shown

    return hide


def _region(image: Image, face: Face) -> tuple[Image, Image]:
    """Return a copy of a picture, and of that the part that our own styles cover."""
    shown = image.copy()
    height, width = image.shape[:2]
    rectangle = inside(around(face.box), width, height)
    assert rectangle is not None  # a face that was found lies in its picture
    x0, y0, x1, y1 = rectangle
    return shown, shown[y0:y1, x0:x1]
