"""Time that a wrong system clock cannot move unseen: what a jump says is over is not deleted.

What was last known is kept in a file, with the time since boot, which no clock change touches.

- While the machine runs, the time since boot says what the clock must show, to an hour in all.
  Where it shows something else, the time since boot is taken.
- After a restart nothing says how long the machine was off. A clock that went back is not taken,
  nor one that is more than a week ahead; one that is ahead by more than an hour is, with a warning.
  What restarts add counts together, less the time that the machine runs: never above that week.
- The hour is one for all restarts: what the clock was set ahead within it before one counts as
  added by that, and what it was set back stays, less an hour for each day that the machine ran.
- Where nothing is known, the clock must have been set by somebody.
- A clock that was not taken after a restart, as one without a battery that says 1970, is taken
  again as soon as it shows a time within that week: when the network has set it.

What cannot be undone, as deleting shots or keys, goes by the earliest time that is credible:
without what restarts have added. Whatever is not taken is told, and stays so until somebody says
that the clock is right.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.files import read_regular, write_atomic
from sealshot.runtime.seal.times import format_time, parse_time, utc_now

CLOCK = ".clock"
"""The file in a vault that remembers."""
_STATE_LIMIT = 64 * 1024  # bytes; it takes 200
TOLERANCE = timedelta(hours=1)
"""A clock may be set by this much unnoticed: less than any retention."""
_FORGIVEN_IN = timedelta(days=1)
"""How long a machine runs until what its clock was set back within the tolerance is forgotten."""
LONGEST_OFF = timedelta(days=7)
"""A machine that was off for longer must be told that its clock is right."""

NOBODY_SET_IT = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""A clock that shows less has just begun. Nothing may be kept by it where nothing else is known."""

SLACK = timedelta(seconds=2)
"""What two readings of a clock may differ by between two questions."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What a machine knows of the time."""

    def wall(self) -> datetime:
        """Return the time of the system's clock, UTC."""

    def since_boot_s(self) -> float:
        """Return seconds since boot, sleep included."""

    def boot_id(self) -> str:
        """Return what names this boot."""


class SystemClock:
    """The clocks of Linux."""

    def wall(self) -> datetime:
        """Return the time of the system's clock, UTC."""
        return utc_now()

    def since_boot_s(self) -> float:
        """Return seconds since boot, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Return what names this boot."""
        return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The time, and what is wrong with the system's clock, if anything is."""

    time: datetime
    warning: str
    unproven: timedelta = timedelta()
    """How much of it restarts have added, and nothing has borne out."""

    @property
    def earliest(self) -> datetime:
        """The earliest that it may be: what cannot be undone goes by this."""
        return self.time - self.unproven


@dataclass(frozen=True, slots=True)
class _Memory:
    """What was known when it was last asked for."""

    time: datetime
    """The last time that was trusted."""
    boot_id: str
    anchor: datetime
    """The first time that was trusted in this boot."""
    anchor_s: float
    """Seconds since boot, then."""
    believed: bool
    """Whether the anchor is what the system's clock showed."""
    unproven: timedelta = timedelta()
    """What restarts had added by then, less the time that the machine ran since."""
    drift: timedelta = timedelta()
    """How far the last time that was trusted is ahead of what the anchor says."""


class TrustedClock:
    """A clock with a memory.

    Args:
        state: file that remembers.
        clock: where time comes from.
        accept: take the system's clock as right, whatever was known before.
    """

    def __init__(self, state: Path, clock: Clock | None = None, *, accept: bool = False) -> None:
        self._state, self._clock = state, clock or SystemClock()
        self._unwritten: _Memory | None = None
        """What is not in the file yet, as on a full disk: as good, until this process ends."""
        if accept:  # it is written with what is known next, so that a full disk ends nothing here
            self._unwritten = self._anchored(self._clock.wall(), believed=True)

    def now(self) -> Trusted:
        """Return the time that may be trusted, and remember it.

        Raises:
            InputError: nothing is known, and the system's clock was never set.
        """
        trusted, memory = self._judge()
        self._remember(memory)
        return trusted

    def peek(self) -> Trusted:
        """Return the time that may be trusted; nothing is written."""
        return self._judge()[0]

    def wall(self) -> datetime:
        """Return the time of the system's clock, right or wrong."""
        return self._clock.wall()

    def _judge(self) -> tuple[Trusted, _Memory]:
        wall, since_boot_s = self._clock.wall(), self._clock.since_boot_s()
        memory = self._recall()
        if memory is None:
            if wall < NOBODY_SET_IT:
                raise InputError(
                    f"the clock says {format_time(wall)}: nobody has set it yet",
                    hint="set it, or wait for the network to do so, and start again",
                )
            return Trusted(wall, ""), self._anchored(wall, believed=True)
        same_boot = memory.boot_id == self._clock.boot_id() != "" and (
            since_boot_s >= memory.anchor_s
        )
        if same_boot:
            expected = memory.anchor + timedelta(seconds=since_boot_s - memory.anchor_s)
            latest = expected + (TOLERANCE if memory.believed else LONGEST_OFF)
            ran = expected - memory.anchor
        else:
            ran = memory.time - memory.drift - memory.anchor
            set_back = min(memory.drift + ran * (TOLERANCE / _FORGIVEN_IN), timedelta())
            expected = memory.time - max(memory.drift, set_back)  # at least
            expected += timedelta(seconds=since_boot_s)
            latest = expected + LONGEST_OFF
        unproven = max(memory.unproven - ran, timedelta())
        added = max(wall - expected, timedelta())
        if same_boot and memory.believed:
            added = timedelta()
        if not expected - TOLERANCE <= wall <= latest or unproven + added > LONGEST_OFF:
            trusted = Trusted(expected, _jumped(wall, expected), unproven)
            if same_boot:
                return trusted, replace(memory, time=expected, drift=timedelta())
            return trusted, self._anchored(expected, believed=False, unproven=unproven)
        if same_boot and memory.believed:
            return Trusted(wall, "", unproven), replace(memory, time=wall, drift=wall - expected)
        unproven += added
        return (
            Trusted(wall, _was_off(wall, expected), unproven),
            self._anchored(max(wall, expected), wall, believed=True, unproven=unproven),
        )

    def _anchored(
        self,
        anchor: datetime,
        time: datetime | None = None,
        *,
        believed: bool,
        unproven: timedelta = timedelta(),
    ) -> _Memory:
        boot_id, since_boot_s = self._clock.boot_id(), self._clock.since_boot_s()
        time = time or anchor
        return _Memory(time, boot_id, anchor, since_boot_s, believed, unproven, time - anchor)

    def _recall(self) -> _Memory | None:
        if self._unwritten:
            return self._unwritten
        try:
            known = json.loads(read_regular(self._state, _STATE_LIMIT))
            return _Memory(
                time=parse_time(known["time"]),
                boot_id=str(known["boot_id"]),
                anchor=parse_time(known["anchor"]),
                anchor_s=float(known["anchor_s"]),
                believed=bool(known["believed"]),
                unproven=timedelta(seconds=float(known.get("unproven_s", 0.0))),
                drift=timedelta(seconds=float(known.get("drift_s", 0.0))),
            )
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultError(f"cannot read {self._state}: {error.strerror}") from error
        except Exception as error:
            raise VaultError(
                f"{self._state} is damaged: it remembers the time",
                hint="check this machine's clock, then delete the file",
            ) from error

    def _remember(self, memory: _Memory) -> None:
        self._unwritten = memory
        known = {
            "time": format_time(memory.time),
            "boot_id": memory.boot_id,
            "anchor": format_time(memory.anchor),
            "anchor_s": memory.anchor_s,
            "believed": memory.believed,
            "unproven_s": memory.unproven.total_seconds(),
            "drift_s": memory.drift.total_seconds(),
        }
        try:
            with _alone_in(self._state.parent):
                write_atomic(self._state, json.dumps(known).encode())
        except OSError as error:
            raise VaultError(
                f"cannot write {self._state}: {error.strerror}",
                hint="check the folder and its free space",
            ) from error
        self._unwritten = None


class RunningClock:
    """A trusted clock that is asked now and then; between, time goes on by itself.

    Args:
        trusted: what is asked.

    Raises:
        VaultError: its file cannot be read.
    """

    def __init__(self, trusted: TrustedClock) -> None:
        self._trusted = trusted
        self.set()

    def set(self) -> None:
        """Ask the trusted clock."""
        trusted = self._trusted.peek()
        self.warning = trusted.warning
        self._time, self._at = trusted.time, time.monotonic()
        self._unproven = trusted.unproven

    def earliest(self) -> datetime:
        """Return the earliest that it may be: what cannot be undone goes by this."""
        return self.now() - self._unproven

    def now(self) -> datetime:
        """Return the time."""
        return self._time + timedelta(seconds=time.monotonic() - self._at)

    def ahead_of_system(self) -> timedelta:
        """Return how far the time is ahead of the system's clock; 0 where that is trusted."""
        ahead = self.now() - self._trusted.wall()
        return ahead if abs(ahead) > SLACK else timedelta()

    def remember(self) -> None:
        """Have the trusted clock write down what is known."""
        self._trusted.now()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for the other runs on this vault, which remember their time in the same file."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _jumped(wall: datetime, expected: datetime) -> str:
    way = "ahead of" if wall > expected else "behind"
    return (
        f"the clock says {format_time(wall)}, {_hours(wall, expected)} {way} what is known; "
        f"{format_time(expected)} is taken, and shots may be kept too long, until "
        "`--clock-is-right` is given"
    )


def _was_off(wall: datetime, expected: datetime) -> str:
    if wall - expected <= TOLERANCE:
        return ""
    return (
        f"by its clock, {format_time(wall)}, this machine was off for {_hours(wall, expected)}: if "
        "that is right, shots are deleted that much late until it has run for as long, or "
        "`--clock-is-right` is given"
    )


def _hours(wall: datetime, expected: datetime) -> str:
    return f"{abs((wall - expected).total_seconds()) / 3600:,.0f} hours"
