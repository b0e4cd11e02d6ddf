"""Choices: how far a shot that a score chooses is from other pictures of its person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.bootstrap import interval
from sealshot.benchmarks.accuracy.erc.curve import Doubles, start_at_fmr
from sealshot.runtime.cli.terminal import warn
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats

REPLICATES = 2000
Selection = NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shots:
    """All shots of one person: of a track, or the photographs of them."""

    source: str
    """The clip or the data set."""
    person: int
    """The track, or the place among the people of the data set."""
    embedding: Floats
    """``[shots, d]``."""
    quality: Doubles
    """``[scores, shots]``."""
    frame: NDArray[np.int64]
    """``[shots]``: the frame of the clip, or the place among the pictures of the data set."""
    box: Floats | None = None
    """``[shots, 4]``: of the face, pixels; None where nobody asks."""

    @property
    def known(self) -> Doubles:
        """``[scores, shots]``: the quality, and lowest of all where a rating failed."""
        return np.where(np.isnan(self.quality), -np.inf, self.quality)

    def chosen(self) -> NDArray[np.int64]:
        """Return the shot that each score chooses, ``[scores]``: its place among the shots."""
        return np.asarray(np.argmax(self.known, axis=1), np.int64)

    def ordered(self, better: Selection, worse: Selection) -> Doubles:
        """Return how many pairs of a better and a worse shot each score puts in order.

        Args:
            better: selects shots by their place, or by a mask.
            worse: likewise.

        Returns:
            ``[scores]``; two of the same quality count a half.
        """
        above, below = self.known[:, better, None], self.known[:, worse][:, None]
        return np.asarray(((above > below) + 0.5 * (above == below)).sum(axis=(1, 2)))


@dataclass(frozen=True, eq=False)
class Cast:
    """Whom a clip or a data set shows."""

    people: tuple[Shots, ...]
    impostor: Doubles
    """``[n]``: distances between faces of different people, such as those of one frame."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """How far the chosen shots of one person are from other pictures, mean matcher distance.

    Those are the other shots, or a gallery.
    """

    source: str
    person: int
    shots: int
    frame: NDArray[np.int64]
    """``[scores]``: of the chosen shot."""
    by_score: Doubles
    """``[scores]``."""
    at_random: float
    """Expected distance of a shot chosen at random."""
    best: float
    """Distance of the best choice there is."""
    missed: Doubles
    """``[scores]``: share of those pictures that the matcher takes for another person."""
    missed_at_random: float


@dataclass(frozen=True)
class Performance:
    """How one score does over all people; intervals are of 95 %, by bootstrap over them."""

    score: str
    distance: float
    """Mean distance of the chosen shots to the other shots of the same person."""
    gained: float
    """How far it gets from a random choice (0) to the best one (1), in mean distance."""
    gained_low: float
    gained_high: float
    behind: float
    """What the first score gains more."""
    behind_low: float
    behind_high: float
    missed: float
    """Mean of :attr:`Chosen.missed`."""
    missed_low: float
    missed_high: float


def threshold_of(impostor: Doubles, fmr: float) -> float:
    """Return the distance at which the share ``fmr`` of impostors match; infinite if too few."""
    try:
        return start_at_fmr(impostor, fmr).threshold
    except InputError as error:
        warn(f"no threshold, so nothing is missed: {error.fact}")
        return float("inf")


def choose(shots: Shots, distance: str, threshold: float) -> Chosen:
    """Let each score choose a shot, and measure how far it is from the others."""
    apart = _apart(shots.embedding, shots.embedding, distance)
    np.fill_diagonal(apart, 0)
    others = len(apart) - 1
    # none misses itself
    return _chosen(shots, apart.sum(axis=1) / others, (apart >= threshold).sum(axis=1) / others)


def choose_for(shots: Shots, gallery: Floats, distance: str, threshold: float) -> Chosen:
    """Let each score choose a shot, and measure how far it is from a gallery of the person.

    Args:
        shots: of the person.
        gallery: ``[n, d]``, embeddings of other pictures of the person, n of 1 or more.
        distance: of the matcher.
        threshold: as :func:`threshold_of` gives it.
    """
    apart = _apart(shots.embedding, gallery, distance)
    return _chosen(shots, apart.mean(axis=1), (apart >= threshold).mean(axis=1))


def _apart(left: Floats, right: Floats, distance: str) -> Doubles:
    """Distance of each embedding on the left to each on the right, ``[left, right]``."""
    apart = 1 - left.astype(np.float64) @ right.T.astype(np.float64)
    # that is the cosine distance; the squared Euclidean one is twice it
    return np.asarray(np.sqrt(np.maximum(2 * apart, 0)) if distance == "euclidean" else apart)


def _chosen(shots: Shots, away: Doubles, missed: Doubles) -> Chosen:
    """Say what each score chose, of shots that are so far from other pictures: ``[shots]``."""
    best = shots.chosen()
    return Chosen(
        source=shots.source,
        person=shots.person,
        shots=len(away),
        frame=shots.frame[best],
        by_score=away[best],
        at_random=float(away.mean()),
        best=float(away.min()),
        missed=missed[best],
        missed_at_random=float(missed.mean()),
    )


def summarise(names: Sequence[str], chosen: Sequence[Chosen]) -> list[Performance]:
    """Return how each score does over all people."""
    distance = np.stack([c.by_score for c in chosen])  # [people, scores]
    at_random = np.array([[c.at_random] for c in chosen])
    best = np.array([[c.best] for c in chosen])

    def gain(people: NDArray[np.int64]) -> Doubles:
        won = (at_random - distance)[people].sum(axis=-2)
        there_is = (at_random - best)[people].sum(axis=-2)
        return np.asarray(won / np.maximum(there_is, 1e-9))

    gained = gain(np.arange(len(chosen)))
    missed = np.stack([c.missed for c in chosen])
    drawn = np.random.default_rng(0).integers(0, len(chosen), (REPLICATES, len(chosen)))
    draws = gain(drawn)
    columns = [
        distance.mean(axis=0),
        gained,
        *interval(draws),
        gained[0] - gained,
        *interval(draws[:, :1] - draws),
        missed.mean(axis=0),
        *interval(missed[drawn].mean(axis=1)),
    ]
    return [
        Performance(name, *(float(column[i]) for column in columns)) for i, name in enumerate(names)
    ]
