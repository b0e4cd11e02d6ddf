"""From the time stamps of a container, or a frame's arrival, to times that never run back."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import median
from typing import Generic, TypeVar

from sealshot.runtime.sources.reader import Picture
from sealshot.runtime.types import Frame

JUMP_S = 1.0
"""A stamp further ahead than this, and than ``JUMP_STEPS`` steps, is believed if others follow."""
JUMP_STEPS = 10
LONGEST_S = 1e10
"""No recording lasts three centuries; its date and these together stay below the year 9999."""
LOOK_AHEAD = 8
"""Pictures that are read ahead of a stamp that is in doubt."""
STEPS_KEPT = 9
LONGEST_STEP_S = 10.0
"""A live frame whose stamp is further from that of the one before it says nothing by it."""
LEAD_S = 1.0
"""How far a live frame's time may be ahead of its arrival."""
LEAST_STEP_S = 0.001
"""Between two live frames, whatever clock and stamps say: their times increase."""
CATCH_UP = 0.1
"""Share of each step by which a time that is ahead comes back towards the arrivals."""

T = TypeVar("T")
Time = TypeVar("Time", int, float)


class Queue(Generic[T]):
    """What is read one after the other, and may be looked at before its turn."""

    def __init__(self, read: Callable[[], T | None]) -> None:
        self._read, self._waiting = read, deque[T]()

    def next(self) -> T | None:
        """Return what comes next; None at the end."""
        return self._waiting.popleft() if self._waiting else self._read()

    def following(self) -> Iterator[T]:
        """Yield what is to come, up to ``LOOK_AHEAD`` of it, and keep it for its turn."""
        yield from islice(tuple(self._waiting), LOOK_AHEAD)
        while len(self._waiting) < LOOK_AHEAD and (item := self._read()) is not None:
            self._waiting.append(item)
            yield item


def settled(
    now: Time, before: Time, step: Time, jump: float, later: Callable[[], list[Time]]
) -> tuple[Time, bool]:
    """Return the time of what is stamped ``now``, and whether its clock began anew.

    Args:
        now: its stamp, in any unit.
        before: the time of what came before it.
        step: from one to the next.
        jump: a stamp that is further ahead is believed only if others follow.
        later: gives the stamps of what follows, as ``now``; called only where in doubt.
    """
    if before < now <= before + jump:
        return now, False
    stamps = later()
    if now <= before:
        return before + step, bool(stamps) and max(stamps) <= before
    return (before + step if any(before < s < now for s in stamps) else now), False


def timed(
    read: Callable[[], Picture | None], step_s: float, *, stamped: bool = True
) -> Iterator[Frame]:
    """Give each picture a time in seconds since the first.

    - A stamp that its successors contradict is dropped: one frame that is hours ahead of its
      neighbours, or behind them. So is one that is missing, or not later than the one before.
      The frame comes one step after the one before it.
    - A stamp more than ``LONGEST_S`` after the first is dropped, whatever its successors say.
    - Where the stamps stay ahead the time went on while no frame came. Where they stay behind a
      clock began anew, and time goes on from where it was.

    Args:
        read: gives the next picture; None at the end.
        step_s: seconds from a frame to the next, until the frames themselves say.
        stamped: False leaves all stamps out.
    """
    pictures = Queue(read)
    steps = deque([step_s] * 3, maxlen=STEPS_KEPT)
    offset_s, time_s, index = 0.0, -math.inf, 0

    def later() -> list[float]:
        stamps = (_finite(picture.stamp_s) for picture in pictures.following())
        return [stamp + offset_s for stamp in stamps if stamp is not None]

    while (picture := pictures.next()) is not None:
        stamp = _finite(picture.stamp_s) if stamped else None
        step = median(steps)
        jump = max(JUMP_S, JUMP_STEPS * step)
        if index == 0:
            offset_s, now = -(stamp or 0.0), 0.0
        elif stamp is None:
            now = time_s + step
        else:
            now, anew = settled(stamp + offset_s, time_s, step, jump, later)
            if anew:
                offset_s = now - stamp
        if now > LONGEST_S:
            now = time_s + step
        if index and now - time_s < jump:
            steps.append(now - time_s)
        time_s = now
        yield Frame(index, time_s, picture.pixels, picture.decoded)
        index += 1


class Arrivals:
    """Times of live frames: when they arrived, but those that a stalled line gives at once apart.

    Whoever was in view while nothing came would otherwise have been seen for no time at all. Such
    frames follow each other at the distance that their stamps give, up to ``LEAD_S`` ahead of
    their arrival, and come back to it over the next ones. A stamp that runs back or jumps says
    nothing.
    """

    def __init__(self) -> None:
        self._time_s, self._stamp_s = -math.inf, math.nan

    def time_s(self, arrival_s: float, stamp_s: float | None) -> float:
        """Return the time, s, of a frame that arrived now; always later than the one before."""
        stamp_s = math.nan if stamp_s is None else stamp_s
        step_s = stamp_s - self._stamp_s
        if not 0 < step_s < LONGEST_STEP_S:  # a stamp that is no number compares false
            step_s = 0.0
        laid_out_s = self._time_s + (1 - CATCH_UP) * step_s
        next_s = self._time_s + LEAST_STEP_S
        self._stamp_s = stamp_s
        self._time_s = max(arrival_s, min(laid_out_s, arrival_s + LEAD_S), next_s)
        return self._time_s


def _finite(stamp_s: float | None) -> float | None:
    return stamp_s if stamp_s is not None and math.isfinite(stamp_s) else None
