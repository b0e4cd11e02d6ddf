"""What the reason of a shot tells of how well its face is to be seen, each number as a measure."""

from __future__ import annotations

from collections.abc import Callable

from sealshot.benchmarks.data.faces import View
from sealshot.runtime.pipeline.visibility import visibility


def told(number: int) -> Callable[[View], float]:
    """Return the measure that is one of what :func:`visibility` returns."""

    def told_of(view: View) -> float:
        return float(visibility(view.image(), view.face.landmarks)[number])

    told_of.__name__ = f"told {number}"
    return told_of
