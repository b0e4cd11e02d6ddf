"""A recording: every frame, at the time that the file gives it."""

from __future__ import annotations

import logging
import threading

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.apart import Apart
from sealshot.runtime.sources.reader import NoVideoError, Picture, Reader
from sealshot.runtime.sources.source import Source
from sealshot.runtime.sources.stamps import timed
from sealshot.runtime.types import Frame

logger = logging.getLogger(__name__)

ASSUMED_FPS = 25.0  # where a file gives neither times nor a rate
CLOSE_WAIT_S = 1.0
LENGTH_TOLERANCE = 0.02  # some containers only estimate it


class Video(Source):
    """A video that ends, read losslessly.

    ``time_s`` is the presentation time less that of the first frame, so a variable frame rate is
    kept; see :func:`timed` for stamps that are wrong. What cannot be decoded is passed over, and
    its number told at the end.
    """

    def __init__(self, reader: Reader, name: str, *, fps: float | None = None) -> None:
        """Take over a reader and decode its first frame.

        Args:
            reader: what to read; :meth:`close` closes it.
            name: for messages and errors, without a password.
            fps: take the frames as this many a second, whatever times the file gives.

        Raises:
            InputError: there is not one frame in it.
        """
        rate = fps or reader.fps
        super().__init__(name, live=False, frames=reader.frames, fps=rate)
        self.created, self.apart = reader.created, isinstance(reader, Apart)
        self._reader: Reader | None = reader
        self._lock = threading.Lock()  # a close while another thread decodes is a crash
        self._closing = False
        self._step_s = 1 / (rate or ASSUMED_FPS)
        self._first_s: float | None = None
        self._last_s: float | None = None
        self._timed = timed(self._next_picture, self._step_s, stamped=fps is None)
        self._index, self._broke = 0, ""
        self._first = next(self._timed, None)
        if self._first is None:
            damaged = reader.damaged
            self.close()
            raise InputError(
                f"{name} has no frame that can be decoded{': ' * bool(self._broke)}{self._broke}",
                hint=f"damaged packets: {damaged}; check that it plays elsewhere"
                if damaged
                else "check that it plays elsewhere",
            )

    def _next_picture(self) -> Picture | None:
        assert self._reader is not None
        if self._broke:
            return None
        try:
            picture = self._reader.read()
        except NoVideoError as error:
            self._broke = error.why
            return None
        if picture is not None and picture.stamp_s is not None:
            self._first_s = picture.stamp_s if self._first_s is None else self._first_s
            self._last_s = max(self._last_s or 0.0, picture.stamp_s)
        return picture

    def _read(self) -> Frame | None:
        with self._lock:
            if self._reader is None:
                return None
            frame, self._first = self._first, None
            if frame is None:
                frame = next(self._timed, None)
            if self._closing:
                self._free()
                return None
            if frame is None:
                self._check(self._reader)
                return None
            self._index += 1
            return frame

    def _check(self, reader: Reader) -> None:
        """Tell what is missing, once all has been read."""
        self.frames, frames = self._index, self._index
        if reader.damaged:
            logger.warning(
                "%s is damaged: packets that could not be decoded and were passed over: %d",
                self.name,
                reader.damaged,
            )
        if self._broke:
            logger.warning("%s broke off after %d frames: %s", self.name, frames, self._broke)
            return
        if self._first_s is None or self._last_s is None or reader.end_s is None:
            return
        read_s = self._last_s - self._first_s + self._step_s
        missing_s = reader.end_s - self._last_s - self._step_s
        if missing_s > max(2.5 * self._step_s, LENGTH_TOLERANCE * (read_s + missing_s)):
            logger.warning(
                "%s ended early: %d of about %d frames could be read",
                self.name,
                frames,
                round(frames * (read_s + missing_s) / read_s),
            )

    def _moves(self) -> bool:
        return self._reader is not None and self._reader.moves

    def close(self) -> None:
        """Close the file.

        Waits a moment for a thread that reads, and then wakes it, as one that waits for a pipe; it
        closes the file itself.
        """
        self._closing, reader = True, self._reader
        if self._lock.acquire(timeout=CLOSE_WAIT_S):
            try:
                self._free()
            finally:
                self._lock.release()
        elif reader is not None:
            reader.interrupt()

    def _free(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
