"""int8 screens, fp32 decides.

The rounding of int8 is small beside the differences between people, but not beside those between
neighbouring frames of one track. So each crop is scored in int8, which is fast, and scored again in
fp32 where it may be the best of its track:

    int8(crop) + margin >= int8(best so far)

A crop and the best so far are compared in the same precision, so that what int8 gets wrong in both,
such as a face darker than all that it was calibrated with, falls out. If for no crop of a track
``(fp32 - int8)(crop) - (fp32 - int8)(best so far) > margin``, the best is that of fp32, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.base import Engine
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.manifest import Manifest
from sealshot.runtime.types import Floats, Tracks

AGAIN = 0.5
"""Share of crops that is scored again as engines are timed: more than was measured on any clip."""


class Screen(Engine):
    """A score graph in int8 and in fp32, of which fp32 has the last word."""

    def __init__(self, quick: Engine, full: Engine, margin: float) -> None:
        """Start with no track.

        Args:
            quick: scores each crop.
            full: scores again what may be the best of its track; its scores are those that count.
            margin: see :attr:`Manifest.screen_margin`.
        """
        self.manifest = full.manifest
        self.description = f"{quick.description} screens, {full.manifest.precision} decides"
        self.again = 0
        """Crops that were scored again."""
        self._quick, self._full, self._margin = quick, full, margin
        self._best: dict[int, tuple[float, float]] = {}  # of each track, by full and by quick

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the scores of single crops, which only fp32 can tell: see :meth:`Engine.score`."""
        return self._full.score(crops)

    def score_tracks(self, crops: NDArray[np.uint8], tracks: Tracks) -> Floats:
        """See :meth:`Engine.score_tracks`.

        The score of a crop that was not scored again is an estimate, always below its track's best.
        """
        quick = self._quick.score(crops)
        best = [self._best.get(track.id, (0.0, -np.inf)) for track in tracks.seen]
        best_full, best_quick = np.array(best, np.float32).reshape(-1, 2).T
        near = quick + self._margin >= best_quick
        scores: Floats = best_full + (quick - best_quick)
        scores[near] = self._full.score(crops[near])
        self.again += int(near.sum())
        for i in np.flatnonzero(near):
            id = tracks.seen[i].id
            if id not in self._best or scores[i] > self._best[id][0]:
                self._best[id] = float(scores[i]), float(quick[i])
        for id in tracks.ended:
            self._best.pop(id, None)
        return scores

    def probe(self, crops: NDArray[np.uint8]) -> None:
        """See :meth:`Engine.probe`."""
        self._quick.score(crops)
        self._full.score(crops[: round(AGAIN * len(crops))])


def screened(engine: Engine, file: Path, open_full: Callable[[Path], Engine]) -> Engine:
    """Let an engine screen for the fp32 form of its model, if it is int8.

    Args:
        engine: one just opened.
        file: its model; of int8, ``NAME.int8.onnx`` or ``NAME.int8-RECIPE.onnx``.
        open_full: opens ``NAME.onnx`` beside it.

    Returns:
        The screen; or the engine, and where int8 cannot screen, :attr:`Engine.why` says why not.
    """
    if engine.manifest.precision != "int8":
        return engine
    margin = engine.manifest.screen_margin
    if margin is None:
        engine.why = "int8 cannot screen: its manifest states no margin; export it again"
        return engine
    try:
        full = open_full(file.with_name(f"{file.stem.rpartition('.')[0]}.onnx"))
    except SealshotError as error:
        engine.why = f"int8 cannot screen: {error.fact}"
        return engine
    if _model(full.manifest) != _model(engine.manifest):
        engine.why = "int8 cannot screen: the fp32 form beside it is another model"
        return engine
    return Screen(engine, full, margin)


def _model(manifest: Manifest) -> tuple[str, int, int, str]:
    return manifest.name, manifest.samples, manifest.seed, manifest.training_set_sha256
