"""What the log of a vault says of its objects, verified, in memory for those that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

from sealshot.runtime.seal.checkpoint import LogError, parse_checkpoint, read_newest
from sealshot.runtime.seal.entries import (
    Entry,
    ErasurePlaced,
    PolicyChanged,
    Purged,
    Sealed,
    Started,
    Uploaded,
)
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import parse_time
from sealshot.runtime.seal.warrant import Warrant
from sealshot.runtime.vault.erasures import name_of
from sealshot.runtime.vault.record import BETTER, ERASED, REASONS
from sealshot.runtime.vault.retention import end_of


@dataclass(frozen=True, slots=True)
class Logged:
    """What a verified log says of objects; of those that went long since, how many they are."""

    camera: str
    entries: int
    sealed: dict[str, str]
    """Id to the SHA-256 of the container; empty where version 0.1 logged it."""
    purged: dict[str, str]
    """Id to reason."""
    unexplained: dict[str, str] = field(default_factory=dict)
    """Id of what was purged for a reason that the log itself contradicts, to what is wrong."""
    uploaded: frozenset[str] = frozenset()
    """What a server has acknowledged."""
    gone: int = 0
    """How many more were sealed and purged, for reasons that hold, and were not asked about."""

    def differs(self, object_id: str, data: bytes) -> str:
        """Return what is wrong with the bytes of an object by this log, or nothing."""
        if object_id not in self.sealed:
            return "the log of its camera does not know it"
        wanted = self.sealed[object_id]
        if wanted and hashlib.sha256(data).hexdigest() != wanted:
            return "it is not the shot that the log of its camera has: other bytes, under its name"
        return ""


def read_logged(
    path: Path,
    cameras: Sequence[Party],
    kept: Sequence[bytes] = (),
    retention: timedelta | None = None,
    erasures: Mapping[str, Warrant] | None = None,
    there: Collection[str] | None = None,
    policy: Policy | None = None,
) -> Logged:
    """Verify the log of a vault and return what it says.

    Args:
        path: the log.
        cameras: one of them keeps it.
        kept: checkpoints that were kept elsewhere.
        retention: what went for its age was over it.
        erasures: orders to erase that were verified; None where there is no policy to do so by.
        there: objects that are asked about; others that went as they should are only counted, so
            that a log of years fits into memory. None asks about all.
        policy: by whose versions objects may go before that.

    Raises:
        LogError: it was altered, or is of no such camera.
        SealError: it cannot be read.
    """
    newest = read_newest(path)
    keeper = keeper_of(newest, cameras)
    if keeper is None:
        raise LogError(
            f"the log is of the camera '{name_of_keeper(newest)}', whose .pub file was not given",
            hint="give it with --camera, or another log with --log",
        )
    # after the checkpoint: a run may be adding to it, and what it adds meanwhile is left
    sealed: dict[str, str] = {}
    purged: dict[str, str] = {}
    unexplained: dict[str, str] = {}
    uploaded: set[str] = set()
    strict, count = False, 0  # version 0.1 named no successor
    changed = policy if policy and policy.previous else None
    gone, hour, in_hour = 0, "", set[str]()
    lines = verified_entries(path, keeper.name, keeper.verify_key, [newest, *kept])
    orders = _Orders(erasures, policy, keeper) if erasures is not None else None
    for count, (_, entry) in enumerate(lines, 1):  # noqa: B007
        if orders:
            orders.pass_by(entry)
        if isinstance(entry, Started):
            strict = True
        elif isinstance(entry, Sealed):
            sealed[entry.id] = entry.sha256
        elif isinstance(entry, Uploaded):
            uploaded.add(entry.id)
        elif isinstance(entry, Purged):
            if entry.time != hour:
                hour, in_hour = entry.time, set()
            if entry.id in in_hour:  # a full disk has it logged twice
                continue
            wrong = strict and _contradicts(entry, sealed, purged, uploaded)
            if strict and orders and entry.reason == ERASED:
                wrong = orders.contradict(entry)
            if strict and retention is not None and entry.reason == "retention":
                wrong = _too_early(entry.time, entry.id.partition("/")[0], retention, changed)
            if wrong:
                unexplained[entry.id] = wrong
            if wrong or there is None or entry.id in there or entry.id not in sealed:
                purged[entry.id] = entry.reason
            else:
                del sealed[entry.id]
                uploaded.discard(entry.id)
                in_hour.add(entry.id)
                gone += 1
    return Logged(keeper.name, count, sealed, purged, unexplained, frozenset(uploaded), gone)


class _Orders:
    """Orders to erase, judged by when a log has them and by whom they were, along the log.

    Args:
        orders: by digest.
        policy: by which they were verified.
        keeper: of the log.
    """

    def __init__(self, orders: Mapping[str, Warrant], policy: Policy | None, keeper: Party) -> None:
        self._orders, self._policy, self._keeper = orders, policy, keeper
        self._version = 1
        self._placed: dict[str, int] = {}
        """Order to the version of the policy that was in force when it came."""
        self._under: dict[str, int] = {}
        """Object to the version that it was sealed under, where that is not the first."""

    def pass_by(self, entry: Entry) -> None:
        """See an entry of the log, in order."""
        if isinstance(entry, Started | PolicyChanged):
            self._version = entry.version
        elif isinstance(entry, ErasurePlaced):
            self._placed.setdefault(entry.warrant, self._version)
        elif isinstance(entry, Sealed) and self._version > 1:
            self._under[entry.id] = self._version

    def contradict(self, entry: Purged) -> str:
        """Return what is wrong with a deletion by an order; nothing if nothing is."""
        under = self._under.pop(entry.id, 1)
        came = self._placed.setdefault(entry.warrant, self._version)
        order = self._orders.get(entry.warrant)
        if order is None or name_of(entry.id) not in order.shots:
            return "it went as erased, and no order to erase it that a quorum signed is there"
        camera = (self._keeper.name, self._keeper.verify_key)
        if camera not in [(one.name, one.verify_key) for one in order.cameras]:
            return "it went as erased, by an order that is not for this camera"
        of = self._policy.of(order.policy) if self._policy else None
        version = of.version if of else self._version
        if version >= max(under, came):
            return ""
        what = "it was sealed" if version < under else "the order came"
        return (
            f"it went as erased, by an order of version {version} of the policy, and {what} under "
            f"version {max(under, came)}"
        )


def _contradicts(
    entry: Purged, sealed: Mapping[str, str], purged: Collection[str], uploaded: set[str]
) -> str:
    """Return what a log says against the reason that it gives for a deletion; nothing if none."""
    if entry.reason not in REASONS:
        return f"it went for a reason that there is none of: {entry.reason!r}"
    there = entry.successor in sealed and entry.successor not in purged
    if entry.reason == BETTER and (not there or entry.successor == entry.id):
        return "it went for a better shot of the person, and the log has none in its place"
    if entry.reason == "uploaded" and entry.id not in uploaded:
        return "it went because a server had it, and the log has no upload of it"
    return ""


@cache
def _too_early(hour: str, epoch: str, retention: timedelta, policy: Policy | None) -> str:
    end = end_of(epoch, retention, policy)
    if parse_time(hour) + timedelta(hours=1) > end:
        return ""
    return f"it went for its age in the hour {hour}: its time is over at {end:%Y-%m-%dT%H:%MZ}"


def keeper_of(checkpoint: bytes, parties: Sequence[Party]) -> Party | None:
    """Return whose log a checkpoint is of, under the key that signed it; None if of none of them.

    Args:
        checkpoint: a signed note.
        parties: some may be there under several keys; where none has signed, the last is taken.
    """
    name = name_of_keeper(checkpoint)
    of_name = [party for party in parties if party.name == name]
    for party in of_name:
        with suppress(LogError):
            parse_checkpoint(checkpoint, party.verify_key)
            return party
    return of_name[-1] if of_name else None


def name_of_keeper(checkpoint: bytes) -> str:
    """Return the name in a checkpoint that nobody has verified."""
    return checkpoint.partition(b"\n")[0].rpartition(b"/")[2].decode(errors="replace")
