"""Looking back: what is to be covered in a picture is decided when its near future is known.

A face that is found in one picture was there in those before it, where it was not found because it
was turned away, blurred or half hidden. So each picture waits for ``look_s`` seconds; then it is
covered wherever a track says that a face is, was or will be:

- where the face was found, at that place;
- between two finds, where the motion model expects it from both sides;
- before the first find, backwards along the track, for as long as a picture waits;
- after the last find, forwards along the track, for as long.

At the end of a scene nothing can be found later, so the same time is added behind: who was found in
the last two seconds of it stays covered up to its end.

Where a face is expected and not seen, the region grows by the standard deviation of the motion
model (:mod:`sealshot.runtime.track.kalman`), which holds for time that runs back as well.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np

from sealshot.runtime.public.cover import Region, around
from sealshot.runtime.track import kalman
from sealshot.runtime.types import Track

Held = TypeVar("Held")

LOOK_S = 1.0
DEVIATIONS = 1.0
MOST_DRIFT = 0.5
"""Most that is added for not knowing where a face is, as a share of its larger side."""
FINDS_BEHIND = 8
"""Finds from which the motion before them is told; more do not change it."""


@dataclass(eq=False)
class _Trail:
    """One track: where it was found, and what the motion model made of it."""

    times_s: list[float] = field(default_factory=list)
    boxes: list[kalman.Array] = field(default_factory=list)
    states: list[kalman.State] = field(default_factory=list)
    behind: tuple[float, float, kalman.State] | None = None
    """Of :meth:`_backwards`: the time of the find, that of the last one heeded, and what it gave"""

    def add(self, time_s: float, box: kalman.Array) -> None:
        if self.states:
            expected = kalman.predict(self.states[-1], time_s - self.times_s[-1])
            state = kalman.correct(expected, box)
        else:
            state = kalman.start(box)
        self.times_s.append(time_s)
        self.boxes.append(box)
        self.states.append(state)

    def forget_before(self, time_s: float) -> None:
        """Keep what pictures from ``time_s`` on need: the last find before them is one of it."""
        gone = max(0, bisect_left(self.times_s, time_s) - 1)
        del self.times_s[:gone], self.boxes[:gone], self.states[:gone]

    def regions(self, time_s: float, behind_s: float, ahead_s: float) -> Iterator[Region]:
        """Yield what is to be covered of this track at a time, by finds so far behind and ahead."""
        at = bisect_left(self.times_s, time_s)
        if at < len(self.times_s) and self.times_s[at] == time_s:
            # a box may be wrong where its track is not
            yield _both(around(self.boxes[at]), around(_box(self.states[at])))
            return
        before = after = None
        if at and time_s - self.times_s[at - 1] <= behind_s:
            before = self.states[at - 1], time_s - self.times_s[at - 1]
        if at < len(self.times_s) and self.times_s[at] - time_s <= ahead_s:
            after = self._backwards(at), self.times_s[at] - time_s
        if before and after:
            yield _drifted(_joined(kalman.predict(*before), kalman.predict(*after)))
        elif (known := before or after) is not None:
            yield _extrapolated(*known)

    def _backwards(self, first: int) -> kalman.State:
        """Return the state at a find as it looks to who comes from the finds after it."""
        last = min(first + FINDS_BEHIND, len(self.boxes) - 1)
        reach = self.times_s[first], self.times_s[last]
        if self.behind is not None and self.behind[:2] == reach:
            return self.behind[2]
        state = kalman.start(self.boxes[last])
        for at in range(last - 1, first - 1, -1):
            passed = self.times_s[at + 1] - self.times_s[at]
            state = kalman.correct(kalman.predict(state, passed), self.boxes[at])
        self.behind = (*reach, state)
        return state


class LookBack(Generic[Held]):
    """Holds pictures until it is known what is to be covered of them.

    It holds ``look_s`` seconds of pictures, and of each open track the finds of that time.
    """

    def __init__(self, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._waiting: deque[tuple[float, Held]] = deque()
        self._trails: dict[int, _Trail] = {}
        self._ends_s: deque[float] = deque()
        """When the last pictures of scenes are shown, those that wait or are to come."""

    def add(
        self, time_s: float, seen: Sequence[Track], held: Held, *, last: bool = False
    ) -> list[tuple[Held, list[Region]]]:
        """Take a picture and the tracks found in it; return the pictures that have waited enough.

        Args:
            time_s: of the picture; later than the one before.
            seen: boxes in pixels of the picture.
            held: the picture, in whatever form.
            last: whether it is the last one of its scene.
        """
        for track in seen:
            trail = self._trails.setdefault(track.id, _Trail())
            trail.add(time_s, np.asarray(track.face.box, np.float64))
        self._waiting.append((time_s, held))
        if last:
            self._ends_s.append(time_s)
        return self.advance(time_s)

    def advance(self, time_s: float) -> list[tuple[Held, list[Region]]]:
        """Take that it is ``time_s`` now; return the pictures that have waited enough."""
        ready = []
        while self._waiting and time_s - self._waiting[0][0] > self._look_s:
            ready.append(self._release())
        return ready

    def flush(self) -> list[tuple[Held, list[Region]]]:
        """Return the pictures that are left: nothing comes after them."""
        if self._waiting:
            self._ends_s.append(self._waiting[-1][0])
        return [self._release() for _ in range(len(self._waiting))]

    def _release(self) -> tuple[Held, list[Region]]:
        time_s, held = self._waiting.popleft()
        behind_s, ahead_s = self._look_s, self._look_s
        if self._ends_s and self._ends_s[0] - time_s < ahead_s:
            behind_s += ahead_s - (self._ends_s[0] - time_s)
        regions = [
            replace(region, track=id)
            for id, trail in self._trails.items()
            for region in trail.regions(time_s, behind_s, ahead_s)
        ]
        while self._ends_s and self._ends_s[0] <= time_s:
            self._ends_s.popleft()
        for id, trail in tuple(self._trails.items()):
            if time_s - trail.times_s[-1] > 2 * self._look_s:
                del self._trails[id]
            else:
                trail.forget_before(time_s)
        return held, regions


def _joined(one: kalman.State, other: kalman.State) -> kalman.State:
    """Return what two independent estimates say together (Fraser and Potter 1969, two filters)."""
    weight = other.cov[:, :1] / (one.cov[:, :1] + other.cov[:, :1])
    at = weight[:, 0] * one.at + (1 - weight[:, 0]) * other.at
    return kalman.State(at, one.speed, weight * one.cov)


def _box(state: kalman.State) -> kalman.Array:
    centre, size = state.at[:2], np.exp(state.at[2:])
    return np.concatenate([centre - size / 2, centre + size / 2])


def _extrapolated(state: kalman.State, dt_s: float) -> Region:
    """Return the region of a face that goes on as it went, or stops on the way, or in between.

    In the motion model a velocity fades, which is right for most. Who crosses the picture keeps it.
    """
    fading = kalman.predict(state, dt_s)
    steady = fading.at.copy()
    steady[:2] = state.at[:2] + dt_s * state.speed[:2]
    return _both(_drifted(fading), _drifted(kalman.State(steady, fading.speed, fading.cov)))


def _both(one: Region, other: Region) -> Region:
    """Return the region around two of one face."""
    (a, b, c, d), (e, f, g, h) = one.box, other.box
    box = min(a, e), min(b, f), max(c, g), max(d, h)
    return Region(box, max(one.face_px, other.face_px))


def _drifted(state: kalman.State) -> Region:
    """Return the region of a face that is expected, larger the less is known of where it is."""
    box = _box(state)
    side = (box[2:] - box[:2]).max()
    drift = DEVIATIONS * np.sqrt(state.cov[:, 0])
    by = np.minimum(drift[:2] + side * np.expm1(np.minimum(drift[2:], 1.0)) / 2, MOST_DRIFT * side)
    return around(box, by)
