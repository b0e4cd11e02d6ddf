"""GStreamer pipelines, through PyGObject. Nothing else opens them.

What GStreamer itself decodes, boards decode in hardware. A pipeline ends in an ``appsink`` that is
given 8-bit BGR, BGRx, BGRA or grey. The bindings are the distribution's, since they belong to its
GStreamer: the OpenCV of PyPI has none.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.capture import READ_TIMEOUT_S, as_bgr, with_aspect
from sealshot.runtime.sources.reader import NoVideoError, Picture
from sealshot.runtime.sources.redact import redact
from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)

CHANNELS = {"BGR": 3, "BGRx": 4, "BGRA": 4, "GRAY8": 1}
GIVE_BGR = "let it end in `... ! videoconvert ! video/x-raw,format=BGR ! appsink`"
CHECK = "try the pipeline with gst-launch-1.0"
LOOK_EVERY_S = 0.1
"""How often it is asked for errors while no picture comes."""
MOST_WAITING = 2
"""Pictures that a sink without a bound of its own keeps for who reads slowly."""
PASSING = {"gst-resource-error-quark", "gst-stream-error-quark"}
"""Errors of a camera that is away or was cut off; of all others waiting cures none."""


class Pipeline:
    """Reads the pictures of a GStreamer pipeline's ``appsink``."""

    frames: int | None = None
    end_s: float | None = None
    moves = False
    created: datetime | None = None
    damaged = 0

    def __init__(
        self, description: str, *, recorded: bool = False, aspect: Fraction | None = None
    ) -> None:
        """Start a pipeline and take its first picture.

        Args:
            description: as ``gst-launch-1.0`` takes it.
            recorded: whether it reads a file: as fast as it is read, not as it was filmed.
            aspect: width over height of the whole picture, in place of what the pipeline says.

        Raises:
            InputError: there is no GStreamer that Python can use, or it gives no BGR.
            NoVideoError: GStreamer cannot start it, or it gives no picture.
        """
        self._gst, self._video = gstreamer()
        self._aspect = aspect
        self._failure: NoVideoError | None = None
        try:
            self._pipeline = self._gst.parse_launch(description)
        except Exception as error:  # GLib.Error, which is not known before the bindings are
            why = redact(str(getattr(error, "message", error)))
            raise NoVideoError(why, CHECK, lasting=True) from None
        self._sink = self._find_sink()
        self._sink.set_property("sync", self._sink.get_property("sync") and not recorded)
        self._sink.set_property(
            "max-buffers", self._sink.get_property("max-buffers") or MOST_WAITING
        )
        self._pipeline.set_state(self._gst.State.PLAYING)
        self._first = self._pull()
        if self._first is None:
            failure = self._failure or NoVideoError(f"no picture within {READ_TIMEOUT_S:.0f} s")
            self.close()
            raise failure
        info = self._info(self._first)
        self.fps = info.fps_n / info.fps_d if info.fps_n and info.fps_d else None

    def read(self) -> Picture | None:
        """Return the next picture; None at the end, and where none came for 5 s.

        Raises:
            InputError: they are no BGR any more.
        """
        sample, self._first = self._first or self._pull(), None
        if sample is None:
            if self._failure is not None:
                logger.warning("the pipeline broke off: %s", self._failure.why)
            return None
        info, buffer = self._info(sample), sample.get_buffer()
        said = Fraction(info.par_n * info.width, info.par_d * info.height)
        image = with_aspect(as_bgr(self._pixels(info, buffer)), self._aspect or said)
        stamp_s = None if buffer.pts == self._gst.CLOCK_TIME_NONE else buffer.pts / 1e9
        return Picture(image, stamp_s)

    def interrupt(self) -> None:
        """Do nothing: a read gives up by itself."""

    def close(self) -> None:
        """Stop the pipeline."""
        self._pipeline.set_state(self._gst.State.NULL)

    def _find_sink(self) -> Any:
        sinks = []
        if isinstance(self._pipeline, self._gst.Bin):
            sinks = [one for one in self._pipeline.children if _factory(one) == "appsink"]
        if len(sinks) != 1:
            raise NoVideoError(
                f"it has {len(sinks) or 'no'} appsink{'s' * (len(sinks) > 1)}, where one is needed",
                GIVE_BGR,
                lasting=True,
            )
        return sinks[0]

    def _pull(self) -> Any:
        """Return the next sample, or None: at the end, after a failure, and where none comes."""
        end = time.monotonic() + READ_TIMEOUT_S
        while self._failure is None and time.monotonic() < end:
            sample = self._sink.emit("try-pull-sample", int(LOOK_EVERY_S * self._gst.SECOND))
            if sample or self._sink.get_property("eos"):
                return sample
            self._failure = self._reported()
        return None

    def _info(self, sample: Any) -> Any:
        """Return what a sample's picture is like."""
        caps = sample.get_caps()
        name = caps.get_structure(0).get_name()
        kind = caps.get_structure(0).get_string("format")
        if name != "video/x-raw" or kind not in CHANNELS or caps.get_features(0).get_size() > 1:
            raise InputError(f"the pipeline gives {kind or name} and not BGR", hint=GIVE_BGR)
        return self._video.VideoInfo.new_from_caps(caps)

    def _pixels(self, info: Any, buffer: Any) -> Image:
        """Return the pixels, ``uint8 [h, w]`` or ``[h, w, 3 or 4]``, copied."""
        meta = self._video.buffer_get_video_meta(buffer)
        stride = meta.stride[0] if meta else info.stride[0]
        channels = CHANNELS[info.finfo.name]
        _, memory = buffer.map(self._gst.MapFlags.READ)
        try:
            # the last row may end with its last pixel
            shape, strides = (info.height, info.width, channels), (stride, channels, 1)
            rows: Image = np.ndarray(shape, np.uint8, memory.data, 0, strides).copy()
            return rows[..., 0] if channels == 1 else rows
        finally:
            buffer.unmap(memory)

    def _reported(self) -> NoVideoError | None:
        """Return the first error that an element of the pipeline reported."""
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            return None
        error, _ = message.parse_error()
        why = redact(error.message).rstrip(".")
        return NoVideoError(why, CHECK, lasting=error.domain not in PASSING)


def _factory(element: Any) -> str:
    return element.get_factory().get_name() if element.get_factory() else ""


def gstreamer() -> tuple[Any, Any]:
    """Return GStreamer and its module for video.

    Raises:
        InputError: they are not there.
    """
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        gi.require_version("GstVideo", "1.0")
        from gi.repository import Gst, GstApp, GstVideo  # noqa: F401
    except (ImportError, ValueError) as error:
        raise InputError(
            f"a GStreamer pipeline needs the bindings of GStreamer for Python: {error}",
            hint="`apt install python3-gi gir1.2-gst-plugins-base-1.0`, and make the environment"
            " with `python3 -m venv --system-site-packages`; or give an rtsp:// address",
        ) from None
    done, _ = Gst.init_check(None)
    if not done:
        raise InputError("GStreamer does not start", hint="check that `gst-launch-1.0` works")
    return Gst, GstVideo
