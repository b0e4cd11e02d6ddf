"""The one loop: frames and heartbeats of a source through the stages, to all sinks, in order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace

from sealshot.runtime.detect import Finder
from sealshot.runtime.errors import SealshotError, SourceError
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import Stages, Stopwatch
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.turns import TURNS, Turn
from sealshot.runtime.sources import Source, ahead
from sealshot.runtime.types import Face, Frame, Heartbeat

Rest = Callable[[], list[Face]]
"""What is left of the search for faces in a frame: see :meth:`Finder.look`."""
Looked = tuple[Frame | Heartbeat, Rest]


@dataclass(frozen=True)
class Watched:
    """What a watch did."""

    frames: int
    seconds: float
    """Wall time from the first frame to when the last sink had taken the end."""
    interrupted: bool
    failure: SealshotError | None
    """What ended it early; the sinks have got what was seen up to then."""

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds else 0.0


def watch(
    source: Source,
    stages: Stages,
    sinks: Sequence[Sink],
    stop: Stop | None = None,
    *,
    stop_after_s: float | None = None,
) -> Watched:
    """Watch a source to its end, and give all that is seen to sinks.

    Threads work on frames that follow each other: one looks for what is new, and the one that calls
    finds the faces and does all else. One more reads, where that is not done by a process apart. Of
    what each has done one frame waits, and of a recording a second one that was looked at, since to
    find takes now little, now much: more, and more threads, keep two processors no busier and hold
    memory. Heartbeats stay in order with the frames. A live source reads in a thread of its own and
    is asked for its newest frame when that can be looked at, no earlier.

    Of several cameras that are watched at once each has one thread for all of that, and takes turns
    with the others.

    Args:
        source: an open source; it stays open.
        stages: opened for it, and used for it alone.
        sinks: see :class:`Sink`.
        stop: ends the watch after the item in hand. Without it, or where it is not set by signals,
            Ctrl-C does, wherever the work is at that moment.
        stop_after_s: seconds of the source's own time.

    Returns:
        How it went. What broke in a way that sealshot knows is its ``failure``.

    Raises:
        KeyboardInterrupt: Ctrl-C, once ``stop`` was set; the sinks may lack the end.
        Exception: a defect; raised when the sinks have got the end.
    """
    stop, fan, watcher = stop or Stop(), _Fan(sinks), stages.watcher
    frames, interrupted = 0, False
    failure: Exception | None = None
    start = time.perf_counter()
    with stop.heeded():
        try:
            stopwatch, wake = stages.stopwatch, source.close
            turn = None if stages.alone or not source.live else Turn(TURNS)
            with ExitStack() as threads:
                given = stopwatch.timed("decode", source)
                if turn:
                    given = threads.enter_context(closing(in_turn(turn, source, stopwatch, stop)))
                items: Iterable[Frame | Heartbeat] = until(given, stop_after_s)
                if not any(sink.wants_decoded for sink in sinks):
                    items = map(bare, items)
                if not (source.live or source.apart):
                    read = threads.enter_context(ahead(items, 0, interrupt=wake))
                    items, wake = read, read.close
                ready: Iterable[Looked] = look(items, stages.finder, stopwatch)
                if not turn:
                    waiting = 0 if source.live else 1
                    ready = threads.enter_context(
                        ahead(ready, waiting, interrupt=wake, stop=stop.is_set)
                    )
                for item, faces in find(ready, stopwatch):
                    if isinstance(item, Frame):
                        frames += 1
                        seen: Seen | Beat = watcher.step(item, faces)
                    else:
                        seen = watcher.beat(item)
                    if turn:
                        turn.give_back()  # a sink may wait for a disk
                    fan.give(seen)
                    del item, seen  # so that no picture is held while the next one is waited for
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            interrupted = True
        except Exception as error:
            failure = error
        interrupted = interrupted or stop.is_set()
        end = watcher.finish(interrupted=interrupted, failure=failure)
        try:
            fan.give(end)
        except Exception as error:
            failure = error if failure is None or isinstance(failure, SealshotError) else failure
    if failure is not None and not isinstance(failure, SealshotError):
        raise failure
    return Watched(frames, time.perf_counter() - start, interrupted, failure)


def look(
    items: Iterable[Frame | Heartbeat], finder: Finder, stopwatch: Stopwatch
) -> Iterator[Looked]:
    """Look for faces in each frame, and pass on what is left to be done."""
    for item in items:
        rest: Rest = list
        if isinstance(item, Frame):
            with stopwatch.time("look"):
                rest = finder.look(item.time_s, item.pixels)
        yield item, rest
        del item, rest  # so that no picture is held while the next one is waited for


def find(
    items: Iterable[Looked], stopwatch: Stopwatch
) -> Iterator[tuple[Frame | Heartbeat, list[Face]]]:
    """Find the faces of each frame that was looked at; a heartbeat has none."""
    for item, rest in items:
        with stopwatch.time("detect"):
            faces = rest()
        del rest  # it holds what was made of the picture
        yield item, faces
        del item


def in_turn(
    turn: Turn, source: Source, stopwatch: Stopwatch, stop: Stop
) -> Generator[Frame | Heartbeat]:
    """Give what a source does; a picture is asked for, and looked at, in turn."""
    while not stop.is_set():
        with turn.taken() if source.wait() else nullcontext():
            with stopwatch.time("decode"):
                item = None if stop.is_set() else next(source, None)
            if item is None:
                return
            yield item
            del item  # so that no picture is held while the next one is waited for


def bare(item: Frame | Heartbeat) -> Frame | Heartbeat:
    """Let go of the picture as it was decoded."""
    return replace(item, decoded=None) if isinstance(item, Frame) else item


def until(
    items: Iterable[Frame | Heartbeat], stop_after_s: float | None
) -> Iterator[Frame | Heartbeat]:
    """Pass items on up to the first one at ``stop_after_s`` or later; None passes all.

    Raises:
        SourceError: until then there was no frame.
    """
    came, limit_s = False, stop_after_s or math.inf
    for item in items:
        came = came or isinstance(item, Frame)
        over = item.time_s >= limit_s
        yield item
        del item  # so that no picture is held while the next one is waited for
        if over:
            if not came:
                raise SourceError(
                    f"no picture came in {stop_after_s:g} s", "check the camera and its address"
                )
            return


class _Fan:
    """Gives each item to all sinks; leaves out those that have failed."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = list(sinks)

    def give(self, item: Seen | Beat | End) -> None:
        failure = None
        for sink in tuple(self._sinks):
            try:
                if isinstance(item, Seen):
                    sink.seen(item)
                elif isinstance(item, Beat):
                    sink.beat(item)
                else:
                    sink.end(item)
            except Exception as error:
                self._sinks.remove(sink)
                failure = failure or error
        if failure is not None:
            raise failure
