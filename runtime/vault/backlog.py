"""Sealed shots that wait for room on a disk that is full, while the camera goes on.

Only what is sealed waits: who reads the memory of the process needs the quorum all the same. A kill
or a power cut loses what waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.files import is_full
from sealshot.runtime.seal.payload import Times
from sealshot.runtime.vault.sealer import SealedShot

LIMIT_BYTES = 64 * 1024 * 1024
"""Of sealed shots: some 3,000 people."""
RETRY_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A shot to be stored, and what is told of it then."""

    sealed: SealedShot
    times: Times
    replaces: str | None
    """The id of a lesser shot of the person."""
    score: float | None
    """None of what is no shot."""
    due_s: float = field(default_factory=time.monotonic)
    """When it was due, by a clock that never goes back."""


class Backlog:
    """Stores shots in the order in which they come, and lets them wait while there is no room.

    Args:
        store: stores one; asked again for one that found no room, it does what was left.
        limit_bytes: of what waits; what comes above it is lost, and counted.
    """

    def __init__(self, store: Callable[[Stored], None], limit_bytes: int = LIMIT_BYTES) -> None:
        self._store, self._limit = store, limit_bytes
        self._waiting: list[Stored] = []
        self._retry_at_s = 0.0
        self._lost: dict[str, str | None] = {}
        """Id of a shot that found no room here either, to that of the lesser one that it leaves."""
        self.failure: SealshotError | None = None
        """Why shots wait; None while none does."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def lost(self) -> Set[str]:
        """Ids of shots that found no room here either."""
        return self._lost.keys()

    def put(self, shot: Stored) -> None:
        """Store a shot, or let it wait.

        Raises:
            SealshotError: it cannot be stored, and more room would not help.
        """
        while shot.replaces in self._lost:
            shot = replace(shot, replaces=self._lost[shot.replaces])
        if self._waiting:
            self.retry()
        if self._waiting or not self._stores(shot):
            self._hold(shot)

    def retry(self, *, at_once: bool = False) -> None:
        """Store what waits, as far as there is room; unless at once, each second at the most.

        Raises:
            SealshotError: one cannot be stored, and more room would not help.
        """
        if not at_once and time.monotonic() < self._retry_at_s:
            return
        while self._waiting and self._stores(self._waiting[0]):
            del self._waiting[0]
        if not self._waiting:
            self.failure = None

    def give_up(self) -> None:
        """Let go of what still waits: it is lost."""
        self._lost |= {shot.sealed.name: shot.replaces for shot in self._waiting}
        self._waiting.clear()

    def _stores(self, shot: Stored) -> bool:
        """Store a shot; say whether there was room."""
        try:
            self._store(shot)
        except SealshotError as error:
            if not is_full(error):
                raise
            self.failure, self._retry_at_s = error, time.monotonic() + RETRY_EVERY_S
            return False
        return True

    def _hold(self, shot: Stored) -> None:
        held = self._waiting[1:]  # the first one may be stored in part
        lesser = [one for one in held if one.sealed.name == shot.replaces]
        waiting = [one for one in self._waiting if one not in lesser]
        waiting.append(replace(shot, replaces=lesser[0].replaces) if lesser else shot)
        if sum(len(one.sealed.data) for one in waiting) > self._limit:
            self._lost[shot.sealed.name] = shot.replaces
        else:
            self._waiting = waiting
