"""What the reason of a shot tells of how well its face is to be seen, each number as a measure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.measures.measure import BATCH
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.pipeline.visibility import visibility

TOLD = "told:"
"""So begins the name of such a measure."""


def told(number: int) -> Callable[[View], float]:
    """Return the measure that is one of what :func:`visibility` returns."""

    def told_of(view: View) -> float:
        return float(_told(view)[number])

    told_of.__name__ = f"told {number}"
    return told_of


@lru_cache(maxsize=BATCH)
def _told(view: View) -> NDArray[np.float64]:
    """Look once for all numbers: measures are asked for a batch one after the other."""
    return visibility(view.image(), view.face.landmarks)
