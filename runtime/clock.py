"""Time that a wrong system clock cannot move: nothing is deleted early because a clock jumped.

What was last known is kept in a file, with the time since boot, which no clock change touches. As
long as the machine runs, a jump is seen and the time since boot is trusted; after a restart, a
clock that went back, or far ahead, is not trusted until somebody says that it is right.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from sealshot.runtime.errors import VaultError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.seal.times import format_time, parse_time, utc_now

TOLERANCE = timedelta(hours=1)
"""A clock may be set by this much unnoticed: less than any retention."""
LONGEST_OFF = timedelta(days=7)
"""A machine that was off for longer must be told that its clock is right."""

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


class TrustedClock:
    """A clock with a memory.

    Args:
        state: file that remembers.
        clock: where time comes from.
        accept: take the system's clock as right, whatever was known before.

    Raises:
        VaultError: the file cannot be written.
    """

    def __init__(self, state: Path, clock: Clock | None = None, *, accept: bool = False) -> None:
        self._state, self._clock = state, clock or SystemClock()
        if accept:
            self._remember(self._clock.wall())

    def now(self) -> Trusted:
        """Return the time that may be trusted, and remember it."""
        trusted = self._judge(self._clock.wall(), self._clock.since_boot_s())
        self._remember(trusted.time)
        return trusted

    def _judge(self, wall: datetime, since_boot_s: float) -> Trusted:
        known = self._recall()
        if known is None:
            return Trusted(wall, "")
        last, last_since_boot_s, boot_id = known
        if boot_id == self._clock.boot_id() and since_boot_s >= last_since_boot_s:
            expected = last + timedelta(seconds=since_boot_s - last_since_boot_s)
            if abs(wall - expected) <= TOLERANCE:
                return Trusted(wall, "")
            return Trusted(expected, _jumped(wall, expected))
        if wall < last - TOLERANCE:
            return Trusted(last, _jumped(wall, last) + "; shots may be kept too long")
        if wall > last + LONGEST_OFF + timedelta(seconds=since_boot_s):
            expected = last + timedelta(seconds=since_boot_s)
            return Trusted(expected, _jumped(wall, expected) + "; shots may be kept too long")
        return Trusted(wall, "")

    def _recall(self) -> tuple[datetime, float, str] | None:
        try:
            known = json.loads(self._state.read_text())
            return parse_time(known["time"]), float(known["since_boot_s"]), str(known["boot_id"])
        except FileNotFoundError:
            return None
        except Exception as error:
            raise VaultError(
                f"{self._state} is damaged: it remembers the time",
                hint="check this machine's clock, then delete the file",
            ) from error

    def _remember(self, now: datetime) -> None:
        known = {
            "time": format_time(now),
            "since_boot_s": self._clock.since_boot_s(),
            "boot_id": self._clock.boot_id(),
        }
        try:
            write_atomic(self._state, json.dumps(known).encode())
        except OSError as error:
            raise VaultError(f"cannot write {self._state}: {error.strerror}") from error


def _jumped(wall: datetime, expected: datetime) -> str:
    apart = wall.astimezone(timezone.utc) - expected
    hours = abs(apart.total_seconds()) / 3600
    return (
        f"the clock says {format_time(wall)}, {hours:,.0f} hours "
        f"{'ahead of' if apart > timedelta() else 'behind'} what is known; "
        f"{format_time(expected)} is taken until `--clock-is-right` is given"
    )
