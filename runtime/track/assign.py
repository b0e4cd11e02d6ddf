"""Optimal assignment with a gate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def assign(cost: NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """Return pairs (row, column), each cost at most ``limit``, of the least total cost.

    To leave a row and a column alone costs ``limit``, so a dear pair is never made for the sake of
    the number of pairs.
    """
    rows, columns = linear_sum_assignment(np.minimum(cost, limit))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if cost[r, c] <= limit]
