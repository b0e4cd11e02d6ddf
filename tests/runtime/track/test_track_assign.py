"""Gated assignment and the distance of the paper's tracker."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from sealshot.runtime.track.assign import assign
from sealshot.runtime.track.euclidean import distances

COSTS = arrays(
    np.float64,
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    elements=st.floats(-5, 5) | st.just(np.inf),
)


@given(COSTS, st.floats(-4, 4))
def test_assign_is_optimal_within_the_limit(cost: np.ndarray, limit: float) -> None:
    pairs = assign(cost, limit)
    rows, columns = cost.shape
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(cost[r, c] <= limit for r, c in pairs)

    def total(pairs) -> float:
        return sum(min(cost[r, c], limit) - limit for r, c in pairs)

    best = 0.0
    for size in range(1, min(rows, columns) + 1):
        for some in itertools.combinations(range(rows), size):
            for others in itertools.permutations(range(columns), size):
                best = min(best, total(zip(some, others, strict=True)))
    assert total(pairs) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("shape", [(12, 12), (9, 30), (30, 9), (40, 40)])
@pytest.mark.parametrize("limit", [0.05, 0.3, 2.0])
def test_assign_costs_what_scipy_finds(shape: tuple[int, int], limit: float) -> None:
    random = np.random.default_rng(sum(shape))
    for _ in range(5):
        cost = random.random(shape)
        pairs = assign(cost, limit)
        gated = np.minimum(cost, limit)
        best = gated[linear_sum_assignment(gated)].sum()
        found = sum(cost[pair] - limit for pair in pairs) + limit * min(shape)
        assert found == pytest.approx(best, abs=1e-9)


def test_a_dear_pair_is_not_made_for_the_sake_of_the_number() -> None:
    cost = np.array([[0.1, 0.9], [9.0, 0.2]])
    assert assign(cost, 1.0) == [(0, 0), (1, 1)]
    assert assign(np.array([[0.1, 0.95], [0.2, 9.0]]), 1.0) == [(0, 0)]


def test_distances_are_in_face_sizes() -> None:
    a = np.array([[0.0, 0, 40, 40]])
    b = np.array([[20.0, 0, 60, 40], [0, 0, 40, 40], [0, 30, 40, 70], [-20, -20, 60, 60]])
    assert distances(a, b)[0] == pytest.approx([0.5, 0, 0.75, 0])
    assert distances(a * 10, b * 10)[0] == pytest.approx([0.5, 0, 0.75, 0])
    assert distances(b, a)[:, 0] == pytest.approx(distances(a, b)[0])
