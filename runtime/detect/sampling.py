"""Two ways to shrink an image to the levels of a pyramid, and parts of it to square crops.

MTCNN is chaotic in small things: which of many near-equal boxes survives hangs on the last bit of
a pixel. So there is the averaging that facenet-pytorch does, to compare with it, and a fast one.
Regions are rows ``x0, y0, x1, y1`` in pixels of the image, ``x1`` and ``y1`` exclusive.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.planes import Planes, bgr_of, warp
from sealshot.runtime.types import Floats, Image, Pixels

GREY = (127, 127, 127)  # what the networks' normalisation takes to zero
ALL = slice(None)


class Sampler(Protocol):
    """One image, ready to be sampled."""

    def level(
        self, width: int, height: int, rows: slice = ALL, columns: slice = ALL
    ) -> Floats | Image:
        """Return ``rows`` and ``columns`` of the whole image at a size, ``[r, c, 3]``.

        Where not all of them are asked for, they may be shifted by half a pixel of what they are
        sampled from.
        """

    def crops(self, regions: Floats, side: int) -> Floats:
        """Return each region as float32 ``[n, side, side, 3]``; it touches the image."""


class MeanSampler:
    """The mean of all pixels that an output pixel touches (PyTorch's ``area`` interpolation).

    Parts of a region outside the image are cut off and the rest is stretched, as facenet-pytorch
    does. Every mean is four look-ups in the table of sums over all rectangles from the corner.
    """

    def __init__(self, pixels: Pixels) -> None:
        image = bgr_of(pixels)
        self._height, self._width = image.shape[:2]
        self._sums = cv2.integral(image)  # int32 [h + 1, w + 1, 3]; a wrap cancels out

    def level(self, width: int, height: int, rows: slice = ALL, columns: slice = ALL) -> Floats:
        """See :meth:`Sampler.level`."""
        return self._means(0, 0, self._width, self._height, width, height)[rows, columns]

    def crops(self, regions: Floats, side: int) -> Floats:
        """Return each region as float32 ``[n, side, side, 3]``; it touches the image."""
        crops = np.empty((len(regions), side, side, 3), np.float32)
        x0, y0, x1, y1 = np.trunc(regions).astype(int).T
        limits = (x0.clip(0), y0.clip(0), x1.clip(None, self._width), y1.clip(None, self._height))
        for crop, (left, top, right, bottom) in zip(crops, zip(*limits, strict=True), strict=True):
            crop[:] = self._means(left, top, right, bottom, side, side)
        return crops

    def _means(self, x0: int, y0: int, x1: int, y1: int, width: int, height: int) -> Floats:
        left, right = _bins(x0, x1, width)
        top, bottom = _bins(y0, y1, height)
        rows = self._sums[bottom] - self._sums[top]
        count = np.outer(bottom - top, right - left)[:, :, None]
        means: Floats = ((rows[:, right] - rows[:, left]) / count).astype(np.float32)
        return means


class MipSampler:
    """Bilinear samples from the image halved as often as leaves them less than two pixels apart.

    Regions are cut with sub-pixel precision; what is outside the image is grey. So faces that the
    edge of the image cuts are found more often than when the rest of them is stretched.

    Of planes, luma and colours are sampled, and then converted: most pixels are never looked at.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self._planes = pixels if isinstance(pixels, Planes) else None
        self._grey = self._planes.shade(GREY[0]) if self._planes else GREY
        self._halves: list[Image] = []

    def level(self, width: int, height: int, rows: slice = ALL, columns: slice = ALL) -> Image:
        """See :meth:`Sampler.level`."""
        whole = self._pixels.shape
        least = min(whole[1] / width, whole[0] / height)
        halvings = int(_halvings(np.asarray(least)))
        source = self._mip(halvings)
        first_row, last_row, top, bottom = _cut(rows, height, source.shape[0])
        first, last, left, right = _cut(columns, width, source.shape[1])
        part = last - first, last_row - first_row
        sampled = cv2.resize(source[top:bottom, left:right], part, interpolation=cv2.INTER_LINEAR)
        level = np.asarray(sampled, np.uint8)
        return self._planes.converted(level) if self._planes and halvings else level

    def crops(self, regions: Floats, side: int) -> Floats:
        """Return each region as float32 ``[n, side, side, 3]``; it touches the image."""
        step = (regions[:, 2:] - regions[:, :2]).astype(np.float64) / side  # [n, 2]
        halvings = _halvings(step[:, 0])
        shrunk = (1 << halvings)[:, None]
        affine = np.zeros((len(regions), 2, 3))  # from a pixel of the crop to one of the mip
        affine[:, 0, 0], affine[:, 1, 1] = (step / shrunk).T
        # the centre of the crop's first pixel; OpenCV counts from that of the first pixel
        affine[:, :, 2] = (regions[:, :2] + step / 2) / shrunk - 0.5
        crops = np.empty((len(regions), side, side, 3), np.uint8)
        for count in set(halvings.tolist()):
            which = halvings == count
            some = np.empty((np.count_nonzero(which), side, side, 3), np.uint8)
            warp(self._mip(count), affine[which], some, self._grey)
            crops[which] = some
        return (self._planes.converted(crops) if self._planes else crops).astype(np.float32)

    def _mip(self, halvings: int) -> Pixels:
        """Return the image halved so often: luma, blue and red of planes."""
        if not self._halves and halvings and self._planes:
            self._halves.append(self._planes.half)
        while len(self._halves) < halvings:
            last = self._halves[-1] if self._halves else bgr_of(self._pixels)
            height, width = last.shape[0] // 2, last.shape[1] // 2
            even = last[: 2 * height, : 2 * width]  # exact halves have a fast path in OpenCV
            half = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
            self._halves.append(np.asarray(half, np.uint8))
        return self._halves[halvings - 1] if halvings else self._pixels


def _cut(part: slice, size: int, source: int) -> tuple[int, int, int, int]:
    """Return the first and last (exclusive) of a part of a side, and of what it is sampled from."""
    first, last, _ = part.indices(size)
    return first, last, round(first * source / size), round(last * source / size)


def _halvings(shrink: NDArray[np.float64]) -> NDArray[np.int64]:
    """How often to halve an image before it is shrunk by what is left of ``shrink``, 1 to 2."""
    return np.log2(np.maximum(shrink, 1)).astype(np.int64)


def _bins(start: int, end: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last (exclusive) pixel of each of ``count`` bins that cover start..end."""
    index, size = np.arange(count), end - start
    return start + index * size // count, start - (-(index + 1) * size // count)
