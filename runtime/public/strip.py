"""The visible strip: what outlives an encoder, below the picture.

Dark and light cells, a bit each, hold a note (:mod:`sealshot.runtime.public.note`). The width of
the picture decides how many cells there are in a row, so that the strip is found again in a picture
that was scaled. Cells are numbered row by row from the upper left one; a light cell is 1. What is
left of the last row is dark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.note import BITS, Note, from_bits, to_bits

COLUMNS = 320, 240, 160, 80
"""Cells in a row: the first of these of which a cell is ``CELL_PX`` wide."""
CELL_PX = 4
NARROWEST_PX = CELL_PX * COLUMNS[-1]
LEVELS = 60
"""From the middle grey to a light or a dark cell, of 256."""


def columns_of(width: int) -> int:
    """Return how many cells a row of the strip has.

    Raises:
        InputError: the picture is too narrow for a strip.
    """
    for columns in COLUMNS:
        if width >= CELL_PX * columns:
            return columns
    raise InputError(
        f"a picture of {width} px is too narrow for a strip",
        hint=f"it takes {NARROWEST_PX} px; leave --message out",
    )


def strip_px(width: int) -> int:
    """Return the height of the strip below a picture, an even number.

    Raises:
        InputError: the picture is too narrow for one.
    """
    columns = columns_of(width)
    return 2 * -(-_rows(columns) * width // columns // 2) + 2


def with_strip(planes: Sequence[Plane], note: Note) -> list[Plane]:
    """Return the planes of a picture with the strip below it."""
    height, width = planes[0].shape
    columns, below = columns_of(width), strip_px(width)
    light = 1 if planes[0].dtype == np.uint8 else 4
    bits = np.zeros(_rows(columns) * columns, bool)
    bits[:BITS] = to_bits(note)
    rows, cells = _edges(width, columns, below)
    luma = np.full((below, width), 128 * light, planes[0].dtype)
    drawn = np.where(bits.reshape(-1, columns), 128 + LEVELS, 128 - LEVELS) * light
    luma[rows[0] : rows[-1]] = drawn.repeat(np.diff(rows), 0).repeat(np.diff(cells), 1)
    grey = [
        np.full((below * p.shape[0] // height, p.shape[1]), 128 * light, p.dtype)
        for p in planes[1:]
    ]
    return [np.concatenate(pair) for pair in zip(planes, [luma, *grey], strict=True)]


def read_strip(luma: Plane) -> Note | None:
    """Return what the strip of a picture says; None where there is none that can be read."""
    width, readings = luma.shape[1], []
    for columns in COLUMNS:
        height = round(_rows(columns) * width / columns)
        if width < columns or luma.shape[0] <= height:
            continue
        shown = luma[-height:].astype(np.float32)
        # in the middle of each cell, where its edges are furthest
        y = ((np.arange(_rows(columns)) + 0.5) * height / _rows(columns)).astype(int)
        x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
        reach = max(0, width // columns // 4)
        mean = np.mean(
            [
                shown[np.clip(y + dy, 0, height - 1)][:, np.clip(x + dx, 0, width - 1)]
                for dy in range(-reach, reach + 1)
                for dx in range(-reach, reach + 1)
            ],
            axis=0,
        )
        middle = (np.percentile(mean, 10) + np.percentile(mean, 90)) / 2
        readings.append((mean > middle).ravel()[:BITS])
    return from_bits(readings)


def _rows(columns: int) -> int:
    return -(-BITS // columns)


def _edges(width: int, columns: int, below: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where rows and cells begin and end; the last row ends with the picture."""
    cells = np.rint(np.arange(columns + 1) * width / columns).astype(np.intp)
    rows = below - np.rint(np.arange(_rows(columns), -1, -1) * width / columns).astype(np.intp)
    return rows, cells
