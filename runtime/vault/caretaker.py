"""From a chosen shot to a kept one: seal it, store it, log it, hand it to upload; forget on time.

One :class:`Keeper` is one run's hold on its vault. With recipients, each of them opens a shot
alone. With an enrolled camera, a quorum does (see `seal/quorum.py`), and all is logged.

What leaves the vault leaves for one of four reasons, and each is logged: a better shot of the
person came; its retention time is over; the quota is reached (see `vault_quota.py`); a server has
it and ``--after-upload delete`` was chosen. The last three spare what is on legal hold.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.errors import InputError, SealshotError, VaultError
from sealshot.runtime.seal.envelope import seal
from sealshot.runtime.seal.epochs import EpochKey, EpochKeys
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.payload import Origin, PictureType, pack
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import Camera, seal_to_quorum
from sealshot.runtime.seal.times import epoch_end, epoch_of, epoch_start
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.clock import Clock, Trusted, TrustedClock
from sealshot.runtime.vault.holds import Holds, read_holds
from sealshot.runtime.vault.quota import Quota
from sealshot.runtime.vault.record import Record
from sealshot.runtime.vault.store import AGE, SEALED, Vault, VaultObject, list_objects
from sealshot.runtime.vault.upload import Uploads, waiting

logger = logging.getLogger(__name__)

CLOCK, LOG = ".clock", "log"
TICK_EVERY_S = 600.0
KEYS_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sealing:
    """Whom a run seals to, and what becomes of the sealed shots."""

    recipients: tuple[age.Recipient, ...] = ()
    """Each opens alone. Empty with a camera."""
    camera: Camera | None = None
    """Seals under its policy."""
    epoch_keys: EpochKeys | None = None
    """Of the camera's policy. None where nothing is sealed, only what is there looked after."""
    policy: Policy | None = None
    """Legal holds are verified by it; None takes the camera's."""
    retention: timedelta | None = None
    """After the end of its epoch a shot is deleted here. None keeps it."""
    quota_bytes: int | None = None
    """Above it the oldest shots go, those that wait for their upload last."""
    uploads: Uploads | None = None
    """Sends sealed shots away in the background."""
    clock_is_right: bool = False
    """Take the system's clock although it jumped."""


class Keeper:
    """Seals and keeps shots in one vault.

    Args:
        path: folder of the vault; made if it is missing.
        sealing: whom to seal to.
        clock: where time comes from.

    Raises:
        InputError: there is no key for the present epoch.
        VaultError: the vault cannot be written to.
        LogError: its log was altered.
    """

    def __init__(
        self,
        path: Path,
        sealing: Sealing,
        clock: Clock | None = None,
    ) -> None:
        self._sealing = sealing
        self._vault = Vault(path)
        self._log: Log | None = None
        self._quota = Quota(sealing.quota_bytes) if sealing.quota_bytes else None
        self._holds: Holds | None = None  # where one cannot be used: nothing may be deleted then
        self._warned: dict[str, str] = {}
        self._tick_at = 0.0
        self._pushed_out = [0, 0]  # by the quota: shots, of them not uploaded
        try:
            self._clock = TrustedClock(path / CLOCK, clock, accept=sealing.clock_is_right)
            self._set_time(self._clock.peek())
            if sealing.camera:
                self._log = Log(path / LOG, sealing.camera.name, sealing.camera.key)
            if sealing.epoch_keys:
                sealing.epoch_keys.prefetch(self._now(), KEYS_AHEAD)
                self._epoch_key()
            key = sealing.camera.key.verify_key if sealing.camera else None
            self._record = Record(self._vault, self._log, key)
            self._record.finish()
            self.tick()  # before anything is logged: what is over may have filled the disk
            if sealing.uploads:
                sealing.uploads.start(self._vault)  # what is over is not sent any more
                self._acknowledge(sealing.uploads)
            self._record.adopt(self._now())
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
        self._make_room(len(sealed), replaces)
        if sealing.uploads:
            sealing.uploads.expect(name)
        self._record.put(sealed, name, replaces, now)
        if self._quota:
            self._quota.add(name, len(sealed))
            self._quota.remove([replaces] if replaces else [])
        if sealing.uploads:
            sealing.uploads.send(name)
        return name

    def tick(self) -> None:
        """Forget what is over; cheap, to be called often, also while nobody is to be seen.

        Raises:
            VaultError: something could not be deleted.
            LogError: something could not be logged.
        """
        if time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + TICK_EVERY_S
            self._set_time(self._clock.peek())
            self._holds = self._read_holds()
            if self._holds is not None:
                self._forget(self._holds)
                self._record.log_holds(self._holds, self._now())
            self._clock.now()  # last: a disk that was full may have room to remember it now
            self._tell_pushed_out()
        if self._sealing.uploads:
            self._acknowledge(self._sealing.uploads)

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
                self._acknowledge(self._sealing.uploads)
            self._tell_pushed_out()
        except SealshotError as error:  # what the run did is told all the same
            logger.warning("%s; the next run logs what was uploaded", error.fact)
        finally:
            self.close()

    def _set_time(self, trusted: Trusted) -> None:
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

    def _read_holds(self) -> Holds | None:
        """Return the legal holds, or None where one cannot be used."""
        camera, policy = self._sealing.camera, self._sealing.policy
        policy = policy or (camera.policy if camera else None)
        now = self._now()
        try:
            holds = read_holds(self._vault.path, policy, now)
        except VaultError as error:
            self._warn_once("holds", f"{error.fact}; {error.hint}")
            return None
        self._warn_once("holds", "")
        return holds

    def _forget(self, holds: Holds) -> None:
        """Delete what is over, and see to the quota's count."""
        now, retention = self._now(), self._sealing.retention
        objects = list_objects(self._vault.path)
        if retention is not None:
            due = [o.id for o in overdue(objects, retention, now) if not holds.of(o.id)]
            lost = self._not_uploaded(due)
            self._record.purge(due, "retention", now)
            gone = set(due)
            objects = [found for found in objects if found.id not in gone]
            if lost:
                logger.warning("%d shots were deleted on time that no server had taken", lost)
            self._warn_once("ahead", _ahead_of(objects, now))
        self._vault.sweep(lambda epoch: epoch_end(epoch) <= now)
        if self._quota:
            self._quota.load(objects)

    def _make_room(self, size: int, replaces: str | None) -> None:
        """Keep to the quota; never unsaid."""
        quota, uploads, holds = self._quota, self._sealing.uploads, self._holds
        if quota is None or holds is None:
            return
        gone = quota.over(
            size,
            replaces,
            uploads.is_pending if uploads else lambda _: False,
            (lambda object_id: holds.of(object_id) is not None) if holds else None,
        )
        if not gone:
            return
        first = not any(self._pushed_out)
        self._pushed_out[0] += len(gone)
        self._pushed_out[1] += self._not_uploaded(gone)
        self._record.purge(gone, "quota", self._now())
        quota.remove(gone)
        if first and not self._warned.get("quota"):
            self._tell_pushed_out()

    def _tell_pushed_out(self) -> None:
        """Tell of the first shot that the quota takes at once, of the others now and then."""
        gone, lost = self._pushed_out
        self._pushed_out = [0, 0]
        if not gone or self._quota is None:
            return
        self._warned["quota"] = "told"
        logger.warning(
            "the vault is at its quota of %s bytes: %d of the oldest shots were deleted%s",
            f"{self._quota.limit:,}",
            gone,
            f", {lost} of them not uploaded" if lost else "",
        )

    def _not_uploaded(self, object_ids: Sequence[str]) -> int:
        return len(set(waiting(self._vault.path)) & set(object_ids)) if self._sealing.uploads else 0

    def _acknowledge(self, uploads: Uploads) -> None:
        holds, done = self._holds, uploads.acknowledged()
        if not done or holds is None:
            return
        now = self._now()
        self._record.write([{"event": "uploaded", "id": object_id} for object_id in done], now)
        if uploads.delete:
            gone = [object_id for object_id in done if not holds.of(object_id)]
            gone = [object_id for object_id in gone if (self._vault.path / object_id).exists()]
            self._record.purge(gone, "uploaded", now)
            if self._quota:
                self._quota.remove(gone)
        uploads.settle(done)

    def _warn_once(self, topic: str, warning: str) -> None:
        if warning and not self._warned.get(topic):
            logger.warning("%s", warning)
        self._warned[topic] = warning


def overdue(
    objects: Sequence[VaultObject], retention: timedelta, now: datetime
) -> list[VaultObject]:
    """Return the objects whose retention time, counted from the end of their epoch, is over."""
    return [found for found in objects if epoch_end(found.epoch) + retention <= now]


def _ahead_of(objects: Sequence[VaultObject], now: datetime) -> str:
    ahead = [found.epoch for found in objects if epoch_start(found.epoch) > now]
    if not ahead:
        return ""
    return (
        f"{len(ahead)} shots are of epochs to come, up to {max(ahead)}: they were sealed by a "
        "wrong clock, and are kept longer than promised"
    )
