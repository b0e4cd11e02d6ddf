"""Turns at the processors, for cameras that are watched at once in one process.

Left to the system each camera would work whenever it can: as many pictures would be in hand as
there are threads, and whoever shows a crowd would take the processors from those with little to
see. So few of them work at a time: one more than there are processors, as who begins waits for its
picture to be made. Who waits for a turn goes on in the order of start times (start-time fair
queueing; Goyal, Vin and Cheng, SIGCOMM 1996): first that camera which has had least, counted from
when it last had nothing to do. What is cheap to look at never waits long, and what is left over
belongs to the dear ones. A turn ends before sinks are given what was seen: they may wait for a
disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sealshot.runtime.processors import processors


class Turns:
    """Lets so many work at once."""

    def __init__(self, places: int) -> None:
        """Start with nobody at work."""
        self.lock = threading.Lock()
        self.free = places
        self.waiting: list[Turn] = []
        self.now_s = 0.0
        """When the last turn started, in seconds of processor time that one of them could have had
        by then."""

    def call(self) -> None:
        """Let the next one begin, if there is a place; the lock is held."""
        if self.free and self.waiting:
            first = min(self.waiting, key=lambda turn: turn.start_s)
            self.waiting.remove(first)
            self.free -= 1
            self.now_s = max(self.now_s, first.start_s)
            first.called.notify()


class Turn:
    """That of one camera, whose thread alone uses it."""

    def __init__(self, turns: Turns) -> None:
        """Start as one that has had nothing."""
        self._turns = turns
        self._taken = False
        self._begun_s = self._end_s = 0.0
        self.called = threading.Condition(turns.lock)
        self.start_s = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and give it back after the block, if not before."""
        turns = self._turns
        with turns.lock:
            self.start_s = max(self._end_s, turns.now_s)
            turns.waiting.append(self)
            turns.call()
            self.called.wait_for(lambda: self not in turns.waiting)
            self._taken = True
        self._begun_s = time.thread_time()
        try:
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Let another one work; nothing where that is done already."""
        turns = self._turns
        with turns.lock:
            if self._taken:
                self._taken = False
                self._end_s = self.start_s + time.thread_time() - self._begun_s
                turns.free += 1
                turns.call()


TURNS = Turns(processors() + 1)
"""Of this process."""
