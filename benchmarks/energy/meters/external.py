"""A meter between the board and its supply, read as lines: a file that a logger appends to, or a
serial port.

:mod:`~sealshot.benchmarks.energy.meters.lines` reads the lines; what is none, a header for one, is
skipped and counted. The logger's clock is not ours: what counts is when lines arrive. As
they may arrive late and many at once, the offset between both clocks is that of the line that came
fastest, taken anew where the logger's clock steps.
"""

from __future__ import annotations

import os
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sealshot.benchmarks.energy.meters.base import Meter, RailEnergy, Reading
from sealshot.benchmarks.energy.meters.integrate import Doubles, longest_gap, power_energy
from sealshot.benchmarks.energy.meters.lines import read_lines
from sealshot.runtime.errors import InputError

POLL_S = 0.01
LATEST_S = 2.0
"""How long after the window a logger may take to write down its end."""
STEP_S = 1.0
"""A logger's clock that moves by this much against ours has been set."""
BAUD = 115200


class LineMeter(Meter):
    """Reads lines from a file descriptor; takes it over."""

    def __init__(
        self,
        name: str,
        fd: int,
        *,
        torn: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._fd, self._clock = name, fd, clock
        self._done = threading.Event()
        self._part = b"torn " if torn else b""  # a port is opened in the middle of a line

    def start(self) -> None:
        """See :meth:`Meter.start`."""
        self.begin()
        self._done.clear()
        self._thread = threading.Thread(target=self._follow, name="meter", daemon=True)
        self._thread.start()
        self._start = self._clock()

    def stop(self) -> Reading:
        """See :meth:`Meter.stop`; waits for the line that closes the window, not for ever."""
        end = self._clock()
        while self._clock() < end + LATEST_S and not self._is_past(end):
            time.sleep(POLL_S)
        self._done.set()
        self._thread.join()
        return self.between(self._start, end)

    def begin(self) -> None:
        """Forget the lines so far; what waits to be read belongs to the past."""
        while data := self._read():
            self._part = (self._part + data).rpartition(b"\n")[2]
        self._lines: list[tuple[float, str]] = []  # arrival, text
        self._failure = ""

    def take(self) -> None:
        """Read the lines that have arrived."""
        data = self._read()
        now = self._clock()
        *lines, self._part = (self._part + data).split(b"\n")
        self._lines += [(now, line.decode(errors="replace")) for line in lines]

    def between(self, start: float, end: float) -> Reading:
        """Return the energy between two moments of our clock."""
        read = read_lines(list(self._lines))
        times = align(read.arrival, read.stamps)
        inside = int(((times >= start) & (times <= end)).sum())
        notes = ["all that hangs on the meter"]
        if read.why_not:
            notes.append(read.why_not)
        elif read.skipped:
            notes.append(f"{read.skipped} lines could not be read")
        if self._failure:
            notes.append(self._failure)
        if len(times) and times[-1] < end:
            notes.append(f"nothing came for the last {end - times[-1]:.1f} s")
        if not inside and not read.why_not:
            notes.append("no line came in the window")
        rail = RailEnergy(
            name="supply",
            source=self.name,
            is_total=True,
            joules=power_energy(times, read.watts, start, end) if inside else None,
            samples=inside,
            errors=read.skipped,
            rate_hz=inside / (end - start),
            longest_gap_s=longest_gap(times, start, end),
            note="; ".join(notes),
        )
        return Reading(end - start, (rail,))

    def _is_past(self, end: float) -> bool:
        read = read_lines(list(self._lines))  # the thread appends
        times = align(read.arrival, read.stamps)
        return len(times) > 0 and times[-1] >= end

    def _follow(self) -> None:
        while not self._done.wait(POLL_S):
            self.take()

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._failure = f"reading failed: {error.strerror}"
            return b""


def align(arrival: Doubles, stamps: Doubles) -> Doubles:
    """Put a logger's times on our clock.

    Args:
        arrival: when each line came, by our clock, seconds, rising.
        stamps: what the logger wrote, seconds by its clock.

    Returns:
        Rising times by our clock.
    """
    if not len(arrival):
        return arrival
    late = arrival - stamps
    forward, usual = np.diff(stamps), float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
    # in a burst the logger's time runs ahead by one interval a line; by more, its clock was set
    steps = np.flatnonzero((forward < 0) | (forward > np.diff(arrival) + STEP_S + 3 * usual)) + 1
    times = np.concatenate(
        [stamps[part] + late[part].min() for part in np.split(np.arange(len(late)), steps)]
    )
    return np.maximum.accumulate(times)


def open_csv(path: Path) -> LineMeter:
    """Follow a file that a logger appends to.

    Raises:
        InputError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", hint="start the logger first"
        ) from error
    return LineMeter(f"external meter, {path.name}", fd)


def open_serial(device: str, baud: int = BAUD) -> LineMeter:
    """Read a serial port: raw, 8 bits, no parity.

    Raises:
        InputError: it cannot be opened, or has no such speed.
    """
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise InputError(f"a serial port has no speed of {baud}", hint="use 9600 or 115200")
    try:
        fd = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        flags = termios.tcgetattr(fd)
        flags[0] = flags[1] = flags[3] = 0  # input, output, local: raw
        flags[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        flags[4] = flags[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, flags)
    except (OSError, termios.error) as error:
        raise InputError(
            f"{device} is not a serial port that can be opened: {error.args[-1]}",
            hint="name a device such as serial:/dev/ttyUSB0@115200",
        ) from error
    return LineMeter(f"external meter, {Path(device).name} at {baud} Bd", fd, torn=True)
