"""A recording again and again, for demonstrations and for tests that run for days."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sealshot.runtime.sources.source import Source, frames_of
from sealshot.runtime.types import Frame


class Loop(Source):
    """Opens a recording anew whenever it ends; indexes and times run on."""

    def __init__(self, open_once: Callable[[], Source]) -> None:
        self._open_once = open_once
        self._round: Source | None = open_once()
        super().__init__(self._round.name, live=False, frames=None, fps=self._round.fps)
        self.apart = self._round.apart
        self._frames = frames_of(self._round)
        self._lock = threading.Lock()
        self._index, self._time_s, self._start_s = -1, 0.0, 0.0

    def _read(self) -> Frame | None:
        with self._lock:
            if self._round is None:
                return None
            frame = next(self._frames, None)
            if frame is None:
                self._round.close()
                self._round = self._open_once()
                self._start_s = self._time_s + 1 / (self._round.fps or 1.0)
                self._frames = frames_of(self._round)
                frame = next(self._frames)
            self._index += 1
            self._time_s = self._start_s + frame.time_s
            return Frame(self._index, self._time_s, frame.pixels, frame.decoded)

    def close(self) -> None:
        """Close the recording."""
        with self._lock:
            if self._round is not None:
                self._round.close()
                self._round = None
