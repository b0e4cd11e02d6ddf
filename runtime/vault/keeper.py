"""From a chosen shot to a kept one: seal it, store it, log it, hand it to upload.

One :class:`Keeper` is one run's hold on its vault. With recipients, each of them opens a shot
alone. With an enrolled camera, a quorum does (see `seal/quorum.py`), and all is logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import is_full
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.originals import CONTENT, Originals, pack_originals
from sealshot.runtime.seal.payload import Origin, PictureType, Times, pack
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import Camera
from sealshot.runtime.seal.times import format_hour, is_hour
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.backlog import Backlog, Stored
from sealshot.runtime.vault.caretaker import Caretaker, Rules
from sealshot.runtime.vault.clock import CLOCK, Clock, RunningClock, TrustedClock
from sealshot.runtime.vault.key_turns import KeyTurns
from sealshot.runtime.vault.notices import Notices
from sealshot.runtime.vault.record import LOG, Record
from sealshot.runtime.vault.sealer import QuorumSealer, RecipientSealer, Sealer
from sealshot.runtime.vault.store import Vault
from sealshot.runtime.vault.turns import Turns
from sealshot.runtime.vault.upload import Delivery, Standing, Uploads

logger = logging.getLogger(__name__)

BEGIN_EVERY_S = 10.0
"""Where the disk was full when a run began: all objects are looked at."""
ROOM_S, ROOM_EVERY_S = 30.0, 1.0
"""How long who ends waits for room, and how often it looks for it."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """Whom a run seals to, and what becomes of the sealed shots."""

    recipients: tuple[age.Recipient, ...] = ()
    """Each opens alone. Empty with a camera."""
    camera: Camera | None = None
    """Seals under its policy."""
    epoch_keys: EpochKeys | None = None
    """Of the camera's policy. None where nothing is sealed, only what is there looked after."""
    newest_keys: Callable[[], EpochKeys] | None = None
    """Returns the epoch keys of the newest version of the policy that is there by now; None where
    the run keeps to the version that it begins with."""
    policy: Policy | None = None
    """Legal holds are verified by it; None takes the camera's."""
    retention: timedelta | None = None
    """After the end of its epoch a shot is deleted here. None keeps it."""
    quota_bytes: int | None = None
    """Above it shots go, those that wait for their upload last."""
    rate: int | None = None
    """People a minute; above it those with the lowest scores go at once. None takes all."""
    delivery: Delivery | None = None
    """Where sealed shots are sent in the background."""
    clock_is_right: bool = False
    """Take the system's clock although it jumped."""

    @property
    def deletes(self) -> bool:
        """Whether shots may be deleted that are not replaced."""
        delivered = self.delivery is not None and self.delivery.delete
        limits = (self.retention, self.quota_bytes, self.rate)
        return delivered or any(limit is not None for limit in limits)


class Keeper:
    """Seals and keeps shots in one vault.

    Args:
        path: folder of the vault; made if it is missing.
        sealing: whom to seal to.
        clock: where time comes from.
        waits: where the disk is full, also at the start, sealed shots wait in memory for room (see
            `backlog.py`): who watches a camera cannot come back later. Otherwise that is an error.

    Raises:
        InputError: there is no key for the present epoch, or the vault is that of a camera.
        VaultError: the vault cannot be written to.
        LogError: its log was altered.
    """

    def __init__(
        self, path: Path, sealing: Sealing, clock: Clock | None = None, *, waits: bool = False
    ) -> None:
        notices = self._notices = Notices()
        self._backlog = Backlog(self._store) if waits else None
        with ExitStack() as opened:
            vault = opened.enter_context(Vault(path))
            trusted = TrustedClock(path / CLOCK, clock, accept=sealing.clock_is_right)
            self._clock = RunningClock(trusted)
            camera, log = sealing.camera, None
            if camera is None and sealing.deletes and (path / LOG).exists():
                raise InputError(
                    f"the vault {path} has the log of a camera, which says what becomes of its "
                    "shots, and this would delete some unlogged",
                    hint="give another --vault, or the --policy of that camera",
                )
            if camera:
                log = opened.enter_context(Log(path / LOG, camera.name, camera.key))
            self._sealer = _open_sealer(sealing, notices, self._clock)
            self._record = Record(vault, log, camera.key.verify_key if camera else None)
            self._uploads = Uploads(vault, sealing.delivery) if sealing.delivery else None
            rules = Rules(
                policy=sealing.policy or (camera.policy if camera else None),
                retention=sealing.retention,
                quota_bytes=sealing.quota_bytes,
                rate=sealing.rate,
            )
            self._caretaker = Caretaker(
                vault, self._record, self._clock, rules, self._uploads, notices
            )
            if self._uploads:
                opened.callback(self._uploads.stop)
            self._turns: Turns | None = None
            self._key_turns: KeyTurns | None = None
            self._camera = camera
            if camera:
                now = self._clock.now()
                if log and isinstance(camera.key, DayKeys):
                    self._key_turns = KeyTurns(camera.key, log, notices, now)
                if newest := sealing.newest_keys:
                    self._turns = Turns(camera, newest, self._record, notices, now)
            self._record.finish(rules.policy)
            self._begun, self._begin_at = False, 0.0
            self._not_begun: SealshotError | None = None
            with self._bearing_a_full_disk():
                self._begin()
            self._opened = opened.pop_all()

    def _begin(self) -> None:
        """Have vault and log ready for shots, unless they are; asked again, it does what was left.

        Raises:
            VaultError: the vault cannot be written to.
            LogError: nor can its log.
        """
        if self._begun:
            return
        if self._not_begun and time.monotonic() < self._begin_at:
            raise self._not_begun.with_traceback(None)  # else each time makes it longer
        try:
            self._caretaker.begin()
            now = self._clock.now()
            if self._key_turns:
                self._key_turns.take(now, self._clock.earliest())
            if self._camera:
                self._record.log_policy(self._camera.policy, now)
                if self._sealer:
                    self._record.log_start(self._camera.policy, now)
        except SealshotError as error:
            self._not_begun, self._begin_at = error, time.monotonic() + BEGIN_EVERY_S
            raise
        self._begun, self._not_begun = True, None

    @contextmanager
    def _bearing_a_full_disk(self) -> Iterator[None]:
        """Tell that the disk is full, where shots may wait for room; all else is raised."""
        try:
            yield
        except SealshotError as error:
            if self._backlog is None or not is_full(error):
                raise
            self._notices.tell("full", f"{error.fact} (hint: {error.hint})")

    def put(
        self,
        shot: Shot,
        origin: Origin,
        picture: PictureType = "jpg",
        replaces: str | None = None,
        name: str | None = None,
    ) -> str:
        """Seal a shot, store it durably and return its id; it takes the place of ``replaces``.

        Args:
            shot: the shot.
            origin: where it comes from.
            picture: how it is encoded.
            replaces: the id of a lesser one.
            name: 32 hexadecimal digits that its id is made of; None takes random ones.

        Raises:
            VaultError: it could not be stored. What was stored before is kept.
            LogError: it could not be logged.
        """
        if self._sealer is None:
            raise ValueError("nothing is sealed here, only what is there looked after")
        self._turn()
        utc = datetime.fromisoformat(shot.utc.replace("Z", "+00:00"))
        times = self._times_of(shot.time_s, utc, origin)
        plain = pack(shot, origin, times, picture=picture)
        sealed = self._sealer.seal(plain, times, id=name)
        self._keep(Stored(sealed, times, replaces, shot.score))
        return sealed.name

    def put_originals(self, originals: Originals, origin: Origin, utc: datetime) -> str:
        """Seal a part of what a public stream covered, store it durably and return its id.

        Args:
            originals: the part.
            origin: where it comes from.
            utc: when its first piece was taken, by the system's clock.

        Raises:
            VaultError: it could not be stored. What was stored before is kept.
            LogError: it could not be logged.
        """
        if self._sealer is None:
            raise ValueError("nothing is sealed here, only what is there looked after")
        self._turn()
        times = self._times_of(originals.pieces[0].time_s, utc, origin)
        plain = pack_originals(originals, origin, times)
        sealed = self._sealer.seal(plain, times, CONTENT, originals.id)
        self._store(Stored(sealed, times, None, None))
        return sealed.name

    def _keep(self, shot: Stored) -> None:
        if self._backlog is None:
            self._store(shot)
            return
        self._backlog.put(shot)
        self._tell_waiting(self._backlog)

    def _store(self, shot: Stored) -> None:
        self._begin()
        with self._caretaker.room_for(shot):
            self._record.admit(shot.sealed, shot.replaces, shot.times.sealed)

    def problem(self) -> str:
        """Return why shots wait for room, and how many; nothing while none does."""
        backlog = self._backlog
        failure = backlog.failure or self._not_begun if backlog is not None else None
        if backlog is None or failure is None:
            return ""
        lost = f", and {len(backlog.lost)} are lost" if backlog.lost else ""
        return f"{failure.fact}: sealed shots that wait in memory: {len(backlog)}{lost}"

    def settle(self) -> frozenset[str]:
        """Store what waits for room; return the ids of the shots that are lost.

        Waits for room for ``ROOM_S``, while uploads go on, which may make some. Ctrl-C ends that.
        """
        backlog = self._backlog
        if backlog is None:
            return frozenset()
        until = time.monotonic() + ROOM_S
        try:
            self._store_waiting(backlog)
            if len(backlog):
                logger.warning("%s; waiting %.0f s for room", self.problem(), ROOM_S)
            while len(backlog) and time.monotonic() < until:
                time.sleep(ROOM_EVERY_S)
                self.tick()
                self._store_waiting(backlog)
        except SealshotError as error:
            logger.warning("%s", error.fact)
        except KeyboardInterrupt:
            pass
        backlog.give_up()
        return frozenset(backlog.lost)

    def _store_waiting(self, backlog: Backlog) -> None:
        """Store what waits as far as there is room by now."""
        self._begin_at = 0.0
        backlog.retry(at_once=True)

    def _tell_waiting(self, backlog: Backlog) -> None:
        problem = self.problem()
        self._notices.tell("lost", problem if backlog.lost else "")
        self._notices.tell("full", f"{problem} (hint: free some space)" if problem else "")

    def _times_of(self, time_s: float, utc: datetime, origin: Origin) -> Times:
        """Return when something was taken, by the best that is known of it, and is sealed.

        Args:
            time_s: of it, in its source.
            utc: of it, by the system's clock.
            origin: of a recording, it may say when that began.
        """
        now, ahead = self._clock.now(), self._clock.ahead_of_system()
        if origin.started:
            with suppress(OverflowError):
                taken = origin.started + timedelta(seconds=time_s)
                if is_hour(format_hour(taken)):
                    return Times(taken, now, origin.clock or "given")
            self._notices.tell(
                "taken",
                f"by its start, {origin.started}, the recording is of a time that no warrant is "
                "for: that of processing is taken",
            )
            return Times(utc + ahead, now, "processing")
        return Times(utc + ahead, now, origin.clock or ("trusted" if ahead else "system"))

    def tick(self) -> None:
        """Forget what is over; cheap, to be called often, also while nobody is to be seen.

        Raises:
            VaultError: something could not be deleted.
            LogError: something could not be logged.
        """
        with self._bearing_a_full_disk():
            self._begin()
            self._turn()
            if self._backlog is not None:
                self._backlog.retry()
            self._tend()
            if self._backlog is not None:
                self._tell_waiting(self._backlog)

    def _tend(self) -> None:
        """Forget what is over, the key of a day too."""
        self._caretaker.tick()
        if self._key_turns:
            self._key_turns.take(self._clock.now(), self._clock.earliest())

    def _turn(self) -> None:
        """Let a new version of the policy take force where an epoch turned."""
        if self._turns and self._begun and (sealer := self._turns.take(self._clock.now())):
            self._sealer = sealer
            self._caretaker.follow(self._turns.camera.policy)

    def standing(self) -> Standing:
        """Return how far uploads are."""
        return self._uploads.standing() if self._uploads else Standing(0, 0, 0)

    def stop_uploads(self) -> None:
        """Send no more; what is not uploaded stays marked."""
        if self._uploads:
            self._uploads.stop()

    def close(self) -> None:
        """Let go of the vault. What is not uploaded yet is, by the next run."""
        self._opened.close()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.settle()
            self._caretaker.end()
            self._record.log_stop(self._clock.now())
        except SealshotError as error:  # what the run did is told all the same
            logger.warning("%s; the next run logs what was uploaded", error.fact)
        finally:
            self.close()


def _open_sealer(sealing: Sealing, notices: Notices, clock: RunningClock) -> Sealer | None:
    if sealing.camera and sealing.epoch_keys:
        return QuorumSealer(sealing.camera, sealing.epoch_keys, notices, clock.now())
    return RecipientSealer(sealing.recipients) if sealing.recipients else None
