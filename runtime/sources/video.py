"""A recording: every frame, at the time that the file gives it."""

from __future__ import annotations

import logging
import threading

import cv2

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.capture import Capture, frame_count, frame_rate, read_image
from sealshot.runtime.sources.source import Source
from sealshot.runtime.types import Frame, Image

logger = logging.getLogger(__name__)

ASSUMED_FPS = 25.0  # where a file gives neither times nor a rate
COUNT_TOLERANCE = 0.02  # some containers only let the count be estimated from the duration


class Video(Source):
    """A video that ends, read losslessly.

    ``time_s`` is the presentation time less that of the first frame, so a variable frame rate is
    kept. A frame that is not later than the one before it (no or broken time stamps) comes one
    nominal frame after it. Where a file changes the size of its frames, FFmpeg scales them to the
    first size.
    """

    def __init__(self, capture: Capture, name: str, *, fps: float | None = None) -> None:
        """Take over an open capture and decode its first frame.

        Args:
            capture: what to read; :meth:`close` releases it.
            name: for reports and errors, without a password.
            fps: take the frames as this many a second, whatever times the file gives.

        Raises:
            InputError: there is not one frame in it.
        """
        rate = fps or frame_rate(capture)
        super().__init__(name, live=False, frames=frame_count(capture), fps=rate)
        self._capture: Capture | None = capture
        self._lock = threading.Lock()  # a release while another thread decodes is a crash
        self._stamped = fps is None
        self._step_s = 1 / (rate or ASSUMED_FPS)
        self._index, self._time_s, self._start_s = 0, 0.0, 0.0
        self._first: Image | None = read_image(capture)
        if self._first is None:
            self.close()
            raise InputError(
                f"{name} has no frame that can be decoded", hint="check that it plays elsewhere"
            )
        self._start_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _read(self) -> Frame | None:
        with self._lock:
            if self._capture is None:
                return None
            image, self._first = self._first, None
            if image is None:
                image = read_image(self._capture)
            if image is None:
                self._check_count()
                return None
            if self._index:
                stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 - self._start_s
                late = self._stamped and stamp > self._time_s
                self._time_s = stamp if late else self._time_s + self._step_s
            self._index += 1
            return Frame(self._index - 1, self._time_s, image)

    def _check_count(self) -> None:
        expected, self.frames = self.frames, self._index
        if expected and expected - self._index > max(2, COUNT_TOLERANCE * expected):
            logger.warning(
                "%s ended early: %d of about %d frames could be read",
                self.name,
                self._index,
                expected,
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._capture is not None:
                self._capture.release()
                self._capture = None
