"""Optimal assignment with a gate.

SciPy's solver would do, but its import takes half a second and 40 MB, which a camera's whole budget
is counted in, and behind a gate next to nothing is left to solve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]


def assign(cost: Costs, limit: float) -> list[tuple[int, int]]:
    """Return pairs (row, column), each cost at most ``limit``, of the least total cost.

    To leave a row and a column alone costs ``limit``, so a dear pair is never made for the sake of
    the number of pairs.

    Args:
        cost: ``[n, m]``, no NaN.
        limit: finite.
    """
    near = cost <= limit
    sure = near & (near.sum(axis=1, keepdims=True) == 1) & (near.sum(axis=0) == 1)
    pairs = [(int(row), int(column)) for row, column in np.argwhere(sure)]
    rows = np.flatnonzero((near & ~sure).any(axis=1))
    columns = np.flatnonzero((near & ~sure).any(axis=0))
    if len(rows):
        left = np.minimum(cost[np.ix_(rows, columns)], limit)
        chosen = [(int(rows[row]), int(columns[column])) for row, column in _least_total(left)]
        pairs = sorted(pairs + [pair for pair in chosen if near[pair]])
    return pairs


def _least_total(cost: Costs) -> list[tuple[int, int]]:
    """Return ``min(n, m)`` pairs of the least total cost.

    Shortest augmenting paths: Crouse 2016, "On implementing 2D rectangular assignment algorithms",
    doi 10.1109/TAES.2016.140952. ``u`` and ``v`` are the duals of rows and columns.
    """
    if len(cost) > len(cost[0]):
        return sorted((row, column) for column, row in _least_total(cost.T))
    rows, columns = cost.shape
    u, v = np.zeros(rows), np.zeros(columns)
    row_of, column_of = np.full(columns, -1), np.full(rows, -1)
    for start in range(rows):
        length, before = np.full(columns, np.inf), np.full(columns, -1)
        left = np.ones(columns, bool)
        row, least = start, 0.0
        while row >= 0:
            reached = least + cost[row] - u[row] - v
            shorter = left & (reached < length)
            length[shorter], before[shorter] = reached[shorter], row
            column = int(np.argmin(np.where(left, length, np.inf)))
            least = float(length[column])
            left[column] = False
            row = int(row_of[column])
        passed = ~left & (row_of >= 0)
        u[start] += least
        u[row_of[passed]] += least - length[passed]
        v[~left] -= least - length[~left]
        while row != start:
            row = int(before[column])
            row_of[column] = row
            column, column_of[row] = int(column_of[row]), column
    return list(enumerate(column_of.tolist()))
