"""Baselines without a network: what a few lines of arithmetic know of a face."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from sealshot.benchmarks.accuracy.measures.measure import Doubles
from sealshot.benchmarks.data.faces import View

VERSION = 3  # part of the cache's key: change it with any function here, and with `icao`


class Simple:
    """A function of one view as a measure."""

    macs: int | None = None

    def __init__(self, name: str, rate: Callable[[View], float]) -> None:
        self.name = name
        self.key = f"{rate.__name__} {VERSION}"
        self._rate = rate

    def rate(self, views: Sequence[View]) -> Doubles:
        """See :class:`Measure`."""
        return np.array([self._rate(view) for view in views], float)


def at_random(view: View) -> float:
    """A number that is as good as drawn, and the same in every run: a checksum of the crop."""
    return zlib.crc32(view.crop.tobytes()) / 2**32


def sharpness(view: View) -> float:
    """Return the variance of the Laplacian of the crop, the usual focus measure."""
    return float(cv2.Laplacian(view.crop, cv2.CV_64F).var())


def size(view: View) -> float:
    """Return the area of the face box in square pixels: what trackers sold today choose by."""
    x0, y0, x1, y1 = (float(v) for v in view.face.box)
    return (x1 - x0) * (y1 - y0)


def confidence(view: View) -> float:
    """Return the detector's score."""
    return view.face.score
