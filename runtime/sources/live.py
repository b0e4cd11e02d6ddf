"""A camera: always its newest frame, and a new connection when the old one dies."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextvars import copy_context
from functools import partial

from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.sources.reader import CameraReader, Coming, NoVideoError, Picture
from sealshot.runtime.sources.source import HEARTBEAT_S, Source
from sealshot.runtime.sources.stamps import Arrivals
from sealshot.runtime.sources.waiting import Entry, Waiting
from sealshot.runtime.types import Frame, Heartbeat

logger = logging.getLogger(__name__)

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
JITTER = 0.25
"""Share of a delay that is left to chance, so that cameras do not all come back at once."""
CLOSE_WAIT_S = 1.0
START_WAIT_S = 3.0
"""How long the opening of a camera waits to learn whether it will ever work."""
TOLD_MORE_SELDOM = 1.5
"""An outage is told again when it has become this many times as long, and once an hour."""

NO_VIDEO, CHECK = "gives no video", "check the address, and that it plays elsewhere"
"""Of a camera for which to wait does not help."""

Connect = Callable[[], CameraReader]
"""Opens the camera, or raises NoVideoError."""
Sleep = Callable[[float], bool]
"""Waits for some seconds; True, at once, when it is time to stop."""


def delays() -> Iterator[float]:
    """Yield the seconds to wait before each attempt: 1, 2, 4 ... 30, less up to a quarter."""
    delay = FIRST_DELAY_S
    while True:
        yield delay * random.uniform(1 - JITTER, 1)
        delay = min(2 * delay, LONGEST_DELAY_S)


def reconnecting(
    connect: Connect,
    name: str,
    *,
    give_up_after_s: float | None,
    clock: Callable[[], float],
    sleep: Sleep,
) -> Generator[Picture | Coming | None, None, None]:
    """Yield what is read of a camera, over all its connections; None after each of them.

    Where there is no connection, or it gives no more frames, wait, connect, and wait longer after
    each failure; a connection without a frame is a failure too. A camera that is away at the start
    is waited for as one that goes away later is. It ends when ``sleep`` says so.

    Raises:
        SourceError: there was no frame for ``give_up_after_s``.
        InputError: the first attempt of all failed for a reason that does not pass.
    """
    alive_s = clock()
    waits = delays()
    lost, came, tell_s, damaged = False, False, 0.0, 0
    while True:
        why = ""
        try:
            reader = connect()
        except NoVideoError as error:
            if error.lasting and not came and not lost:
                raise error.refusal(name, NO_VIDEO, CHECK) from None
            why = f": {error.why}"
        else:
            try:
                while (picture := reader.read()) is not None:
                    if lost:
                        logger.warning("%s is back after %.1f s", name, clock() - alive_s)
                        lost, waits = False, delays()
                    alive_s, came = clock(), True
                    if reader.damaged > 2 * damaged:
                        damaged = reader.damaged
                        logger.warning(
                            "%s: packets of this connection that could not be decoded: %d",
                            name,
                            damaged,
                        )
                    yield picture
                    del picture  # which may be large
            except NoVideoError as error:
                why = f": {error.why}"
            finally:
                reader.close()
        if not came and not lost:  # that it is away is known from its first failure on
            alive_s = clock()
        silent_s = clock() - alive_s
        if give_up_after_s is not None and silent_s >= give_up_after_s:
            raise SourceError(
                f"{name} has given no frame for {silent_s:.0f} s{why}",
                hint="check the camera, its power and the network",
            )
        delay = next(waits)
        if not lost or silent_s >= tell_s:
            what = "gives no more frames" if not lost and came else "still gives no frame"
            what = what if lost or came else "gives no video yet"
            logger.warning("%s %s%s; connecting again in %.1f s", name, what, why, delay)
            tell_s = min(TOLD_MORE_SELDOM * silent_s, silent_s + 3600)
        lost, damaged = True, 0
        yield None
        if sleep(delay):
            return


class Live(Source):
    """The newest frame of a camera or a stream; one that follows a gap is followed by the next.

    A thread reads all the time, so that nothing queues up in the driver or on the network; what
    nobody asked for in time is replaced and counted in ``dropped``, see :class:`Waiting`. A reader
    that only says that a picture is there is asked for it once somebody waits for it. Indexes count
    every frame that was read, dropped ones included. ``time_s`` is the monotonic clock at the
    frame's arrival (what a stalled line gives at once is laid out by its stamps, see
    :class:`Arrivals`), from 0 at the first frame or heartbeat, and runs on while the camera is
    away, told by heartbeats.
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
        """Start to read; wait a moment for the first frame or the first failure.

        Args:
            connect: opens the camera.
            name: for messages and errors, without a password.
            give_up_after_s: raise SourceError after so long without a frame; None never does.
            clock: seconds, monotonic.
            sleep: waits between two attempts; tests give their own.

        Raises:
            InputError: there is no video, and to wait does not help: a wrong password, no such
                page. One that answers later than within a moment raises it when it is read.
        """
        super().__init__(name, live=True, frames=None, fps=None)
        self._connect, self._clock = connect, clock
        self._arrivals = Arrivals()
        self._start_s: float | None = None
        self._last_s = 0.0
        self._given_s = time.monotonic()
        self._changed = threading.Condition()
        self._waiting = Waiting()
        self._handed: Entry | None = None
        self._ask: Callable[[bool], None] | None = None
        """Of the present connection; None until it said that there is a picture."""
        self._asked = self._awaited = False
        self._error: Exception | None = None
        self._tried = self._ended = False
        self._closing = threading.Event()
        self._pictures = reconnecting(
            self._open,
            name,
            give_up_after_s=give_up_after_s,
            clock=clock,
            sleep=sleep or self._closing.wait,
        )
        run = partial(copy_context().run, self._run)  # what it logs is said of the same camera
        self._thread = threading.Thread(target=run, name="sealshot-camera", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._tried or self._ended, START_WAIT_S)
            if not self._tried and isinstance(self._error, InputError):
                raise self._error

    def _open(self) -> CameraReader:
        reader = self._connect()
        self.fps = reader.fps
        return reader

    def _run(self) -> None:
        try:
            for read in self._pictures:
                with self._changed:
                    if self._closing.is_set():
                        break
                    self._tried = True
                    self._take(read)
                    self._changed.notify_all()
                del read  # a picture that was taken is not kept until the next one comes
        except Exception as error:
            self._error = error
        finally:
            self._pictures.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take(self, read: Picture | Coming | None) -> None:
        """Keep what may be given; hand it over where somebody waits for it."""
        waiting = self._waiting
        if read is None:  # the connection is over
            waiting.lose()
            self._ask, self._asked = None, False
        elif isinstance(read, Picture) and self._asked and (asked := waiting.next) is not None:
            asked.picture, self._asked = read, False
        else:
            picture = None if isinstance(read, Coming) else read
            skipped = read.skipped if isinstance(read, Coming) else 0
            # the clock is read under the lock, so no heartbeat overtakes the frame
            waiting.add(self._arrivals.time_s(self._clock(), read.stamp_s), picture, skipped)
        if isinstance(read, Coming):
            self._ask = read.ask
        if self._awaited:
            self._hand_over()
        self.dropped = waiting.dropped

    def _hand_over(self) -> None:
        """Hand over what is next, or ask for it; for a neighbour at once, which is sure to be."""
        waiting = self._waiting
        self._handed = waiting.take()
        self._awaited = self._handed is None
        if (self._awaited or waiting.gap) and not self._asked and self._ask is not None:
            self._asked = True
            self._ask(waiting.gap)

    def wait(self) -> bool:
        """Wait until there is a picture to be had or a heartbeat is due; say which."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting.next or self._is_over(), self._until_heartbeat_s()
            )
            return self._waiting.next is not None

    def _is_over(self) -> bool:
        return self._ended or self._closing.is_set()

    def _until_heartbeat_s(self) -> float:
        """Return how long nothing may come; a picture that is there comes in a moment."""
        silent_s = 0.0 if self._waiting.next else time.monotonic() - self._given_s
        return max(0.0, HEARTBEAT_S - silent_s)

    def _read(self) -> Frame | Heartbeat | None:
        with self._changed:
            self._hand_over()
            self._changed.wait_for(
                lambda: self._handed or self._is_over(), self._until_heartbeat_s()
            )
            self._awaited, self._given_s = False, time.monotonic()
            entry, self._handed = self._handed, None
            if self._closing.is_set():
                return None
            if entry is None and self._ended:
                if self._error is not None:
                    raise self._error
                return None
            now_s = self._clock() if entry is None else entry.time_s
            self._start_s = now_s if self._start_s is None else self._start_s
            # a frame may be ahead of the clock, which the next heartbeat is not
            self._last_s = time_s = max(now_s - self._start_s, self._last_s)
        if entry is None or entry.picture is None:
            return Heartbeat(time_s)
        return Frame(entry.index, time_s, entry.picture.pixels, entry.picture.decoded)

    def close(self) -> None:
        """Stop reading.

        Waits a moment for the thread; one that sits in a read that is not given up yet ends by
        itself when the read times out.
        """
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(CLOSE_WAIT_S)
