"""One engine for the tracks of several sources, whose threads ask it one at a time."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.heedful import Heedful
from sealshot.runtime.engines.scorer import Scorer
from sealshot.runtime.engines.screen import Screen
from sealshot.runtime.types import Floats, Pixels, Ratings, Tracks


class Shared(Scorer):
    """An engine that remembers no track, behind a lock: a GPU has one stream, a board one bus."""

    def __init__(self, engine: Scorer) -> None:
        self._engine, self._asked = engine, threading.Lock()
        self.manifest = engine.manifest
        self.description, self.why = engine.description, engine.why

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Scorer.score`."""
        with self._asked:
            return self._engine.score(crops)

    def rate_frame(
        self, image: Pixels, tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """See :meth:`Scorer.rate_frame`."""
        with self._asked:
            return self._engine.rate_frame(image, tracks, components)


def shared(engine: Scorer, sources: int) -> list[Scorer]:
    """Return a scorer for each of several sources, on one engine; what knows tracks is its own."""
    if sources == 1:
        return [engine]
    each: list[Scorer]
    if isinstance(engine, Heedful):
        each = [Heedful(one, engine.expression) for one in _shared(engine.engine, sources)]
    else:
        each = _shared(engine, sources)
    return each * (sources // len(each))


def _shared(engine: Scorer, sources: int) -> list[Scorer]:
    """Return one scorer for all sources, or one for each."""
    if isinstance(engine, Screen):
        quick, full = Shared(engine.quick), Shared(engine.full)
        return [Screen(quick, full) for _ in range(sources)]
    return [Shared(engine)]
