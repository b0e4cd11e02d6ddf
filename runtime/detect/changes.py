"""Which places of a picture changed, told at a coarse level.

Where nothing changes there is nothing new to find, and most places of most cameras do not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.sampling import Sampler

Places = NDArray[np.bool_]
"""``[rows, columns]`` of cells that cover a picture."""

Grey = NDArray[np.uint8]

CHANGED_LEVELS = 4
"""Of a cell: noise is below it, a face that comes far above."""
MOST = 0.6
"""Of the places: where more changed, parts cost as much as the whole."""
STRIP_ROWS = 32
"""Highest rectangle of windows that is cut out of a level."""


class Changes:
    """Remembers of each place when it last changed.

    A place is compared with how it was at its last change, not in the last frame: so what changes
    slowly is not passed over.
    """

    def __init__(self, cells: Grey, at: float) -> None:
        """Start with a picture.

        Args:
            cells: of it, see :func:`shrunk`.
            at: when, on a clock that begins at 0.
        """
        self._then = cells.copy()
        self._at = np.full(cells.shape, at)

    def add(self, cells: Grey, at: float) -> None:
        """Take the next picture, of the same size; ``at`` is no earlier than for the last."""
        changed = cv2.absdiff(cells, self._then) > CHANGED_LEVELS
        cv2.copyTo(cells, changed.view(np.uint8), self._then)
        np.maximum(self._at, at * changed, out=self._at)

    def after(self, at: float) -> Places:
        """Return the places that changed later than that."""
        changed: Places = self._at > at
        return changed


def shrunk(sampler: Sampler, width: int, height: int, cell_px: float) -> Grey:
    """Shrink a picture of a size to grey cells of about ``cell_px``, ``[rows, columns]``."""
    columns, rows = max(1, round(width / cell_px)), max(1, round(height / cell_px))
    return np.asarray(cv2.cvtColor(sampler.level(columns, rows), cv2.COLOR_BGR2GRAY), np.uint8)


def windows(
    places: Places, rows: slice, count: tuple[int, int], reach: tuple[float, float]
) -> Places:
    """Return which windows see one of ``places``, bool ``[len(rows), columns]``.

    Args:
        places: of the whole picture.
        rows: the rows of windows that matter.
        count: rows and columns of all windows, which are evenly spread over the picture.
        reach: height and width of a window, as shares of the picture.
    """
    top, bottom = _seen(count[0], reach[0], places.shape[0])
    left, right = _seen(count[1], reach[1], places.shape[1])
    top, bottom = top[rows, None], bottom[rows, None]
    sums = cv2.integral(places.view(np.uint8))
    found = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    seen: Places = found > 0
    return seen


def rectangles(wanted: Places, top: int, gap: int) -> Iterator[tuple[slice, slice]]:
    """Cover windows with rectangles: few, with little in them that is not wanted.

    Args:
        wanted: ``[rows, columns]``.
        top: number of the first row.
        gap: fewest columns between two rectangles.
    """
    for start in range(0, len(wanted), STRIP_ROWS):
        strip = wanted[start : start + STRIP_ROWS]
        columns = np.flatnonzero(strip.any(axis=0))
        if not len(columns):
            continue
        for run in np.split(columns, 1 + np.flatnonzero(np.diff(columns) > gap)):
            first, last = int(run[0]), int(run[-1]) + 1
            rows = start + np.flatnonzero(strip[:, first:last].any(axis=1))
            yield slice(top + int(rows[0]), top + int(rows[-1]) + 1), slice(first, last)


@cache
def _seen(windows: int, reach: float, cells: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and last (exclusive) of the cells that each window sees."""
    start = np.linspace(0, 1 - reach, windows) if windows > 1 else np.zeros(1)
    first = np.floor(start * cells).astype(np.intp)
    last = np.ceil((start + reach) * cells - 1e-6).astype(np.intp)
    return first, last.clip(first + 1, cells)
