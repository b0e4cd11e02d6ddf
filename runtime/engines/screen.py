"""int8 screens, fp32 decides.

The rounding of int8 is small beside the differences between people, but not beside those between
neighbouring frames of one track. So each crop is scored in int8, which is fast, and scored again in
fp32 where it may be the best of its track:

    int8(crop) + margin >= int8(best so far)

A crop and the best so far are compared in the same precision, so that what int8 gets wrong in both,
such as a face darker than all that it was calibrated with, falls out. If for no crop of a track
``(fp32 - int8)(crop) - (fp32 - int8)(best so far) > margin``, the best is that of fp32, exactly.
What eyes, mouth and turn count is added to both, and is the same in both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.manifest import ScoreManifest
from sealshot.runtime.engines.scorer import Scorer
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats, Ratings, Tracks

EXPORT_BOTH = "`sealshot export MODEL --precision fp32,int8 --calibrate FACES -o DIR` makes both"
NONE_YET = (0.0, float(np.finfo(np.float32).min))
"""The best of a new track, by fp32 and by int8, components included: any number beats it."""


class Screen(Scorer):
    """A score graph in int8 and in fp32, of which fp32 has the last word."""

    estimates = True

    def __init__(self, quick: Scorer, full: Scorer) -> None:
        """Start with no track.

        Args:
            quick: int8; scores each crop.
            full: fp32 of the same model; scores again what may be the best of its track, and its
                scores are those that count.

        Raises:
            InputError: the margin of ``quick`` is not known, or ``full`` is not its fp32 form.
        """
        margin = quick.manifest.screen_margin
        if margin is None:
            raise InputError("its manifest states no margin to screen with", hint=EXPORT_BOTH)
        if full.manifest.precision != "fp32" or _model(quick.manifest) != _model(full.manifest):
            raise InputError("what lies beside it is not its fp32 form", hint=EXPORT_BOTH)
        self.manifest = full.manifest
        engine = quick.description.rpartition(", ")[0]
        same = full.description.startswith(engine)
        decides = "fp32" if same else full.description
        self.description = f"{quick.description} screens, {decides} decides"
        self.why = quick.why
        self.again = 0
        """Crops that were scored again so far."""
        self.quick, self.full, self._margin = quick, full, margin
        # of each track, by full and by quick, components included
        self._best: dict[int, tuple[float, float]] = {}

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the scores of single crops, which only fp32 can tell: see :meth:`Scorer.score`."""
        return self.full.score(crops)

    def rate_tracks(
        self, crops: NDArray[np.uint8], tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """See :meth:`Scorer.rate_tracks`.

        The score of a crop that was not scored again is an estimate, never above its track's best;
        so is, then, the lowest score that the reason of a shot names, which says "about".
        """
        quickly = Ratings.of(self.quick.score(crops), components)
        quick, beside = quickly.order, quickly.components.sum(axis=1)
        best = [self._best.get(track.id, NONE_YET) for track in tracks.seen]
        best_full, best_quick = np.array(best, np.float32).reshape(-1, 2).T
        near = quick + self._margin >= best_quick
        scores: Floats = best_full + (quick - best_quick)
        full = self.full.score(crops[near])
        scores[near] = full + beside[near]
        self.again += int(near.sum())
        for i in np.flatnonzero(near):
            id = tracks.seen[i].id
            if id not in self._best or scores[i] > self._best[id][0]:
                self._best[id] = float(scores[i]), float(quick[i])
        for id in tracks.ended:
            self._best.pop(id, None)
        quality = scores - beside
        quality[near] = full
        return Ratings(quality, quickly.components)


def _model(manifest: ScoreManifest) -> tuple[str, int, int, str]:
    return manifest.name, manifest.samples, manifest.seed, manifest.training_set_sha256
