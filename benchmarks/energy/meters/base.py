"""What every meter is, and what it found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class RailEnergy:
    """Energy of one channel over one window."""

    name: str
    source: str
    """The sensor behind it, for people."""
    is_total: bool
    """Whether it carries all that the board, or what is named in ``note``, draws."""
    joules: float | None
    """None where it could not be measured; ``note`` says why."""
    samples: int
    """Readings inside the window."""
    errors: int
    """Readings that failed."""
    rate_hz: float
    longest_gap_s: float
    """Longest time inside the window without a reading."""
    note: str = ""


@dataclass(frozen=True)
class Reading:
    """What a meter found in one window."""

    seconds: float
    rails: tuple[RailEnergy, ...]
    why_not: str = ""
    """Why nothing was measured; empty where something was."""


class Meter(ABC):
    """Measures energy between :meth:`start` and :meth:`stop`.

    The work must be synchronised before both: nothing may be left in a queue of the device.
    Scores that have come back as NumPy arrays are.
    """

    name: str
    """For people."""

    @abstractmethod
    def start(self) -> None:
        """Begin a window."""

    @abstractmethod
    def stop(self) -> Reading:
        """End the window."""


class NullMeter(Meter):
    """No meter: every window is "not measured", never a zero."""

    name = "not measured"

    def __init__(self, why_not: str) -> None:
        self._why_not = why_not

    def start(self) -> None:
        """See :meth:`Meter.start`."""

    def stop(self) -> Reading:
        """See :meth:`Meter.stop`."""
        return Reading(0.0, (), self._why_not)
