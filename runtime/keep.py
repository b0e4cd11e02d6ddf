"""From a chosen shot to a kept one: seal it, store it, log it, hand it to upload; forget on time.

One :class:`Keeper` is one run's hold on its vault. With recipients, each of them opens a shot
alone. With an enrolled camera, a quorum does (see `seal/quorum.py`), and all is logged.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sealshot.runtime.clock import TrustedClock
from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.seal import age
from sealshot.runtime.seal.envelope import seal
from sealshot.runtime.seal.epochs import EpochKey, EpochKeys
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.payload import Origin, PictureType, pack
from sealshot.runtime.seal.quorum import Camera, seal_to_quorum
from sealshot.runtime.seal.times import epoch_end, epoch_of, format_hour
from sealshot.runtime.types import Shot
from sealshot.runtime.upload import Uploads
from sealshot.runtime.vault import AGE, SEALED, Vault, VaultObject, list_objects

CLOCK, LOG = ".clock", "log"
PURGE_EVERY_S = 600.0
KEYS_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sealing:
    """Whom a run seals to, and what becomes of the sealed shots."""

    recipients: tuple[age.Recipient, ...] = ()
    """Each opens alone. Empty with a camera."""
    camera: Camera | None = None
    """Seals under its policy."""
    epoch_keys: EpochKeys | None = None
    """Of the camera's policy."""
    retention: timedelta | None = None
    """After the end of its epoch a shot is deleted here. None keeps it."""
    quota_bytes: int | None = None
    """Above it the oldest shots go, those that are uploaded first."""
    uploads: Uploads | None = None
    """Sends sealed shots away in the background."""


class Keeper:
    """Seals and keeps shots in one vault.

    Args:
        path: folder of the vault; made if it is missing.
        sealing: whom to seal to.
        report: takes sentences that a person should read.

    Raises:
        InputError: there is no key for the present epoch.
        VaultError: the vault cannot be written to.
        LogError: its log was altered.
    """

    def __init__(self, path: Path, sealing: Sealing, report: Callable[[str], None]) -> None:
        self._sealing, self._report = sealing, report
        self._vault = Vault(path)
        self._log: Log | None = None
        self._warned: dict[str, str] = {}
        self._purge_at = 0.0
        try:
            self._clock = TrustedClock(path / CLOCK)
            self._set_time()
            if sealing.camera and sealing.epoch_keys:
                self._log = Log(path / LOG, sealing.camera.name, sealing.camera.key)
                sealing.epoch_keys.prefetch(self._now(), KEYS_AHEAD)
                self._epoch_key()
            self._log_unlogged()
            if sealing.uploads:
                sealing.uploads.start(self._vault, report)
            self.tick()
        except BaseException:
            self.close()
            raise

    def put(
        self,
        shot: Shot,
        origin: Origin,
        picture: PictureType = "jpg",
        replaces: str | None = None,
    ) -> str:
        """Seal a shot, store it durably and return its id; it takes the place of ``replaces``.

        Raises:
            VaultError: it could not be stored. What was stored before is kept.
            LogError: it could not be logged.
        """
        sealing = self._sealing
        now, shot_id = self._now(), secrets.token_hex(16)
        if sealing.camera:
            plain = pack(shot, origin, picture=picture)
            key = self._epoch_key()
            sealed = seal_to_quorum(plain, sealing.camera, key, now, shot_id)
            name = f"{key.epoch}/{shot_id}{SEALED}"
        else:
            sealed = seal(shot, sealing.recipients, origin, picture=picture)
            name = f"{epoch_of(now, 'day')}/{shot_id}{AGE}"
        self._make_room(len(sealed), spare=replaces)
        if sealing.uploads:
            sealing.uploads.expect(name)
        object_id = self._vault.put(sealed, replaces, name=name)
        entries: list[dict[str, Any]] = [
            {"event": "sealed", "id": object_id, "time": format_hour(now)}
        ]
        if replaces:
            entries.append(
                {
                    "event": "purged",
                    "id": replaces,
                    "reason": "a better shot of the person",
                    "time": format_hour(now),
                }
            )
        self._write(entries)
        if sealing.uploads:
            sealing.uploads.send(object_id)
        return object_id

    def tick(self) -> None:
        """Forget what is over; cheap, to be called often, also while nobody is to be seen."""
        if self._sealing.uploads:
            self._acknowledge(self._sealing.uploads)
        if time.monotonic() < self._purge_at:
            return
        self._purge_at = time.monotonic() + PURGE_EVERY_S
        self._set_time()
        retention = self._sealing.retention
        if retention is not None:
            now = self._now()
            purged = self._vault.purge(lambda epoch: epoch_end(epoch) + retention <= now)
            self._log_purged(purged, "retention")

    def close(self) -> None:
        """Let go of the vault. What is not uploaded yet is, by the next run."""
        if self._sealing.uploads:
            self._sealing.uploads.stop()
        if self._log:
            self._log.close()
        self._vault.close()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._sealing.uploads:
                self._sealing.uploads.drain()
                self.tick()
        finally:
            self.close()

    def _set_time(self) -> None:
        trusted = self._clock.now()
        self._time, self._time_at = trusted.time, time.monotonic()
        self._warn_once("clock", trusted.warning)

    def _now(self) -> datetime:
        return self._time + timedelta(seconds=time.monotonic() - self._time_at)

    def _epoch_key(self) -> EpochKey:
        camera, keys = self._sealing.camera, self._sealing.epoch_keys
        if camera is None or keys is None:
            raise ValueError("a camera and its epoch keys go together")
        epoch = epoch_of(self._now(), camera.policy.epoch)
        key = keys.current(self._now())
        if key is None:
            raise InputError(
                f"there is no key for the epoch {epoch}, and none before it that still lives",
                hint=f"the custodian publishes at {camera.policy.epoch_keys}: check it, the "
                "network and the clock",
            )
        late = key.epoch != epoch
        self._warn_once(
            "epoch",
            f"there is no key for the epoch {epoch}: shots are sealed to that of {key.epoch}, and "
            "are forgotten as early as its own"
            if late
            else "",
        )
        return key

    def _make_room(self, size: int, spare: str | None) -> None:
        """Keep to the quota: what is uploaded goes first, then the oldest; never unsaid."""
        quota = self._sealing.quota_bytes
        if quota is None:
            return
        objects = [found for found in list_objects(self._vault.path) if found.id != spare]
        if size > quota:
            raise VaultError(f"a shot of {size:,} bytes is larger than the quota of {quota:,}")
        pending = self._sealing.uploads.pending() if self._sealing.uploads else set()
        total = sum(found.bytes for found in objects) + size
        gone = []
        for found in sorted(objects, key=lambda o: (o.id in pending, o.sealed_at, o.id)):
            if total <= quota:
                break
            self._vault.delete(found.id)
            total -= found.bytes
            gone.append(found)
        if gone:
            self._report(f"the vault is full: {len(gone)} of the oldest shots were deleted")
            self._log_purged(gone, "quota")

    def _acknowledge(self, uploads: Uploads) -> None:
        done = uploads.take_done()
        hour = format_hour(self._now())
        self._write([{"event": "uploaded", "id": object_id, "time": hour} for object_id in done])
        if uploads.delete and done:
            gone = [found for found in list_objects(self._vault.path) if found.id in set(done)]
            for found in gone:
                self._vault.delete(found.id)
            self._log_purged(gone, "uploaded")

    def _log_unlogged(self) -> None:
        """Log what a killed run had stored and not logged."""
        if self._log is None:
            return
        known = {entry.get("id") for entry in self._log.entries() if entry["event"] == "sealed"}
        hour = format_hour(self._now())
        found = [o.id for o in list_objects(self._vault.path) if o.id not in known]
        self._write([{"event": "sealed", "id": o, "time": hour, "late": 1} for o in found])

    def _log_purged(self, purged: Sequence[VaultObject], reason: str) -> None:
        hour = format_hour(self._now())
        self._write(
            [{"event": "purged", "id": o.id, "reason": reason, "time": hour} for o in purged]
        )

    def _write(self, entries: Sequence[dict[str, Any]]) -> None:
        if self._log and entries:
            self._log.append(*entries)

    def _warn_once(self, topic: str, warning: str) -> None:
        if warning and not self._warned.get(topic):
            self._report(warning)
        self._warned[topic] = warning
