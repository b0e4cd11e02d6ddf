"""Optimal assignment with a gate."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """Return pairs (row, column), each cost at most ``limit``, of the least total cost.

    To leave a row and a column alone costs ``limit``, so a dear pair is never made for the sake of
    the number of pairs.
    """
    if min(cost.shape) < 2:
        return [(r, c) for r, c in _least(cost) if cost[r, c] <= limit]
    rows, columns = _solver()(np.minimum(cost, limit))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if cost[r, c] <= limit]


def prepare() -> None:
    """Import SciPy in a thread: it takes half a second, for which no frame is to wait."""
    threading.Thread(target=_solver, name="sealshot-import").start()


def _solver() -> Callable[[NDArray[np.float64]], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment  # type: ignore[no-any-return]


def _least(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the place of the least cost, if there is any: all that one row or column can have."""
    if not cost.size:
        return []
    row, column = np.unravel_index(np.argmin(cost), cost.shape)
    return [(int(row), int(column))]
