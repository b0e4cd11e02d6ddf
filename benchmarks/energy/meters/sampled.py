"""A meter that reads its channels again and again, on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sealshot.benchmarks.energy.meters.base import Meter, RailEnergy, Reading
from sealshot.benchmarks.energy.meters.integrate import (
    counter_energy,
    longest_gap,
    power_energy,
    unwrap,
)

INTERVAL_S = 0.02
COUNTER_LEAD_S = 0.25
"""Counters are read this long before and after the window: NVML's moves every 20 to 100 ms."""


@dataclass(frozen=True, eq=False)
class Channel:
    """One thing that can be read."""

    name: str
    source: str
    read: Callable[[], float]
    """Watts, or joules of a counter. Raises OSError or ValueError."""
    is_counter: bool = False
    is_total: bool = False
    wrap_j: float | None = None
    """Where the counter starts again at 0."""
    note: str = ""


class SampledMeter(Meter):
    """Samples channels of any kind; times are monotonic, so a step of the clock does not matter."""

    def __init__(
        self,
        name: str,
        channels: Sequence[Channel],
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._channels, self._interval_s, self._clock = tuple(channels), interval_s, clock
        counts = any(channel.is_counter for channel in channels)
        self._lead_s = COUNTER_LEAD_S if counts else 0.0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """See :meth:`Meter.start`; returns once the first reading has been taken."""
        self.begin()
        self._done.clear()
        self._thread = threading.Thread(target=self._sample, name="meter", daemon=True)
        self.sample()
        self._thread.start()
        time.sleep(self._lead_s)
        self._start = self._clock()

    def stop(self) -> Reading:
        """See :meth:`Meter.stop`."""
        end = self._clock()
        time.sleep(self._lead_s)
        if self._thread:
            self._done.set()
            self._thread.join()
            self._thread = None
        self.sample()
        return self.between(self._start, end)

    def begin(self) -> None:
        """Forget the readings so far."""
        self._times: list[list[float]] = [[] for _ in self._channels]
        self._values: list[list[float]] = [[] for _ in self._channels]
        self._failures: dict[int, str] = {}

    def sample(self) -> None:
        """Read every channel once; one that fails does not stop the others."""
        for i, channel in enumerate(self._channels):
            before = self._clock()
            try:
                value = channel.read()
            except (OSError, ValueError) as error:
                value = float("nan")
                self._failures[i] = getattr(error, "strerror", None) or str(error)
            self._times[i].append((before + self._clock()) / 2)
            self._values[i].append(value)

    def between(self, start: float, end: float) -> Reading:
        """Return the energy of each channel between two moments of the clock."""
        rails = tuple(self._energy(i, start, end) for i in range(len(self._channels)))
        return Reading(end - start, rails)

    def _energy(self, i: int, start: float, end: float) -> RailEnergy:
        channel = self._channels[i]
        times, values = np.array(self._times[i]), np.array(self._values[i])
        valid = np.isfinite(values)
        good = times[valid]
        notes = [channel.note] if channel.note else []
        if channel.is_counter:
            risen, resets = unwrap(values, channel.wrap_j)
            joules = counter_energy(times, risen, start, end)
            if resets:
                notes.append(f"the counter went back {resets} times: energy is missing")
            if joules is None and len(good):
                notes.append("the counter did not move: the window is too short")
        else:
            joules = power_energy(times, values, start, end)
        if i in self._failures:
            which = "every" if not valid.any() else f"{(~valid).sum()} of {len(valid)}"
            notes.append(f"{which} reading failed: {self._failures[i]}")
        within = int(((good >= start) & (good <= end)).sum())
        return RailEnergy(
            name=channel.name,
            source=channel.source,
            is_total=channel.is_total,
            joules=joules,
            samples=within,
            errors=int((~valid).sum()),
            rate_hz=within / (end - start) if end > start else 0.0,
            longest_gap_s=longest_gap(good, start, end),
            note="; ".join(notes),
        )

    def _sample(self) -> None:
        due = self._clock()
        while not self._done.is_set():
            self.sample()
            due = max(due + self._interval_s, self._clock())  # a late reading is not made up for
            self._done.wait(due - self._clock())
