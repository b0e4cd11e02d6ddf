"""How much of a person's identity is in some numbers that a model makes of a face?

Verification: given two pictures, are they of one person? The area under the ROC curve (AUC) says
how often a genuine pair is nearer than an impostor pair: 0.5 is chance, 1 is a perfect recogniser.
Two attackers try it:
- plain: cosine distance of the standardised numbers; of a single number, the difference;
- trained: the same after the directions in which pictures of one person differ were learnt, and
  shrunk, on other people (within-class covariance normalisation, Hatch et al. 2006); half of the
  people teach and the other half are attacked, then the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.bootstrap import REPLICATES, interval, resample
from sealshot.benchmarks.accuracy.erc.comparisons import pairs_of_people
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.runtime.errors import InputError

IMPOSTORS = 50_000
BLOCK = 5_000  # pairs at once
FLOOR = 0.05  # of the mean variance: few faces leave directions in which nobody was seen to differ


@dataclass(frozen=True)
class Leak:
    """How well some numbers tell people apart."""

    what: str
    numbers: int
    """A face."""
    plain: float
    """AUC of the plain attacker."""
    plain_low: float
    """95 % interval over people."""
    plain_high: float
    trained: float | None
    """AUC of the trained attacker; None for a single number, which has no directions."""

    @property
    def worst(self) -> float:
        """The AUC of the better attacker."""
        return max(self.plain, self.trained or 0.0)


def measure(what: str, numbers: NDArray[np.generic], people: NDArray[np.int64]) -> Leak:
    """Let both attackers tell people apart.

    Args:
        what: the name of the numbers.
        numbers: ``[faces, ...]``.
        people: ``[faces]``, the index of each face's person, from 0.

    Raises:
        InputError: the numbers are the same for each face, or not finite.
    """
    x = _standardised(np.asarray(numbers, np.float64).reshape(len(people), -1))
    ranks, person = _nearer(x, people)
    draws = [(w @ ranks) / w.sum(axis=1) for w in resample(person, REPLICATES, seed=0)]
    low, high = interval(np.concatenate(draws))
    return Leak(
        what=what,
        numbers=x.shape[1],
        plain=float(ranks.mean()),
        plain_low=float(low),
        plain_high=float(high),
        trained=_trained(x, people) if x.shape[1] > 1 else None,
    )


def within_class_whitening(x: Doubles, people: NDArray[np.int64]) -> Doubles:
    """Return the map ``[d, d]`` after which a person's pictures differ alike in all directions."""
    index = np.unique(people, return_inverse=True)[1]
    sums = np.zeros((index.max() + 1, x.shape[1]))
    np.add.at(sums, index, x)
    within = x - (sums / np.bincount(index)[:, None])[index]
    values, vectors = np.linalg.eigh(within.T @ within / len(x))
    return np.asarray(vectors / np.sqrt(values.clip(0) + FLOOR * values.mean()), np.float64)


def _standardised(x: Doubles) -> Doubles:
    """Return the columns with mean 0 and deviation 1; constant columns are left out."""
    if not np.isfinite(x).all():
        raise InputError("a number is not finite", hint="name another tensor")
    spread = x.std(axis=0)
    varies = spread > 1e-9 * np.abs(x).max(axis=0)
    if not varies.any():
        raise InputError("the numbers are the same for each face", hint="name another tensor")
    return np.asarray((x[:, varies] - x[:, varies].mean(axis=0)) / spread[varies], np.float64)


def _trained(x: Doubles, people: NDArray[np.int64]) -> float:
    """Return the AUC of the trained attacker: the mean of both halves of the people."""
    half = (np.random.default_rng(0).permutation(people.max() + 1) % 2)[people]
    found = []
    for taught in (0, 1):
        learn, attack = half == taught, half != taught
        whiten = within_class_whitening(x[learn], people[learn])
        y = (x[attack] - x[learn].mean(axis=0)) @ whiten
        attacked = np.unique(people[attack], return_inverse=True)[1]
        found.append(float(_nearer(y, attacked)[0].mean()))
    return float(np.mean(found))


def _nearer(x: Doubles, people: NDArray[np.int64]) -> tuple[Doubles, NDArray[np.int64]]:
    """Return the share of impostor pairs that are farther apart than each genuine pair (ties half).

    Their mean is the AUC.

    Returns:
        ``[n]`` and the person of each genuine pair ``[n]``.
    """
    genuine = np.stack(pairs_of_people(people), axis=1)
    drawn = np.random.default_rng(0).integers(0, len(people), (IMPOSTORS, 2))
    impostor = drawn[people[drawn[:, 0]] != people[drawn[:, 1]]]
    if x.shape[1] > 1:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    near, far = _apart(x, genuine), np.sort(_apart(x, impostor))
    below = np.searchsorted(far, near, side="left") + np.searchsorted(far, near, side="right")
    return 1 - below / (2 * len(far)), people[genuine[:, 0]]


def _apart(x: Doubles, pairs: NDArray[np.int64]) -> Doubles:
    """Return the squared distances of pairs ``[n, 2]`` of rows."""
    parts = []
    for block in np.array_split(pairs, -(-len(pairs) // BLOCK)):
        difference = x[block[:, 0]] - x[block[:, 1]]
        parts.append(np.einsum("nd,nd->n", difference, difference))
    return np.concatenate(parts)
