"""Pictures as planes: what the public stream holds, covers and encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.plane import VideoPlane

from sealshot.runtime.planes import rows_of
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


@dataclass(frozen=True, slots=True, eq=False)
class Blank:
    """A frame that is to be filled."""

    frame: av.VideoFrame
    planes: tuple[Plane, ...]
    """Its own memory."""

    @staticmethod
    def of(width: int, height: int, format: str) -> Blank:
        """Return a frame with anything in it, of one of the :data:`PLANAR` formats."""
        return Blank._with(av.VideoFrame(width, height, format))

    @staticmethod
    def _with(frame: av.VideoFrame) -> Blank:
        return Blank(frame, tuple(_rows(plane, frame.format.name) for plane in frame.planes))

    def again(self) -> Blank:
        """Return the frame to be filled once more; what an encoder holds of it is not touched."""
        self.frame.make_writable()  # which copies it where its memory is held
        return Blank._with(self.frame)

    def filled(self, planes: Sequence[Plane]) -> av.VideoFrame:
        """Return the frame with planes, of which its own are there already."""
        for plane, own in zip(planes, self.planes, strict=True):
            if plane is not own:
                own[:] = plane
        return self.frame


def planes_of(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return the planes of a frame of one of the :data:`PLANAR` formats, full range or not.

    They are its own memory, which a decoder may look at again, and cannot be written to.
    """
    planes = tuple(_rows(plane, frame.format.name) for plane in frame.planes)
    for plane in planes:
        plane.flags.writeable = False
    return planes


def frame_of(planes: Sequence[Plane], format: str) -> av.VideoFrame:
    """Return a frame with a copy of planes."""
    height, width = planes[0].shape
    return Blank.of(width, height, format).filled(planes)


def _rows(plane: VideoPlane, format: str) -> Plane:
    dtype = np.uint16 if format.endswith(TEN_BITS) else np.uint8
    return rows_of(plane, dtype)
