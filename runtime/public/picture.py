"""Pictures as planes: what the public stream holds, covers and encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from sealshot.runtime.public.cover import Plane

PLANAR = (
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv420p10le",
    "yuv422p10le",
    "yuv444p10le",
)
"""FFmpeg's names of the formats that are kept as they are; any other becomes 4:2:0."""
TEN_BITS = "10le"
LIMITED_RANGE, FULL_RANGE = 1, 2
UNSPECIFIED = 2
"""A colour that a stream does not name."""


@dataclass(frozen=True)
class Form:
    """What all pictures of a stream have in common; colours by the numbers of ITU-T H.273."""

    width: int
    height: int
    format: str
    """One of :data:`PLANAR`."""
    pixel_aspect: Fraction
    """Width over height of a pixel; 0 where the source does not say."""
    time_base_s: Fraction
    """What one tick of a time stamp lasts."""
    fps: Fraction | None
    range: int
    """1 limited, 2 full, 0 not said."""
    primaries: int
    transfer: int
    matrix: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture."""

    planes: tuple[Plane, ...]
    """``uint8`` or, with 10 bits, ``uint16`` ``[h, w]``: Y, U, V."""
    ticks: int
    """Presentation time, in units of :attr:`Form.time_base_s`."""
    time_s: float
    """Seconds since the first picture."""


def planes_of(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Copy the planes out of a frame of one of the :data:`PLANAR` formats, full range or not."""
    dtype = np.uint16 if frame.format.name.endswith(TEN_BITS) else np.uint8
    return tuple(
        np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width].copy()
        for plane in frame.planes
    )


def frame_of(planes: Sequence[Plane], format: str) -> av.VideoFrame:
    """Return a frame with a copy of planes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, format)
    for plane, target in zip(planes, frame.planes, strict=True):
        rows = np.frombuffer(memoryview(target), plane.dtype).reshape(target.height, -1)
        rows[:, : plane.shape[1]] = plane
    return frame
