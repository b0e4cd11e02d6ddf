"""Baselines without a network: what a few lines of arithmetic know of a face."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from sealshot.benchmarks.faces.faces import View
from sealshot.benchmarks.quality.measure import Doubles

EYES_PX = 32.0  # between the eyes of a face of 64 px
HALF_WAY = 0.54  # down from the eyes to the mouth lies the nose of a face that looks straight ahead


class Simple:
    """A function of one view as a measure."""

    macs: int | None = None

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.key = f"{kind} 2"
        self._rate = RATE[kind]

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


def icao(view: View) -> float:
    """Return how much a face is like a passport portrait, 0 to 1.

    After the criteria of ISO/IEC 19794-5 that five landmarks and a crop can show, each from 0 to 1
    and multiplied, the first and the last squared: not turned (the nose on the line from between
    the eyes to the mouth, that line square to the eyes), not nodding (the nose about half-way down
    that line), large (32 px between the eyes, a face of 64 px), in focus (variance of the
    Laplacian, half at 50), evenly lit (left and right halves equally bright).
    """
    left, right, nose, mouth_left, mouth_right = view.face.landmarks.astype(float)
    across = right - left
    eyes = max(float(np.hypot(*across)), 1e-6)
    down = (mouth_left + mouth_right - left - right) / 2
    length = max(float(np.hypot(*down)), 1e-6)
    to_nose = nose - (left + right) / 2
    aside = abs(down[0] * to_nose[1] - down[1] * to_nose[0]) / length  # px off the middle line
    skew = abs(across @ down) / (eyes * length)
    frontal = max(0.0, 1 - 2 * aside / eyes) * max(0.0, 1 - skew)
    level = max(0.0, 1 - abs(to_nose @ down / length**2 - HALF_WAY) / 0.2)
    focus = sharpness(view)
    halves = view.crop.reshape(64, 2, 32).mean(axis=(0, 2))
    even = 1 - abs(halves[0] - halves[1]) / max(float(halves.sum()), 1e-6)
    return float(frontal**2 * level * min(1.0, eyes / EYES_PX) * focus / (focus + 50) * even**2)


RATE: dict[str, Callable[[View], float]] = {
    "random": at_random,
    "sharpness": sharpness,
    "size": size,
    "confidence": confidence,
    "icao": icao,
}
