"""A vault and its log, kept in step: an object goes only after the log says that it does.

A kill between the two leaves an object that the log has as purged; the next run deletes it. So what
the log has, and does not have as purged, was taken away by somebody else.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sealshot.runtime.errors import SealError, VaultError
from sealshot.runtime.files import is_full, read_regular
from sealshot.runtime.seal.checkpoint import LogError
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.entries import (
    FORMAT,
    Alive,
    Entry,
    ErasurePlaced,
    HoldEnded,
    HoldPlaced,
    HoldStands,
    PolicyChanged,
    Purged,
    Sealed,
    Started,
    Stopped,
    Uploaded,
)
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.signing import VerifyKey
from sealshot.runtime.seal.succession import change_to_log, last_seen
from sealshot.runtime.seal.times import format_hour, format_time, parse_time
from sealshot.runtime.seal.warrant import Warrant
from sealshot.runtime.vault.holds import Holds
from sealshot.runtime.vault.sealer import SealedShot
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED, Vault, list_objects

logger = logging.getLogger(__name__)

LOG = "log"
BETTER, ERASED = "a better shot of the person", "erased"
REASONS = (BETTER, ERASED, "retention", "quota", "rate", "uploaded")
"""What a shot may be deleted for."""


class Record:
    """Writes what becomes of the objects of a vault to its log, if it has one.

    Args:
        vault: the vault.
        log: of its camera; None where shots are sealed to recipients.
        key: of its camera, to know the camera's own shots by.
    """

    def __init__(self, vault: Vault, log: Log | None, key: VerifyKey | None) -> None:
        self._vault, self._log, self._key = vault, log, key
        self._holds: dict[tuple[str, str], str] = {}
        """In force, by the log: warrant and end, to case."""
        self._orders: dict[str, bool] = {}
        """Digest of an order to erase, to whether the log has it, as far as it was asked."""
        self._unlogged: list[str] = []
        self._owed: list[Purged | ErasurePlaced | Uploaded] = []
        """Of objects that had to go first: logged before anything else."""
        self._seen: Started | PolicyChanged | None = None
        self._watching = False

    def finish(self, policy: Policy | None = None) -> None:
        """Delete what a killed run had logged as purged, and had not deleted.

        Raises:
            SealError: the policy is older than one that the log has, or does not come from it.
            VaultError: an object could not be deleted.
        """
        if self._log is None:
            return
        self._seen = last_seen(self._log)
        if policy:
            self.check_policy(policy)
        self._holds = _holds_in_force(self._log)
        unlogged = {found.id for found in list_objects(self._vault.path)}
        purged = []
        # an object is logged in its epoch or later; in which the oldest began, nothing was before
        since = min((object_id.partition("/")[0] for object_id in unlogged), default="")
        for entry in self._log.newest_first(unlogged, since):
            if isinstance(entry, Sealed | Purged) and entry.id in unlogged:
                unlogged.discard(entry.id)
                purged += [entry.id] if isinstance(entry, Purged) else []
            if not unlogged:
                break
        self._unlogged = sorted(unlogged)
        self._vault.delete(*sorted(purged))

    def adopt(self, now: datetime) -> None:
        """Log what a killed run had stored and not logged, as :meth:`finish` found it.

        Raises:
            LogError: it could not be logged.
        """
        unlogged = [o for o in self._unlogged if (self._vault.path / o).exists()]
        hour, entries = self._hour(now), []
        for object_id in unlogged:
            if digest := self._digest_of_ours(object_id):
                entries.append(Sealed(hour, object_id, digest, late=1))
        self._append(*entries)
        self._unlogged = []
        if foreign := len(unlogged) - len(entries):
            logger.warning(
                "%d objects in the vault were not sealed by this camera: `sealshot vault verify` "
                "names them",
                foreign,
            )

    def admit(self, sealed: SealedShot, replaces: str | None, now: datetime) -> None:
        """Store a shot, log it, and delete the one that it takes the place of.

        Raises:
            VaultError: it could not be stored.
            LogError: it could not be logged; the next run does.
        """
        hour = self._hour(now)
        digest = hashlib.sha256(sealed.data).hexdigest() if self._log else ""
        entries: list[Entry] = [Sealed(hour, sealed.name, digest)]
        if replaces:
            entries.append(Purged(hour, replaces, BETTER, successor=sealed.name))
        self._vault.store(
            sealed.data, replaces, name=sealed.name, stored=lambda _: self._append(*entries)
        )

    def purge(
        self, object_ids: Sequence[str], reason: str, now: datetime, order: Warrant | None = None
    ) -> None:
        """Log that objects are purged, and delete them; those erased by the order to do so.

        An order is logged, too, where it was not yet.

        Raises:
            VaultError: one could not be deleted.
            LogError: it could not be logged.
        """
        hour, warrant = self._hour(now), order.digest if order else ""
        entries: list[Purged | ErasurePlaced] = [
            *self._first_seen([order] if order else [], hour),
            *(Purged(hour, one, reason, warrant=warrant) for one in object_ids),
        ]
        try:
            self._append(*entries)
        except LogError as error:
            if not is_full(error):
                raise
            self._owed += entries
            self._vault.delete(*object_ids)  # on a full disk this is what makes room for the log
            with suppress(LogError):  # if not now, with what is logged next
                self._append()
        else:
            self._vault.delete(*object_ids)
        if order:
            self._orders[warrant] = True

    def log_orders(self, orders: Collection[Warrant], now: datetime) -> None:
        """Log each order to erase when a run first sees it.

        Raises:
            LogError: it could not be logged.
        """
        self._append(*self._first_seen(orders, self._hour(now)))
        self._orders |= {order.digest: True for order in orders}

    def _first_seen(self, orders: Collection[Warrant], hour: str) -> list[ErasurePlaced]:
        new = [order for order in orders if not self._orders.get(order.digest)]
        return [ErasurePlaced(hour, order.digest, order.case) for order in new]

    def seen_orders(self, digests: set[str]) -> set[str]:
        """Return which of these orders to erase the log has."""
        unknown = digests - self._orders.keys()
        if unknown and self._log:  # once: it may read all of the log
            self._orders |= dict.fromkeys(unknown, False)
            for entry in self._log.newest_first(frozenset()):
                if isinstance(entry, ErasurePlaced) and entry.warrant in unknown:
                    self._orders[entry.warrant] = True
                    unknown = unknown - {entry.warrant}
                if not unknown:
                    break
        return {digest for digest in digests if self._orders.get(digest)}

    def log_uploads(
        self, object_ids: Sequence[str], now: datetime, *, making_room: bool = False
    ) -> None:
        """Log that a server has objects.

        Args:
            object_ids: the objects.
            now: the time.
            making_room: some of them are purged next: where the disk is full, it is logged then.

        Raises:
            LogError: it could not be logged.
        """
        hour = self._hour(now)
        entries = [Uploaded(hour, object_id) for object_id in object_ids]
        try:
            self._append(*entries)
        except LogError as error:
            if not making_room or not is_full(error):
                raise
            self._owed += entries

    def log_holds(self, holds: Holds, now: datetime) -> None:
        """Log each legal hold when it is first seen, and when it has ended.

        Raises:
            LogError: it could not be logged.
        """
        for hold in holds:
            warrant, until = hold.warrant.digest, format_time(hold.until)
            if (warrant, until) not in self._holds:
                self._append(HoldPlaced(self._hour(now), warrant, hold.warrant.case, until))
                self._holds[warrant, until] = hold.warrant.case
        for warrant, until in sorted(self._holds):
            if parse_time(until) <= now:
                self._append(HoldEnded(self._hour(now), warrant, until))
                del self._holds[warrant, until]

    def check_holds(self, holds: Holds, now: datetime) -> None:
        """Check that each hold that the log has is there: its file may have been taken away.

        Raises:
            VaultError: one is not, and its time is not over.
        """
        there = {hold.warrant.digest for hold in holds}
        for warrant, until in sorted(self._holds):
            if warrant not in there and parse_time(until) > now:
                raise VaultError(
                    f"the legal hold {warrant} until {until}, which the log has, is missing",
                    hint="nothing is deleted until that is settled: put it again with `sealshot "
                    "vault hold`",
                )

    def check_policy(self, policy: Policy) -> None:
        """Check that a policy is that of the log, or comes from it.

        Raises:
            SealError: it is older, or another one.
        """
        change_to_log(policy, self._seen, "")

    def log_policy(self, policy: Policy, now: datetime) -> None:
        """Log that a version of the policy took force, unless it is known.

        A log that has none yet is told by the start that follows.

        Raises:
            LogError: it could not be logged.
        """
        if self._seen is None:
            return
        for changed in change_to_log(policy, self._seen, self._hour(now)):
            self._append(changed)
            self._seen = changed

    def log_start(self, policy: Policy, now: datetime) -> None:
        """Log that the camera begins to watch, and before that each hold that is in force.

        So the next start finds them all without reading what was before this one.

        Raises:
            LogError: it could not be logged.
        """
        hour = self._hour(now)
        holds = [HoldStands(hour, w, case, until) for (w, until), case in self._holds.items()]
        started = Started(hour, FORMAT, policy.digest, len(holds), policy.version)
        self._append(*holds, started)
        self._seen, self._watching = started, True

    def log_alive(self, now: datetime) -> None:
        """Log that the camera watches, once in an hour in which nothing else is logged.

        Raises:
            LogError: it could not be logged.
        """
        if self._watching and self._log and self._hour(now) > self._log.latest:
            self._append(Alive(self._hour(now)))

    def log_stop(self, now: datetime) -> None:
        """Log that the camera ends as it should.

        Raises:
            LogError: it could not be logged.
        """
        if self._watching:
            self._append(Stopped(self._hour(now)))
            self._watching = False

    def _hour(self, now: datetime) -> str:
        """Return the hour to log: never one before what is logged already."""
        return max(format_hour(now), self._log.latest if self._log else "")

    def _append(self, *entries: Entry) -> None:
        if self._log is None:
            return
        if self._owed:  # the key may have turned since: times never go back
            owed = (replace(one, time=max(one.time, self._log.latest)) for one in self._owed)
            entries = (*owed, *entries)
        if entries:
            self._log.append(*entries)
            self._owed = []

    def _digest_of_ours(self, object_id: str) -> str:
        """Return the hash of an object that this camera sealed; nothing where it did not."""
        try:
            data = read_regular(self._vault.path / object_id, OBJECT_LIMIT)
            container = read_container(data)
        except (SealError, OSError):
            return ""
        header = container.header
        same_name = object_id == f"{header.epoch}/{header.id}{SEALED}"
        ours = same_name and container.camera_key == self._key
        return hashlib.sha256(data).hexdigest() if ours else ""


def _holds_in_force(log: Log) -> dict[tuple[str, str], str]:
    """Return the holds that a log has and whose end it has not, back to where it names them all."""
    holds: dict[tuple[str, str], str] = {}
    ended, named = set(), -1
    for entry in log.newest_first(frozenset()):
        if named == 0:
            break
        if isinstance(entry, HoldEnded | HoldPlaced | HoldStands):
            hold = entry.warrant, entry.until
            if isinstance(entry, HoldEnded):
                ended.add(hold)
            elif hold not in ended:
                holds[hold] = entry.case
        if named > 0:
            named -= 1
        elif isinstance(entry, Started):
            named = entry.holds
    return holds
