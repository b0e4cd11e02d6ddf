"""Faces that were marked by hand are covered, those in profile, far away and in the dark too."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sealshot.runtime.public.hiding import MIN_FACE_PX, Hiding, open_detectors
from sealshot.runtime.public.picture import Blank
from sealshot.runtime.public.recording import Recording
from sealshot.runtime.public.sink import SEARCH_S
from sealshot.runtime.public.stream import PublicStream

EYES = Path(__file__).parents[2] / "data" / "public" / "eyes.csv"
AROUND_PX = 2


def marked() -> dict[str, dict[int, list[tuple[int, int]]]]:
    """Clip and frame to the eyes of faces of 20 px and more that are to be seen in it."""
    found: dict[str, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    with EYES.open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["clip"]][int(row["frame"])].append((int(row["x"]), int(row["y"])))
    return found


class Kept:
    """Takes the place of a writer: keeps the luma of the pictures that are asked for."""

    def __init__(self) -> None:
        self.lumas: list[np.ndarray] = []
        self._size = 0, 0

    def fit(self, planes: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        self._size = planes[0].shape[1], planes[0].shape[0]
        return planes

    def blank(self) -> Blank:
        return Blank.of(*self._size, "yuv420p")

    def write(self, planes: Sequence[np.ndarray], *_: Any) -> None:
        self.lumas.append(planes[0])


@pytest.mark.data
@pytest.mark.parametrize(
    ("clip", "first", "last"),
    [
        ("station-crowd.mp4", 0, 26),
        # in profile for half a second, in which bands come by at other times
        ("station-crowd.mp4", 48, 92),
        ("station-crowd.mp4", 50, 92),
        ("station-crowd.mp4", 56, 92),
        ("station-crowd.mp4", 80, 105),
        ("stage-five-people-cuts.mp4", 110, 130),
        ("stage-five-people-cuts.mp4", 205, 245),
    ],
)
def test_no_eye_is_shown(data: Path, clip: str, first: int, last: int) -> None:
    kept, eyes, before = Kept(), marked()[clip], {}
    detectors = open_detectors(["mtcnn"], MIN_FACE_PX, beside=True)
    stream = PublicStream(kept, detectors, Hiding(), None, SEARCH_S)  # type: ignore[arg-type]
    with Recording(data / "clips" / clip) as recording:
        for index, item in enumerate(recording):
            assert not isinstance(item, av.Packet)
            if index >= last:
                break
            if index >= first:
                before[index] = item.picture.planes[0].copy() if index in eyes else None
                stream.take(item.picture, item.see)
    stream.finish(whole=True)
    shown = []
    for index, places in eyes.items():
        if not first <= index < last:
            continue
        for x, y in places:
            area = np.s_[y - AROUND_PX : y + AROUND_PX + 1, x - AROUND_PX : x + AROUND_PX + 1]
            if np.array_equal(kept.lumas[index - first][area], before[index][area]):
                shown.append((index, x, y))
    assert shown == []
