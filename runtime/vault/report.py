"""What logs say of a period: what was sealed, opened, held and destroyed, and when cameras watched.

Each function takes the entries of a log that was verified; it tells no more than the keeper of the
log wrote, and signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from sealshot.runtime.seal.entries import (
    Answered,
    Destroyed,
    Entry,
    HoldEnded,
    HoldKept,
    HoldPlaced,
    PolicyChanged,
    Published,
    Purged,
    Refused,
    Rewrapped,
    Sealed,
    Started,
    Stopped,
    Uploaded,
)
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import epoch_end, format_time, parse_time

ON_TIME = timedelta(days=1)
"""After the end of its time a key may live for so long: a timer destroys it once a day."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a time to before another."""

    start: datetime
    end: datetime

    def has(self, time: str) -> bool:
        """Whether a time of a log is in it."""
        return format_time(self.start) <= _whole(time) and not self.is_over(time)

    def is_over(self, time: str) -> bool:
        """Whether a time of a log is after it."""
        return _whole(time) >= format_time(self.end)

    @property
    def hours(self) -> int:
        """How many hours begin in it."""
        return -int((self.start - self.end) // timedelta(hours=1))


@dataclass(slots=True)
class OfCase:
    """What was done for a case under one warrant."""

    case: str
    warrant: str
    shots: int = 0
    first: str = ""
    last: str = ""

    def add(self, time: str) -> None:
        """Count one shot."""
        self.shots += 1
        self.first, self.last = self.first or time, time


@dataclass(slots=True)
class Hold:
    """A legal hold, as the log of a camera or of the custodian has it."""

    case: str
    warrant: str
    until: str
    since: str
    ended: str = ""
    shots: int = 0
    """Of a custodian: whose secrets it keeps. A camera holds all that the warrant is for."""


@dataclass(slots=True)
class CameraReport:
    """What the log of a camera says."""

    hours: int
    """Of the period."""
    watched: int = 0
    """Hours of the period in which it watched."""
    starts: int = 0
    unclean: int = 0
    """Starts that no stop came before: a kill, or a power cut."""
    sealed: int = 0
    uploaded: int = 0
    purged: dict[str, int] = field(default_factory=dict)
    """Reason to shots."""
    there: int = 0
    """At the end of the period."""
    over: int = 0
    """Of those, over their retention; what is on hold counts too."""
    holds: list[Hold] = field(default_factory=list)


@dataclass(slots=True)
class PartyReport:
    """What the log of an authority or of the custodian says."""

    answered: list[OfCase] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    """Reason to shots, or to requests that were refused as a whole."""
    rewrapped: list[OfCase] = field(default_factory=list)
    """Of an authority: held shots whose shares it gave to those that came after."""
    published: int = 0
    """Epoch keys."""
    due: int = 0
    """Epoch keys whose time was over in the period."""
    destroyed: int = 0
    """Of those, destroyed within a day."""
    late: dict[str, str] = field(default_factory=dict)
    """Of those, the others: epoch to when it was destroyed; empty where it was not."""
    cases_destroyed: int = 0
    """Keys of holds that were destroyed in the period."""
    holds: list[Hold] = field(default_factory=list)


def of_camera(entries: Iterable[Entry], period: Period, policy: Policy) -> CameraReport:
    """Return what a camera did.

    Args:
        entries: of its log, from the first on.
        period: what is told of.
        policy: with its versions; what is over is judged by the one that the log has by then.
    """
    report, version = CameraReport(period.hours), 1
    purged, there = Counter[str](), set()
    hours, watching = set(), False
    holds: dict[tuple[str, str], Hold] = {}
    for entry in entries:
        if period.is_over(entry.time):
            break
        inside = period.has(entry.time)
        if isinstance(entry, Started):
            report.starts += inside
            report.unclean += inside and watching
            watching = True
        if isinstance(entry, Started | PolicyChanged):
            version = entry.version
        if watching and inside:
            hours.add(entry.time)
        if isinstance(entry, Stopped):
            watching = False
        elif isinstance(entry, Sealed):
            report.sealed += inside
            there.add(entry.id)
        elif isinstance(entry, Uploaded):
            report.uploaded += inside
        elif isinstance(entry, Purged):
            purged[entry.reason] += inside
            there.discard(entry.id)
        elif isinstance(entry, HoldPlaced):
            hold = Hold(entry.case, entry.warrant, entry.until, entry.time)
            holds[entry.warrant, entry.until] = hold
        elif isinstance(entry, HoldEnded) and (entry.warrant, entry.until) in holds:
            holds[entry.warrant, entry.until].ended = entry.time
    report.watched = len(hours)
    report.purged = {reason: count for reason, count in sorted(purged.items()) if count}
    report.there = len(there)
    by_then = next((one for one in policy.versions if one.version == version), policy)
    epochs = Counter(object_id.partition("/")[0] for object_id in there)
    report.over = sum(n for epoch, n in epochs.items() if by_then.end_of(epoch) <= period.end)
    report.holds = _in_period(holds.values(), period)
    return report


def of_party(entries: Iterable[Entry], period: Period, policy: Policy) -> PartyReport:
    """Return what an authority or the custodian did.

    Args:
        entries: of its log, from the first on.
        period: what is told of.
        policy: with its versions; when a key had to go is judged by those that the log has.
    """
    report = PartyReport()
    refused = Counter[str]()
    cases: dict[str, OfCase] = {}
    rewrapped: dict[str, OfCase] = {}
    holds: dict[str, Hold] = {}
    published: dict[str, int] = {}  # to the version that was in force
    rules = _Rules(policy)
    destroyed: dict[str, str] = {}
    for entry in entries:
        inside = period.has(entry.time)
        if isinstance(entry, Destroyed) and entry.epoch:  # also after the period: late
            destroyed[entry.epoch] = entry.time
        if period.is_over(entry.time):
            continue
        if isinstance(entry, Answered) and inside:
            cases.setdefault(entry.warrant, OfCase(entry.case, entry.warrant)).add(entry.time)
        elif isinstance(entry, Rewrapped) and inside:
            rewrapped.setdefault(entry.warrant, OfCase(entry.case, entry.warrant)).add(entry.time)
        elif isinstance(entry, Refused):
            refused[entry.reason] += inside
        elif isinstance(entry, Published):
            report.published += inside
            published[entry.epoch] = rules.version
        elif isinstance(entry, PolicyChanged):
            rules.change(entry)
        elif isinstance(entry, Destroyed) and entry.warrant:
            report.cases_destroyed += inside
            if entry.warrant in holds:
                holds[entry.warrant].ended = entry.time
        elif isinstance(entry, HoldKept):
            new = Hold(entry.case, entry.warrant, entry.until, entry.time)
            holds.setdefault(entry.warrant, new).shots += 1
    ends = {epoch: rules.end_of(epoch, version) for epoch, version in published.items()}
    due = {epoch: end for epoch, end in ends.items() if period.start <= end < period.end}
    report.answered = list(cases.values())
    report.rewrapped = list(rewrapped.values())
    report.refused = {reason: count for reason, count in sorted(refused.items()) if count}
    report.due = len(due)
    report.late = {
        epoch: destroyed.get(epoch, "")
        for epoch, over in sorted(due.items())
        if epoch not in destroyed or parse_time(destroyed[epoch]) > over + ON_TIME
    }
    report.destroyed = report.due - len(report.late)
    report.holds = _in_period(holds.values(), period)
    return report


class _Rules:
    """When keys had to be destroyed, by the versions of a policy that a custodian went by."""

    def __init__(self, policy: Policy) -> None:
        self._versions = {one.version: one for one in policy.versions}
        self.version = 1
        self._since = {1: datetime.min.replace(tzinfo=timezone.utc)}

    def change(self, entry: PolicyChanged) -> None:
        """Go by another version from now on."""
        self.version = entry.version
        self._since.setdefault(entry.version, parse_time(entry.time))

    def end_of(self, epoch: str, version: int) -> datetime:
        """Return when the key of an epoch had to go that was made under a version.

        A later version that keeps for less ends it, and not before it came; one that keeps for
        longer does not prolong it.
        """
        later = [one for one in self._since if one >= version and one in self._versions]
        end = epoch_end(epoch)
        ends = (max(end + self._versions[one].retention_time, self._since[one]) for one in later)
        return min(ends, default=self._versions[max(self._versions)].end_of(epoch))


def _whole(time: str) -> str:
    """Return a time of a log to the second: cameras have hours. As texts they have an order."""
    return time if len(time) > len("2026-11-21T10") else f"{time}:00:00Z"


def _in_period(holds: Iterable[Hold], period: Period) -> list[Hold]:
    """Return the holds that were in force at any time of the period."""
    start = format_time(period.start)
    return [hold for hold in holds if min(hold.until, hold.ended or hold.until) >= start]
