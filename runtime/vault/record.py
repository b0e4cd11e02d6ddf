"""A vault and its log, kept in step: an object goes only after the log says that it does.

A kill between the two leaves an object that the log has as purged; the next run deletes it. So what
the log has, and does not have as purged, was taken away by somebody else.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.log import Log, LogError
from sealshot.runtime.seal.signing import VerifyKey
from sealshot.runtime.seal.times import format_hour, format_time
from sealshot.runtime.vault.holds import Holds
from sealshot.runtime.vault.store import SEALED, Vault, list_objects

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Record:
    """Writes what becomes of the objects of a vault to its log, if it has one.

    Args:
        vault: the vault.
        log: of its camera; None where shots are sealed to recipients.
        key: of its camera, to know the camera's own shots by.
    """

    def __init__(self, vault: Vault, log: Log | None, key: VerifyKey | None) -> None:
        self._vault, self._log, self._key = vault, log, key
        self._holds: set[tuple[str, str]] = set()
        self._unlogged: list[str] = []

    def finish(self) -> None:
        """Delete what a killed run had logged as purged, and had not deleted.

        Raises:
            VaultError: an object could not be deleted.
        """
        if self._log is None:
            return
        there = {found.id for found in list_objects(self._vault.path)}
        logged: dict[str, set[str]] = {"sealed": set(), "purged": set()}
        for entry in self._log.entries():
            if entry["event"] == "held":
                self._holds.add((str(entry["warrant"]), str(entry["until"])))
            elif entry["event"] in logged and entry["id"] in there:
                logged[entry["event"]].add(entry["id"])
        self._unlogged = sorted(there - logged["sealed"] - logged["purged"])
        self._vault.delete(*sorted(logged["purged"]))

    def adopt(self, now: datetime) -> None:
        """Log what a killed run had stored and not logged, as :meth:`finish` found it.

        Raises:
            LogError: it could not be logged.
        """
        unlogged = [o for o in self._unlogged if (self._vault.path / o).exists()]
        self._unlogged = []
        ours = [object_id for object_id in unlogged if self._is_ours(object_id)]
        self.write([{"event": "sealed", "id": object_id, "late": 1} for object_id in ours], now)
        if foreign := len(unlogged) - len(ours):
            logger.warning(
                "%d objects in the vault were not sealed by this camera: `sealshot vault verify` "
                "names them",
                foreign,
            )

    def put(self, sealed: bytes, name: str, replaces: str | None, now: datetime) -> str:
        """Store an object, log it, and delete the one that it takes the place of.

        Raises:
            VaultError: it could not be stored.
            LogError: it could not be logged; the next run does.
        """
        entries = [{"event": "sealed", "id": name}]
        if replaces:
            entries.append(_purged(replaces, "a better shot of the person"))
        return self._vault.put(
            sealed, replaces, name=name, stored=lambda _: self.write(entries, now)
        )

    def purge(self, object_ids: Sequence[str], reason: str, now: datetime) -> None:
        """Log that objects are purged, and delete them.

        Raises:
            VaultError: one could not be deleted.
            LogError: it could not be logged.
        """
        entries = [_purged(object_id, reason) for object_id in object_ids]
        try:
            self.write(entries, now)
        except LogError as error:
            if getattr(error.__cause__, "errno", None) not in _FULL:
                raise
            self._vault.delete(*object_ids)  # on a full disk this is what makes room for the log
            self.write(entries, now)
        else:
            self._vault.delete(*object_ids)

    def log_holds(self, holds: Holds, now: datetime) -> None:
        """Log each legal hold when it is first seen.

        Raises:
            LogError: it could not be logged.
        """
        for hold in holds:
            key = (hold.warrant.digest, format_time(hold.until))
            if key not in self._holds:
                head = {"event": "held", "warrant": key[0], "until": key[1]}
                self.write([{**head, "case": hold.warrant.case}], now)
                self._holds.add(key)

    def write(self, entries: Iterable[dict[str, Any]], now: datetime) -> None:
        """Log entries of this hour.

        Raises:
            LogError: they could not be logged.
        """
        timed = [{**entry, "time": format_hour(now)} for entry in entries]
        if self._log and timed:
            self._log.append(*timed)

    def _is_ours(self, object_id: str) -> bool:
        try:
            container = read_container((self._vault.path / object_id).read_bytes())
        except (SealError, OSError):
            return False
        header = container.header
        same_name = object_id == f"{header.epoch}/{header.id}{SEALED}"
        return same_name and container.camera_key == self._key


def _purged(object_id: str, reason: str) -> dict[str, Any]:
    return {"event": "purged", "id": object_id, "reason": reason}
