"""A camera: always its newest frame, and a new connection when the old one dies."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.sources.capture import Capture, frame_rate, read_image
from sealshot.runtime.sources.source import HEARTBEAT_S, Source
from sealshot.runtime.types import Frame, Heartbeat, Image

logger = logging.getLogger(__name__)

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
JITTER = 0.25
"""Share of a delay that is left to chance, so that cameras do not all come back at once."""
CLOSE_WAIT_S = 1.0

Connect = Callable[[], Capture | None]
Sleep = Callable[[float], bool]
"""Waits for some seconds; True, at once, when it is time to stop."""


def delays() -> Iterator[float]:
    """Yield the seconds to wait before each attempt: 1, 2, 4 ... 30, less up to a quarter."""
    delay = FIRST_DELAY_S
    while True:
        yield delay * random.uniform(1 - JITTER, 1)
        delay = min(2 * delay, LONGEST_DELAY_S)


def reconnecting(
    capture: Capture,
    connect: Connect,
    name: str,
    *,
    give_up_after_s: float | None,
    clock: Callable[[], float],
    sleep: Sleep,
) -> Iterator[Image]:
    """Yield the images of a capture and of its successors.

    When a capture gives no more frames, wait, connect, and wait longer after each failure; a
    connection without a frame is a failure too. It ends when ``sleep`` says so.

    Raises:
        SourceError: there was no frame for ``give_up_after_s``.
    """
    current: Capture | None = capture
    alive_s = clock()
    waits = delays()
    lost = False
    while True:
        try:
            while current is not None and (image := read_image(current)) is not None:
                if lost:
                    logger.warning("%s is back after %.1f s", name, clock() - alive_s)
                    lost, waits = False, delays()
                alive_s = clock()
                yield image
        finally:
            if current is not None:
                current.release()
        silent_s = clock() - alive_s
        if give_up_after_s is not None and silent_s >= give_up_after_s:
            raise SourceError(
                f"{name} has given no frame for {silent_s:.0f} s",
                hint="check the camera, its power and the network",
            )
        delay = next(waits)
        what = "still gives no frame" if lost else "gives no more frames"
        logger.warning("%s %s; connecting again in %.1f s", name, what, delay)
        lost = True
        if sleep(delay):
            return
        current = connect()


class Live(Source):
    """The newest frame of a camera or a stream.

    A thread reads all the time, so that nothing queues up in the driver or on the network; what
    nobody asked for in time is replaced and counted in ``dropped``. Indexes count every frame that
    was read, dropped ones included. ``time_s`` is the monotonic clock at the frame's arrival, and
    runs on while the camera is away, told by heartbeats.
    """

    def __init__(
        self,
        connect: Connect,
        name: str,
        *,
        give_up_after_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep | None = None,
    ) -> None:
        """Connect, wait for the first frame, and start to read.

        Args:
            connect: opens the camera; None where it does not answer.
            name: for reports and errors, without a password.
            give_up_after_s: raise SourceError after so long without a frame; None never does.
            clock: seconds, monotonic.
            sleep: waits between two attempts; tests give their own.

        Raises:
            InputError: the camera does not answer, or gives no frame.
        """
        capture = connect()
        image = None if capture is None else read_image(capture)
        if capture is None or image is None:
            if capture is not None:
                capture.release()
            raise InputError(
                f"{name} gives no video",
                hint="check the address, user and password (a pipeline with gst-launch-1.0), and"
                " that no other program has the camera open",
            )
        super().__init__(name, live=True, frames=None, fps=frame_rate(capture))
        self._clock, self._start_s = clock, clock()
        self._changed = threading.Condition()
        self._newest: Frame | None = Frame(0, 0.0, image)
        self._error: Exception | None = None
        self._ended = False
        self._closing = threading.Event()
        self._images = reconnecting(
            capture,
            connect,
            name,
            give_up_after_s=give_up_after_s,
            clock=clock,
            sleep=sleep or self._closing.wait,
        )
        self._thread = threading.Thread(target=self._run, name="sealshot-camera", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for index, image in enumerate(self._images, start=1):
                with self._changed:
                    if self._closing.is_set():
                        break
                    self.dropped += self._newest is not None
                    # the clock is read under the lock, so that no heartbeat overtakes the frame
                    self._newest = Frame(index, self._clock() - self._start_s, image)
                    self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            self._images.close()  # type: ignore[attr-defined]
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read(self) -> Frame | Heartbeat | None:
        while True:
            with self._changed:
                woken = self._changed.wait_for(
                    lambda: self._newest or self._ended or self._closing.is_set(),
                    HEARTBEAT_S,
                )
                frame, self._newest = self._newest, None
                ended = self._ended or self._closing.is_set()
                now_s = self._clock() - self._start_s
            if frame is not None and not self._closing.is_set():
                return frame
            if ended:
                if self._error is not None and not self._closing.is_set():
                    raise self._error
                return None
            if not woken:
                return Heartbeat(now_s)

    def close(self) -> None:
        """Stop reading.

        Waits a moment for the thread; one that sits in a read that OpenCV has not given up yet
        ends by itself when the read times out.
        """
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(CLOSE_WAIT_S)
