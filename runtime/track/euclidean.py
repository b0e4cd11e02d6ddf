"""The tracker of the paper: near boxes of consecutive frames are one person.

Baert, Leroux, Simoens 2021. The distance is that of the box centres, in units of the box size, so
that a near face may move further than a far one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.track.assign import assign
from sealshot.runtime.track.tracker import BoxTracker, Open, Pairs, boxes_of
from sealshot.runtime.types import Face

Box = NDArray[np.float64]


class Euclidean(BoxTracker[Box]):
    """Nearest centres, by optimal assignment.

    Args:
        max_distance: furthest centre that may still be the same person, in units of the mean of
            the two box sizes (the root of the area).
        lost_s: how long a person may go undetected.
    """

    def __init__(self, *, max_distance: float = 0.5, lost_s: float = 0.5) -> None:
        super().__init__(lost_s)
        self._max_distance = max_distance

    def _match(self, time_s: float, tracks: Sequence[Open[Box]], faces: Sequence[Face]) -> Pairs:
        boxes = np.stack([track.motion for track in tracks])
        return assign(distances(boxes, boxes_of(faces)), self._max_distance)

    def _start(self, face: Face) -> Box:
        box: Box = boxes_of([face])[0]
        return box

    def _move(
        self, time_s: float, tracks: Sequence[Open[Box]], faces: Sequence[Face]
    ) -> Sequence[Box]:
        return list(boxes_of(faces))


def distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances of the centres of boxes [n, 4] and [m, 4] over their size: [n, m]."""
    apart = (a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2
    size_a, size_b = (np.sqrt(np.prod(box[:, 2:] - box[:, :2], axis=1)) for box in (a, b))
    unit = (size_a[:, None] + size_b[None]) / 2
    result: NDArray[np.float64] = np.linalg.norm(apart, axis=2) / unit
    return result
