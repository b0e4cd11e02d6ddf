"""Alarms: what breaks the promise without a word if nobody acts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import mean, stdev

from sealshot.runtime.service.config import Alarms
from sealshot.runtime.service.state import Alarm, CameraState
from sealshot.runtime.service.tally import SCORES_KEPT

BURST_OVER_S = 60.0
SLOW_OVER_S = 60.0
SLOW_FPS = 8.0
"""Where less is taken of a camera that gives more, one person becomes several tracks."""
DAY_S = 86400.0
DISK_OVER_S = DAY_S
"""How far back it is looked for how fast a disk fills."""
DISK_LEAST_S = 3600.0
GROUPS, LEAST_GROUPS = 50, 8
"""Groups of ``SCORES_KEPT`` people whose mean scores say what is usual."""
FALL_SD = 4.0
STUCK_S = 60.0
"""Events that do not get through for less than this alarm nobody."""
JUMP_S = 60.0
JUMP_TOLD_S = 3600.0


@dataclass
class _Memory:
    """What is remembered of one camera."""

    people: deque[tuple[float, int]] = field(default_factory=deque)
    taken: deque[tuple[float, int, int]] = field(default_factory=deque)
    """When, and frames that were watched and dropped up to then."""
    free: deque[tuple[float, int]] = field(default_factory=deque)
    groups: deque[float] = field(default_factory=lambda: deque(maxlen=GROUPS))
    grouped: int = 0
    """People who were counted into groups."""
    latest: float | None = None


class Watchman:
    """Looks at the states of cameras again and again, and says what is alarming.

    Args:
        limits: what is too much.
    """

    def __init__(self, limits: Alarms) -> None:
        self.limits = limits
        self._memories: dict[str, _Memory] = {}
        self._active: dict[tuple[str, str], Alarm] = {}
        self._offset_s: float | None = None
        self._stuck_at = 0.0
        self._jump: tuple[float, str] = (0.0, "")

    def look(
        self,
        cameras: Sequence[CameraState],
        now: datetime,
        running_s: float,
        outlets: Sequence[str] = (),
    ) -> tuple[Alarm, ...]:
        """Return the alarms of this moment, each with when it began.

        Args:
            cameras: how they are.
            now: by the system's clock.
            running_s: a clock that nobody sets: seconds since boot.
            outlets: why events do not get through.
        """
        found: dict[tuple[str, str], str] = {}
        if jumped := self._jumped(now, running_s):
            found["clock-jumped", ""] = jumped
        self._stuck_at = self._stuck_at if outlets and self._stuck_at else running_s
        if outlets and running_s - self._stuck_at > STUCK_S:
            found["events-stuck", ""] = "; ".join(outlets)
        names = {camera.name for camera in cameras}
        self._memories = {n: m for n, m in self._memories.items() if n in names}
        for camera in cameras:
            memory = self._memories.setdefault(camera.name, _Memory())
            for name, text in self._of(camera, memory, now, running_s):
                found[name, camera.name] = text
        self._active = {
            (name, camera): Alarm(name, camera, text, self._since(name, camera, now))
            for (name, camera), text in found.items()
        }
        return tuple(self._active.values())

    def _since(self, name: str, camera: str, now: datetime) -> datetime:
        before = self._active.get((name, camera))
        return before.since if before else now

    def _jumped(self, now: datetime, running_s: float) -> str:
        offset_s = now.timestamp() - running_s
        before, self._offset_s = self._offset_s, offset_s
        if before is not None and abs(offset_s - before) > JUMP_S:
            way = "ahead" if offset_s > before else "back"
            self._jump = running_s, f"the clock was set {way} by {abs(offset_s - before):,.0f} s"
        at_s, text = self._jump
        return text if running_s - at_s < JUMP_TOLD_S else ""

    def _of(
        self, camera: CameraState, memory: _Memory, now: datetime, running_s: float
    ) -> Iterator[tuple[str, str]]:
        if camera.phase == "waiting":
            yield "camera-failing", camera.problem
        last = camera.last_frame or camera.since
        silent_s = (now - last).total_seconds()
        if camera.phase == "running" and silent_s > self.limits.silent:
            yield "camera-silent", f"no picture for {_duration(silent_s)}"
        if camera.public_problem:
            yield "public-failing", f"the public stream: {camera.public_problem}"
        yield from self._slow(camera, memory, running_s)
        yield from self._crowd(camera, memory, running_s)
        yield from self._score(camera, memory)
        vault = camera.vault
        if vault is None:
            return
        if vault.clock:
            yield "clock-wrong", vault.clock
        if vault.keys_days is not None and vault.keys_days < 1:
            yield "no-key", f"there are epoch keys for {vault.keys_days:.1f} days from now, no more"
        if vault.oldest_waiting_s > self.limits.upload:
            yield (
                "upload-stuck",
                f"shots wait for their upload: {vault.waiting}, the oldest for "
                f"{_duration(vault.oldest_waiting_s)}",
            )
        yield from self._disk(vault.free_bytes, memory, running_s)

    def _slow(
        self, camera: CameraState, memory: _Memory, running_s: float
    ) -> Iterator[tuple[str, str]]:
        taken = memory.taken
        if taken and camera.dropped < taken[-1][2]:  # a new watch counts from 0
            taken.clear()
        taken.append((running_s, camera.frames, camera.dropped))
        while len(taken) > 2 and taken[1][0] <= running_s - SLOW_OVER_S:
            taken.popleft()
        over_s = running_s - taken[0][0]
        frames, dropped = camera.frames - taken[0][1], camera.dropped - taken[0][2]
        if over_s >= SLOW_OVER_S and dropped > frames and frames < SLOW_FPS * over_s:
            yield (
                "too-slow",
                f"this machine takes {frames / over_s:.1f} frames a second of it, and drops "
                f"{dropped / over_s:.1f}: one person may count as several",
            )

    def _crowd(
        self, camera: CameraState, memory: _Memory, running_s: float
    ) -> Iterator[tuple[str, str]]:
        people = memory.people
        people.append((running_s, camera.people))
        while people[0][0] < running_s - BURST_OVER_S:
            people.popleft()
        count = camera.people - people[0][1]
        if count > self.limits.burst:
            yield "burst", f"{count} people in a minute: a crowd, or pictures of faces"

    def _score(self, camera: CameraState, memory: _Memory) -> Iterator[tuple[str, str]]:
        score = camera.mean_score
        if score is not None and camera.people - memory.grouped >= SCORES_KEPT:
            memory.grouped = camera.people
            if memory.latest is not None and not self._fell(memory):
                memory.groups.append(memory.latest)
            memory.latest = score
        if self._fell(memory):
            yield (
                "score-fell",
                f"the last {SCORES_KEPT} people score {memory.latest:.2f} where "
                f"{mean(memory.groups):.2f} is usual: is the lens dirty, or out of focus?",
            )

    def _fell(self, memory: _Memory) -> bool:
        if memory.latest is None or len(memory.groups) < LEAST_GROUPS:
            return False
        return memory.latest < mean(memory.groups) - FALL_SD * stdev(memory.groups)

    def _disk(self, free: int, memory: _Memory, running_s: float) -> Iterator[tuple[str, str]]:
        seen = memory.free
        if not seen or running_s - seen[-1][0] >= DISK_LEAST_S / 12:
            seen.append((running_s, free))
        while seen[0][0] < running_s - DISK_OVER_S:
            seen.popleft()
        if free < self.limits.disk_least:
            yield "disk-full", f"{free / 1e6:,.0f} MB are free on the vault's disk"
            return
        over_s, used = running_s - seen[0][0], seen[0][1] - free
        if over_s >= DISK_LEAST_S and used > 0:
            days = free / used * over_s / DAY_S
            if days < self.limits.disk_days:
                yield "disk-full", f"the vault's disk is full in {days:.1f} days at this rate"


def since_boot_s() -> float:
    """Return seconds since boot, sleep included: no clock change touches them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
