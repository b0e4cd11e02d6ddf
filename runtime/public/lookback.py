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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from sealshot.runtime.public.cover import Region, margined
from sealshot.runtime.track import kalman
from sealshot.runtime.types import Track

Held = TypeVar("Held")

LOOK_S = 1.0
DEVIATIONS = 1.0
MOST_DRIFT = 0.5
"""Most that is added for not knowing where a face is, as a share of its larger side."""
FINDS_BEHIND = 8
"""Finds from which the motion before them is told; more do not change it."""


_Find = tuple[kalman.State, float, kalman.Array]
"""What is known of a face by a find: its state there, how far that is in time, and its box."""


@dataclass(eq=False)
class _Trail:
    """One track: where it was found, and what the motion model made of it."""

    times_s: list[float] = field(default_factory=list)
    boxes: list[kalman.Array] = field(default_factory=list)
    states: list[kalman.State] = field(default_factory=list)
    behind: tuple[float, float, kalman.State] | None = None
    """Of :meth:`_backwards`: the time of the find, that of the last one heeded, and what it gave"""

    def add(self, time_s: float, box: kalman.Array, state: kalman.State) -> None:
        self.times_s.append(time_s)
        self.boxes.append(box)
        self.states.append(state)

    def forget_before(self, time_s: float) -> None:
        """Keep what pictures from ``time_s`` on need: the last find before them is one of it."""
        gone = max(0, bisect_left(self.times_s, time_s) - 1)
        del self.times_s[:gone], self.boxes[:gone], self.states[:gone]

    def near(
        self, time_s: float, behind_s: float, ahead_s: float
    ) -> tuple[_Find | None, _Find | None]:
        """Return the finds next to a time, up to so far behind and ahead; one at it is both."""
        at = bisect_left(self.times_s, time_s)
        if at < len(self.times_s) and self.times_s[at] == time_s:
            find = self.states[at], 0.0, self.boxes[at]
            return find, find
        before = after = None
        if at and time_s - self.times_s[at - 1] <= behind_s:
            before = self.states[at - 1], time_s - self.times_s[at - 1], self.boxes[at - 1]
        if at < len(self.times_s) and self.times_s[at] - time_s <= ahead_s:
            after = self._backwards(at), self.times_s[at] - time_s, self.boxes[at]
        return before, after

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
        boxes = [np.asarray(track.face.box, np.float64) for track in seen]
        trails = [self._trails.setdefault(track.id, _Trail()) for track in seen]
        for trail, box, state in zip(trails, boxes, _states(time_s, trails, boxes), strict=True):
            trail.add(time_s, box, state)
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
        near = {id: trail.near(time_s, behind_s, ahead_s) for id, trail in self._trails.items()}
        regions = list(_regions(near))
        while self._ends_s and self._ends_s[0] <= time_s:
            self._ends_s.popleft()
        for id, trail in tuple(self._trails.items()):
            if time_s - trail.times_s[-1] > 2 * self._look_s:
                del self._trails[id]
            else:
                trail.forget_before(time_s)
        return held, regions


def _states(
    time_s: float, trails: Sequence[_Trail], boxes: Sequence[kalman.Array]
) -> Iterator[kalman.State]:
    """Yield what the motion model makes of the next finds of trails, all at once."""
    known = [at for at, trail in enumerate(trails) if trail.states]
    new: dict[int, kalman.State] = {}
    if known:
        before = kalman.stack([trails[at].states[-1] for at in known])
        passed = time_s - np.array([trails[at].times_s[-1] for at in known])
        state = kalman.correct(
            kalman.predict(before, passed), np.stack([boxes[at] for at in known])
        )
        new = dict(zip(known, kalman.unstack(state), strict=True))
    for at, box in enumerate(boxes):
        yield new[at] if at in new else kalman.start(box)


def _regions(near: dict[int, tuple[_Find | None, _Find | None]]) -> Iterator[Region]:
    """Yield what is to be covered of tracks by the finds before and after a time, all at once."""
    found = {id: find for id, (find, same) in near.items() if find is not None and find is same}
    between, beside = {}, {}
    for id, (before, after) in near.items():
        if id in found:
            continue
        if before is not None and after is not None:
            between[id] = before, after
        elif (known := before or after) is not None:
            beside[id] = known
    rows = dict[int, kalman.Array]()
    if found:
        boxes = np.stack([box for _, _, box in found.values()])
        # a box may be wrong where its track is not
        both = _both(_around(boxes), _around(_boxes(_stacked(found.values())[0])))
        rows.update(zip(found, both, strict=True))
    if between:
        ways = [kalman.predict(*_stacked(side)) for side in zip(*between.values(), strict=True)]
        rows.update(zip(between, _drifted(_joined(*ways)), strict=True))
    if beside:
        rows.update(zip(beside, _extrapolated(*_stacked(beside.values())), strict=True))
    for id in near:
        if id in rows:
            x0, y0, x1, y1, face_px = rows[id].tolist()
            yield Region((x0, y0, x1, y1), face_px, id)


def _stacked(finds: Iterable[_Find]) -> tuple[kalman.State, kalman.Array]:
    states, passed, _ = zip(*finds, strict=True)
    return kalman.stack(states), np.array(passed)


def _joined(one: kalman.State, other: kalman.State) -> kalman.State:
    """Return what two independent estimates say together (Fraser and Potter 1969, two filters)."""
    weight = other.cov[..., :1] / (one.cov[..., :1] + other.cov[..., :1])
    at = weight[..., 0] * one.at + (1 - weight[..., 0]) * other.at
    return kalman.State(at, one.speed, weight * one.cov)


def _boxes(state: kalman.State) -> kalman.Array:
    centre, size = state.at[:, :2], np.exp(state.at[:, 2:])
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _around(boxes: kalman.Array, grown_px: kalman.Array | float = 0.0) -> kalman.Array:
    """Return regions as rows ``[n, 5]``: the box of each, and the smaller side of its face."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack([margined(boxes, grown_px), size.min(axis=1)])


def _extrapolated(state: kalman.State, dt_s: kalman.Array) -> kalman.Array:
    """Return the region of a face that goes on as it went, or stops on the way, or in between.

    In the motion model a velocity fades, which is right for most. Who crosses the picture keeps it.
    """
    fading = kalman.predict(state, dt_s)
    steady = fading.at.copy()
    steady[:, :2] = state.at[:, :2] + dt_s[:, None] * state.speed[:, :2]
    return _both(_drifted(fading), _drifted(kalman.State(steady, fading.speed, fading.cov)))


def _both(one: kalman.Array, other: kalman.Array) -> kalman.Array:
    """Return the regions around two of each face."""
    low, high = np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])
    return np.concatenate([low, high], axis=1)


def _drifted(state: kalman.State) -> kalman.Array:
    """Return the region of a face that is expected, larger the less is known of where it is."""
    boxes = _boxes(state)
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    drift = DEVIATIONS * np.sqrt(state.cov[..., 0])
    by = drift[:, :2] + side * np.expm1(np.minimum(drift[:, 2:], 1.0)) / 2
    return _around(boxes, np.minimum(by, MOST_DRIFT * side))
