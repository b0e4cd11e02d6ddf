"""The kernels on the CPU, NumPy in and out: what runs where there is no GPU.

The same functions as `gpu.py`, with the same results: `reference.py` says what they compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels import reference
from sealshot.kernels.reference import (
    CROP_PX,
    FARTHEST_PX,
    axis_weights,
    pixels_of,
    square,
    to_grey,
)

__all__ = ["crop_resize_grey", "rp_likelihood", "sample_latents", "track_argmax"]

track_argmax = reference.track_argmax


def sample_latents(
    mu: NDArray[Any], log_var: NDArray[Any], noise: NDArray[np.float32]
) -> NDArray[Any]:
    """Return :func:`sealshot.kernels.reference.sample_latents` in ``mu``'s dtype."""
    with np.errstate(over="ignore", invalid="ignore"):
        sigma = np.exp(log_var.astype(np.float32) / 2)
        z = mu.astype(np.float32)[:, None] + sigma[:, None] * noise
        return np.asarray(z, mu.dtype)


def rp_likelihood(x: NDArray[Any], mu: NDArray[Any], log_var: NDArray[Any]) -> NDArray[np.float32]:
    """Return :func:`sealshot.kernels.reference.rp_likelihood`, ``float32 [n]``."""
    n, samples, pixels = mu.shape
    scale = np.float32(255 if x.dtype == np.uint8 else 1)
    each = np.empty((n, samples))
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(n):  # one item at a time stays in the cache
            spread = log_var[i].astype(np.float32)
            deviations = x[i].astype(np.float32) / scale - mu[i]
            deviations *= np.exp(np.minimum(spread / -2, 88))  # more is no float32
            terms: NDArray[np.float32] = deviations**2 + spread
            each[i] = terms.sum(axis=1, dtype=np.float64) / -2
        each[each == np.inf] = np.nan  # a variance of 0 has no density
        each -= pixels * np.log(2 * np.pi) / 2
        log_rp = np.logaddexp.reduce(each, axis=1) - np.log(samples)
    return np.asarray(log_rp, np.float32)


def crop_resize_grey(
    frame: NDArray[np.uint8], boxes: NDArray[np.float32], format: str = "bgr"
) -> NDArray[np.uint8]:
    """Return :func:`sealshot.kernels.reference.crop_resize_grey`."""
    places = np.asarray(boxes, np.float64).reshape(-1, 4)
    crops = np.zeros((len(places), 1, CROP_PX, CROP_PX), np.uint8)
    pixels = pixels_of(frame, format)
    height, width = pixels.shape[:2]
    for crop, box in zip(crops, places, strict=True):
        if np.abs(box).max() <= FARTHEST_PX:
            x, y, side = square(box)
            top, bottom = _within(y, side, height)
            left, right = _within(x, side, width)
            grey = to_grey(pixels[top:bottom, left:right], format)
            rows = axis_weights(y - top, side, bottom - top)
            columns = axis_weights(x - left, side, right - left)
            whole = rows[0].sum() * columns[0].sum()
            crop[0] = np.floor(rows @ grey @ columns.T / whole + 0.5)
    return crops


def _within(start: int, side: int, length: int) -> tuple[int, int]:
    """Return where a span begins and ends within ``length`` pixels, one pixel at least."""
    begin = min(max(start, 0), length - 1)
    return begin, min(max(start + side, begin + 1), length)
