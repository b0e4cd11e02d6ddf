"""From decoded frames to planes: upright, and all in the form of the first one."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import av
from av.video.reformatter import VideoReformatter

from sealshot.runtime.planes import Planes, strips
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.picture import PLANAR, Form, frame_of, planes_of
from sealshot.runtime.public.room import Spare
from sealshot.runtime.sandbox.shape import (
    FULL_RANGE,
    GIVEN,
    LIMITED_RANGE,
    UNSPECIFIED,
    matrix_of,
)
from sealshot.runtime.sandbox.show import Shower
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.types import Image, Pixels, Raw

FASTEST_FPS = 240


class Colours(Protocol):
    """What says how colours are meant: a frame, or its stream."""

    @property
    def color_range(self) -> int:
        """0 not said, 1 limited, 2 full."""

    @property
    def color_primaries(self) -> int:
        """By ITU-T H.273, as the others."""

    @property
    def color_trc(self) -> int:
        """Transfer characteristics."""

    @property
    def colorspace(self) -> int:
        """Matrix coefficients."""


class Decoded:
    """Makes planes of the frames of one stream."""

    def __init__(
        self,
        raw: Raw | Planes,
        colours: Colours,
        pixel_aspect: Fraction,
        time_base_s: Fraction,
        fps: Fraction | None,
    ) -> None:
        """Take the form of the first frame.

        Args:
            raw: the frame.
            colours: of the stream.
            pixel_aspect: of the frame as it was decoded; 0 where nobody knows.
            time_base_s: as :attr:`Form.time_base_s`.
            fps: frames per second; left out where it is absurd.
        """
        raw = as_raw(raw)
        self._reformatter, self._shower, first = VideoReformatter(), Shower(), raw.frame
        self._spare = Spare()
        width, height = size = first.width, first.height
        on_side, aspect = raw.turn.transposed, pixel_aspect
        if on_side:
            width, height, aspect = height, width, 1 / aspect if aspect else aspect
        full = "yuvj" in first.format.name or colours.color_range == FULL_RANGE
        rgb = first.format.is_rgb  # as PyAV makes it YUV
        self.form = Form(
            width=width,
            height=height,
            format=_working(first, on_side),
            pixel_aspect=aspect,
            time_base_s=time_base_s,
            fps=fps if fps and 0 < fps <= FASTEST_FPS else None,
            range=LIMITED_RANGE if rgb else FULL_RANGE if full else colours.color_range,
            primaries=colours.color_primaries,
            transfer=colours.color_trc,
            matrix=matrix_of(UNSPECIFIED, *size) if rgb else colours.colorspace,
        )

    def planes(self, raw: Raw | Planes) -> tuple[Plane, ...]:
        """Return the planes of a frame: as they were decoded, if it is in the form of the first."""
        if isinstance(raw, Planes) and self._is_in_form(raw):
            return raw.luma, raw.blue, raw.red
        raw = as_raw(raw)
        on_side, format = raw.turn.transposed, self.form.format
        size = self.form.width, self.form.height
        # the first one was not on its side where chroma is of half the width alone
        worked = format.replace("422", "444") if on_side else format
        frame = self._worked(raw.frame, size[::-1] if on_side else size, worked)
        planes = tuple(turned(plane, raw.turn) for plane in planes_of(frame))
        if worked == format:
            return planes
        return planes_of(self._worked(frame_of(planes, worked), size, format))

    def image(self, pixels: Pixels) -> Image:
        """Return a picture as BGR, ``uint8 [h, w, 3]``, to look for faces in.

        FFmpeg makes it of planes. It is a level or two darker than :attr:`Planes.bgr`, and with
        what it makes the search was measured: of who is barely found some are only found in that.
        A strip of whole rows of colours is what it would be in all of it.
        """
        if not isinstance(pixels, Planes):
            return pixels
        height, width, _ = pixels.shape
        matrix = matrix_of(pixels.colours.colorspace, width, height)
        image = self._spare.of(pixels.shape)
        for rows in strips(height, width):
            half = slice(rows.start // 2, (rows.stop + 1) // 2)
            strip = pixels.luma[rows], pixels.blue[half], pixels.red[half]
            frame = frame_of(strip, _form_of(pixels))
            image[rows] = self._shower.bgr(frame, width, frame.height, matrix).to_ndarray()
        return image

    def _is_in_form(self, planes: Planes) -> bool:
        form = self.form
        return (form.format, form.height, form.width, 3) == (GIVEN[0], *planes.shape)

    def _worked(self, frame: av.VideoFrame, size: tuple[int, int], format: str) -> av.VideoFrame:
        same = frame.format.name.replace("yuvj", "yuv") == format
        if same and (frame.width, frame.height) == size:
            return frame
        matrix = self.form.matrix if frame.format.is_rgb else None
        return self._reformatter.reformat(frame, *size, format, dst_colorspace=matrix)


def as_raw(decoded: Raw | Planes) -> Raw:
    """Return a picture as a frame of FFmpeg."""
    if isinstance(decoded, Raw):
        return decoded
    return Raw(frame_of((decoded.luma, decoded.blue, decoded.red), _form_of(decoded)))


def _form_of(planes: Planes) -> str:
    """Return FFmpeg's name of the form of planes."""
    return GIVEN[planes.colours.color_range == FULL_RANGE]


def _working(frame: av.VideoFrame, on_side: bool) -> str:
    """Return the format that a stream is held in: its own where it is planar YUV."""
    name = frame.format.name.replace("yuvj", "yuv")
    if name not in PLANAR:
        return "yuv420p10le" if name == "p010le" else "yuv420p"
    # a picture of half the width on its side would be one of half the height
    return name.replace("422", "444") if on_side else name
