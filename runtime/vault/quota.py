"""The quota of a vault, and who goes when it is reached.

First what a server has acknowledged, or what was never to be uploaded; then what waits for its
upload. Of either, what a public stream covered goes before any shot; and then the hour that takes
most of the room gives, of its fullest minute, the oldest: a burst, as of a hundred made-up faces,
pushes out itself and not the evidence of the days, or of the minutes, before. Of what an earlier
run stored the minute is not known: each counts as one of its own. What is on legal hold never goes,
and does not count.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone

from sealshot.runtime.errors import VaultError
from sealshot.runtime.vault.store import VaultObject

logger = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)


class Quota:
    """Knows the sizes of all objects, so that not all are looked at for each shot.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sizes: dict[str, int] = {}  # oldest first
        self._hours: dict[str, datetime] = {}
        self._minutes: dict[str, int] = {}
        self._numbers = itertools.count()
        self._minute, self._began = -1, datetime.min.replace(tzinfo=timezone.utc)
        self._total = 0
        self._pushed_out = [0, 0]  # shots, of them not uploaded
        self._told = False

    def load(self, objects: Iterable[VaultObject]) -> None:
        """Take the objects of the vault, oldest first, in place of what was known."""
        known = {object_id: number for number, object_id in enumerate(self._sizes)}
        found = sorted(objects, key=lambda o: (o.sealed_at, known.get(o.id, -1)))
        self._sizes = {one.id: one.bytes for one in found}
        self._hours = {one.id: _hour(one.sealed_at) for one in found}
        self._minutes = {i: self._minutes.get(i, next(self._numbers)) for i in self._sizes}
        self._total = sum(self._sizes.values())

    def add(self, object_id: str, size: int, now: datetime) -> None:
        """Count an object that was stored."""
        self._sizes[object_id] = size
        self._hours[object_id] = _hour(now)
        if not self._began <= now < self._began + MINUTE:
            self._minute, self._began = next(self._numbers), now
        self._minutes[object_id] = self._minute
        self._total += size

    def remove(self, object_ids: Iterable[str]) -> None:
        """Discount objects that are gone."""
        for object_id in object_ids:
            self._total -= self._sizes.pop(object_id, 0)
            self._hours.pop(object_id, None)
            self._minutes.pop(object_id, None)

    def note_pushed_out(self, shots: int, not_uploaded: int) -> None:
        """Count what the quota took; tell of the first at once."""
        self._pushed_out[0] += shots
        self._pushed_out[1] += not_uploaded
        if not self._told:
            self.tell_pushed_out()

    def tell_pushed_out(self) -> None:
        """Tell what the quota took since it was told last."""
        shots, lost = self._pushed_out
        self._pushed_out = [0, 0]
        if not shots:
            return
        self._told = True
        logger.warning(
            "the vault is at its quota of %s bytes: %d of the oldest shots were deleted%s",
            f"{self.limit:,}",
            shots,
            f", {lost} of them not uploaded" if lost else "",
        )

    def over(
        self,
        size: int,
        replaces: str | None,
        is_pending: Callable[[str], bool],
        is_held: Callable[[str], bool] | None = None,
        is_shot: Callable[[str], bool] = lambda _: True,
    ) -> list[str]:
        """Return the objects that have to go before one of ``size`` bytes comes.

        Args:
            size: of the object to come.
            replaces: an object that goes anyway.
            is_pending: whether an object waits for its upload.
            is_held: whether an object is on legal hold; None where none is.
            is_shot: whether an object is a shot, and no part of what a public stream covered.

        Raises:
            VaultError: it cannot fit, whatever goes.
        """
        if size > self.limit:
            raise VaultError(
                f"a shot of {size:,} bytes is larger than the quota of {self.limit:,}",
                hint="give a larger --quota",
            )
        excess = self._total + size - self.limit - self._sizes.get(replaces or "", 0)
        if excess <= 0:
            return []
        held = {object_id for object_id in self._sizes if is_held and is_held(object_id)}
        excess -= sum(self._sizes[object_id] for object_id in held - {replaces})
        free = [i for i in self._sizes if i != replaces and i not in held]
        ranks = {object_id: (is_pending(object_id), is_shot(object_id)) for object_id in free}
        gone: list[str] = []
        for rank in itertools.product((False, True), repeat=2):
            hours: dict[datetime, dict[int, deque[str]]] = {}
            weights: dict[datetime, int] = {}
            for object_id in free:
                if ranks[object_id] == rank:
                    hour, minute = self._hours[object_id], self._minutes[object_id]
                    minutes = hours.setdefault(hour, {})
                    minutes.setdefault(minute, deque()).append(object_id)
                    weights[hour] = weights.get(hour, 0) + self._sizes[object_id]
            while excess > 0 and hours:
                hour = max(hours, key=lambda hour: (weights[hour], -hour.timestamp()))
                minutes = hours[hour]
                minute = max(minutes, key=lambda number: len(minutes[number]))  # or the oldest
                taken = minutes[minute].popleft()
                gone.append(taken)
                excess -= self._sizes[taken]
                weights[hour] -= self._sizes[taken]
                if not minutes[minute]:
                    del minutes[minute]
                if not minutes:
                    del hours[hour]
        return gone


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
