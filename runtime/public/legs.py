"""Cutting tracks where they may have changed from one person to another.

To cover faces it does not matter whose they are, so the public stream follows whatever goes on near
where it was. To give back one person and nobody else it does. So a track of the tracker is told as
several, one after the other, wherever two people may have changed places in it:

- where two faces overlap, while they do, and after they have parted;
- where a face was lost for a while, the while itself, and after it;
- where the picture is cut.

To put together what belongs together is left to people who look at the stream.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.types import Track

LOST_S = 0.4
"""Who is not found for longer may be somebody else afterwards."""
OVERLAP = 0.1
"""IoU of two faces from which on their tracks may change places."""
APART_S = 0.4
"""How long two faces have to be apart before they are two people again."""
GIST = 32, 18
CUT_LEVELS = 18.0
"""Mean difference of two pictures shrunk to ``GIST`` that is a cut, of 256 levels."""


@dataclass(eq=False)
class _Legs:
    starts_s: list[float] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    seen_s: float = -math.inf
    near_s: float = -math.inf
    """When the face last overlapped another."""
    near: bool = False


class Legs:
    """Names the tracks of a tracker, and names them anew where they may mix two people."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._tracks: dict[int, _Legs] = {}

    def update(self, time_s: float, seen: Sequence[Track], *, cut: bool) -> None:
        """Take the faces of the next picture, and whether it shows another scene than the last."""
        boxes = np.array([track.face.box for track in seen], np.float32).reshape(-1, 4)
        overlap = iou(boxes, boxes)
        np.fill_diagonal(overlap, 0)
        for track, most in zip(seen, overlap.max(axis=1, initial=0), strict=True):
            legs = self._tracks.setdefault(track.id, _Legs())
            near = bool(most > OVERLAP)
            legs.near_s = time_s if near else legs.near_s
            apart = legs.near and time_s - legs.near_s > APART_S
            if legs.ids and time_s - legs.seen_s > LOST_S:
                self._begin(legs, np.nextafter(legs.seen_s, math.inf))
                self._begin(legs, time_s)
            elif not legs.ids or cut or apart or (near and not legs.near):
                self._begin(legs, time_s)
            legs.near = near or (legs.near and not apart)
            legs.seen_s = time_s

    def at(self, track: int, time_s: float) -> int:
        """Return what a track is called at a time."""
        legs = self._tracks[track]
        return legs.ids[max(bisect_right(legs.starts_s, time_s) - 1, 0)]

    def forget_before(self, time_s: float) -> None:
        """Forget what nobody at ``time_s`` or later is called."""
        for track in [t for t, legs in self._tracks.items() if legs.seen_s < time_s]:
            del self._tracks[track]
        for legs in self._tracks.values():
            gone = bisect_right(legs.starts_s, time_s) - 1
            if gone > 0:
                del legs.starts_s[:gone], legs.ids[:gone]

    def _begin(self, legs: _Legs, time_s: float) -> None:
        legs.starts_s.append(float(time_s))
        legs.ids.append(next(self._numbers))


class Cuts:
    """Tells where a stream of pictures is cut."""

    def __init__(self) -> None:
        self._gist: NDArray[np.float32] | None = None

    def is_cut(self, luma: Plane) -> bool:
        """Whether the next picture, of which this is the first plane, shows another scene."""
        levels = 256 if luma.dtype == np.uint8 else 1024
        thin = np.ascontiguousarray(luma[:: max(1, luma.shape[0] // 256), ::4])
        gist = cv2.resize(thin, GIST, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._gist = self._gist, gist
        return before is not None and np.abs(gist - before).mean() * 256 / levels > CUT_LEVELS
