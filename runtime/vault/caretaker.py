"""What a vault needs while time goes on: what is over goes, what is on hold stays, quota is kept.

What leaves the vault leaves for one of six reasons, and each is logged: a better shot of the
person came; its retention time is over; the quota is reached (see `quota.py`), or the rate (see
`rate.py`); a server has it and ``--after-upload delete`` was chosen; a quorum ordered to erase it
(see `erasures.py`). The last five spare what is on legal hold.

It runs on the heartbeat of the source (:meth:`Caretaker.tick`), not on its frames.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from sealshot.runtime.errors import SealError, SealshotError, VaultError
from sealshot.runtime.files import is_full, read_head
from sealshot.runtime.seal.container import HEAD_LIMIT, read_header
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.warrant import Warrant
from sealshot.runtime.vault.backlog import Stored
from sealshot.runtime.vault.clock import RunningClock
from sealshot.runtime.vault.erasures import FOLDER, drop_late, find_ordered, read_erasures
from sealshot.runtime.vault.holds import Holds, read_holds
from sealshot.runtime.vault.notices import Notices
from sealshot.runtime.vault.quota import Quota
from sealshot.runtime.vault.rate import Rate
from sealshot.runtime.vault.record import ERASED, Record
from sealshot.runtime.vault.retention import ahead_of, find_over, has_ended
from sealshot.runtime.vault.store import Vault, list_objects
from sealshot.runtime.vault.upload import Uploads, waiting

logger = logging.getLogger(__name__)

TICK_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What is kept, and until when."""

    policy: Policy | None = None
    """Legal holds are verified by it."""
    retention: timedelta | None = None
    quota_bytes: int | None = None
    rate: int | None = None
    """People a minute."""


class Caretaker:
    """Looks after one vault.

    Args:
        vault: the vault.
        record: what becomes of its objects.
        clock: what time it is.
        rules: what is kept, and until when.
        uploads: of this vault, not yet begun; None where nothing is sent.
        notices: where warnings go.
    """

    def __init__(
        self,
        vault: Vault,
        record: Record,
        clock: RunningClock,
        rules: Rules,
        uploads: Uploads | None,
        notices: Notices,
    ) -> None:
        self._vault, self._record, self._clock = vault, record, clock
        self._rules, self._uploads, self._notices = rules, uploads, notices
        self._quota = Quota(rules.quota_bytes) if rules.quota_bytes else None
        self._rate = Rate(rules.rate) if rules.rate else None
        self._holds: Holds | None = None  # where one cannot be used: nothing may be deleted then
        self._shots: dict[str, bool] = {}
        """Which objects are shots, as far as it was asked."""
        self._tick_at = 0.0

    def begin(self) -> None:
        """Finish what a killed run left, and begin to upload; asked again, it does what was left.

        Raises:
            VaultError: something could not be deleted.
            LogError: something could not be logged.
        """
        self._tick_at = 0.0
        try:
            self.tick()  # before anything is logged: what is over may have filled the disk
        except SealshotError as error:
            if is_full(error):
                self._send()  # where that is deleted then, it makes room
            raise
        self._send()  # what is over is not sent any more
        self._record.adopt(self._clock.now())

    def _send(self) -> None:
        if self._uploads:
            self._uploads.start()
            self._acknowledge(self._uploads)

    def tick(self) -> None:
        """Forget what is over, and log what was uploaded.

        Raises:
            VaultError: something could not be deleted.
            LogError: something could not be logged.
        """
        if time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + TICK_EVERY_S
            self._clock.set()
            self._notices.tell("clock", self._clock.warning)
            self._holds = self._read_holds()
            if self._holds is not None:
                orders = self._erase(self._holds)
                self._forget(self._holds)
                self._record.log_orders(orders, self._clock.now())
                self._record.log_holds(self._holds, self._clock.earliest())
            self._record.log_alive(self._clock.now())
            self._clock.remember()  # last: a disk that was full may have room to remember it now
            self._tell_gone()
        if self._uploads:
            self._acknowledge(self._uploads)

    def follow(self, policy: Policy) -> None:
        """Go by a new version of the policy from now on."""
        self._rules = replace(self._rules, policy=policy, retention=policy.retention_time)
        self._tick_at = 0.0

    def end(self) -> None:
        """Wait a while for uploads, and log them.

        Raises:
            VaultError: something could not be deleted.
            LogError: something could not be logged.
        """
        if self._uploads:
            self._uploads.drain()
            self._acknowledge(self._uploads)
        self._tell_gone()

    def _tell_gone(self) -> None:
        if self._quota:
            self._quota.tell_pushed_out()
        if self._rate:
            self._rate.tell()

    @contextmanager
    def room_for(self, shot: Stored) -> Iterator[None]:
        """Make room for a shot that the block stores, then count and upload it.

        Raises:
            VaultError: it cannot fit, or cannot be marked for upload.
        """
        sealed, replaces = shot.sealed, shot.replaces
        if self._quota:
            self._quota.remove([sealed.name])  # what found no room before may be there in part
        self._make_room(len(sealed.data), replaces)
        if self._uploads:
            self._uploads.expect(sealed.name)
        yield
        if self._quota:
            self._quota.add(sealed.name, len(sealed.data), self._clock.now())
            self._quota.remove([replaces] if replaces else [])
            self._shots[sealed.name] = shot.score is not None
        if shot.score is not None:  # a shot, and no part of what a public stream covered
            self._keep_rate(sealed.name, shot.score, replaces, shot.due_s)
        if self._uploads:
            self._uploads.enqueue(sealed.name)

    def _read_holds(self) -> Holds | None:
        """Return the legal holds, or None where one cannot be used."""
        now = self._clock.earliest()
        try:
            holds = read_holds(self._vault.path, self._rules.policy, now)
            self._record.check_holds(holds, now)
        except VaultError as error:
            self._notices.tell("holds", f"{error.fact}; {error.hint}")
            return None
        self._notices.tell("holds", "")
        return holds

    def _erase(self, holds: Holds) -> Sequence[Warrant]:
        """Delete what a quorum ordered to erase, and what is not on hold; return the orders."""
        policy, vault = self._rules.policy, self._vault.path
        if policy is None:
            return ()
        orders, wrong = read_erasures(vault, policy)
        orders, late = drop_late(orders, policy, self._record.seen_orders)
        told = (f"{FOLDER}/{name}: {what}" for name, what in (wrong | late).items())
        self._notices.tell("erasures", "; ".join(told))
        there = [found.id for found in list_objects(vault)] if orders else []
        for order in orders.values():
            ordered = find_ordered(vault, there, order, policy)
            if gone := [one for one in ordered if holds.of(one) is None]:
                self._record.purge(gone, ERASED, self._clock.now(), order)
        return tuple(orders.values())

    def _forget(self, holds: Holds) -> None:
        """Delete what is over, and see to the quota's count."""
        now, retention = self._clock.now(), self._rules.retention
        objects = list_objects(self._vault.path)
        if retention is not None:
            earliest = self._clock.earliest()
            over = find_over(objects, retention, holds, earliest, self._rules.policy)
            due = [found.id for found in over.due]
            lost = self._not_uploaded(due)
            self._record.purge(due, "retention", now)
            gone = set(due)
            objects = [found for found in objects if found.id not in gone]
            if lost:
                logger.warning("%d shots were deleted on time that no server had taken", lost)
            self._notices.tell("ahead", ahead_of(objects, now))
        self._vault.sweep(lambda epoch: has_ended(epoch, now))
        if self._quota:
            self._quota.load(objects)
            there = {found.id for found in objects}
            self._shots = {one: shot for one, shot in self._shots.items() if one in there}

    def _make_room(self, size: int, replaces: str | None) -> None:
        """Keep to the quota; never unsaid."""
        quota, uploads, holds = self._quota, self._uploads, self._holds
        if quota is None or holds is None:
            return
        gone = quota.over(
            size,
            replaces,
            uploads.is_pending if uploads else lambda _: False,
            (lambda object_id: holds.of(object_id) is not None) if holds else None,
            self._is_shot,
        )
        if not gone:
            return
        lost = self._not_uploaded(gone)
        self._record.purge(gone, "quota", self._clock.now())
        quota.remove(gone)
        quota.note_pushed_out(len(gone), lost)

    def _is_shot(self, object_id: str) -> bool:
        if object_id not in self._shots:
            try:
                head = read_head(self._vault.path / object_id, HEAD_LIMIT)
                self._shots[object_id] = read_header(head).content == "shot"
            except (SealError, OSError):  # sealed to recipients, or nothing that can be read
                self._shots[object_id] = True
        return self._shots[object_id]

    def _keep_rate(self, object_id: str, score: float, replaces: str | None, due_s: float) -> None:
        """Keep to the rate; never unsaid."""
        holds = self._holds
        if self._rate is None or holds is None:
            return
        over = self._rate.over(object_id, score, replaces, due_s)
        if gone := [one for one in over if holds.of(one) is None]:
            self._record.purge(gone, "rate", self._clock.now())
            self._rate.note_gone(len(gone))
            if self._quota:
                self._quota.remove(gone)

    def _not_uploaded(self, object_ids: Sequence[str]) -> int:
        return len(set(waiting(self._vault.path)) & set(object_ids)) if self._uploads else 0

    def _acknowledge(self, uploads: Uploads) -> None:
        holds, done = self._holds, uploads.acknowledged()
        if not done or holds is None:
            return
        now, gone = self._clock.now(), list[str]()
        if uploads.delete:
            gone = [object_id for object_id in done if not holds.of(object_id)]
            gone = [object_id for object_id in gone if (self._vault.path / object_id).exists()]
        self._record.log_uploads(done, now, making_room=bool(gone))
        if gone:
            self._record.purge(gone, "uploaded", now)
            if self._quota:
                self._quota.remove(gone)
        uploads.settle(done)
