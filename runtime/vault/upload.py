"""Upload: sealed shots go to where they are kept, as soon as the network lets them.

    vault/.upload/2026-11-21_5f0c...e1.sealed        an empty file for each object that is to go
    vault/.upload/2026-11-21_5f0c...e1.sealed.sent   its name once a server has acknowledged it,
                                                     until that is logged

After an upload the newest checkpoint of the log goes, too, as ``checkpoints/SIZE.checkpoint``:
whoever has the bucket can tell later what was taken out of the log, also with the camera's key.

The mark is made before the object, so that no kill, restart or loss of network makes an object
forgotten. What failed is tried again, later and later; one that is not taken holds up no other.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sealshot.runtime.errors import SealshotError, VaultError
from sealshot.runtime.files import PART, fsync_folder, read_regular
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT, checkpoint_path
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import OBJECT_ID, OBJECT_LIMIT, Vault, VaultObject

if TYPE_CHECKING:
    from sealshot.runtime.vault.targets import Target

logger = logging.getLogger(__name__)

SPOOL, SENT = ".upload", ".sent"
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 600.0
DRAIN_S = 30.0
CHECKPOINT_EVERY_S = 60.0
"""While more shots wait; the last of them is followed by one."""
STOP_S = 2.0
"""An upload that takes longer to end is left, and done again by the next run."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far uploads are."""

    waiting: int
    sent: int
    failures: int
    """In a row: since the last object that was sent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the objects of a vault are sent, and how."""

    target: Target
    delete: bool = False
    """Objects are deleted here once they are acknowledged."""
    first_wait_s: float = FIRST_WAIT_S
    """After a failure; doubled by each further one, up to ``longest_wait_s``. Half of it is chance,
    so that the cameras of a town do not come back at one moment."""
    longest_wait_s: float = LONGEST_WAIT_S


class Uploads:
    """Sends the objects of one vault in a thread of its own.

    Args:
        vault: whose objects.
        delivery: where to.
    """

    def __init__(self, vault: Vault, delivery: Delivery) -> None:
        self._vault, self._delivery = vault, delivery
        self._spool = vault.path / SPOOL
        self.delete = delivery.delete
        self._changed = threading.Condition()
        self._waiting: dict[str, None] = {}  # in the order in which they are tried
        self._sent: list[str] = []
        self._failed: set[str] = set()
        self._count = 0
        self._failures, self._retry_at = 0, 0.0
        self._told = self._told_checkpoint = ""
        self._checkpoint, self._checkpoint_due = b"", 0.0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up what an earlier run left, and begin, unless it has begun.

        Raises:
            VaultError: the spool cannot be made or read.
        """
        if self._thread:
            return
        try:
            self._spool.mkdir(exist_ok=True)
            fsync_folder(self._vault.path)
            self._waiting = dict.fromkeys(waiting(self._vault.path))
            self._sent = _marked(self._spool, SENT)
        except OSError as error:
            raise _spool_error(self._spool, error) from error
        run = partial(copy_context().run, self._run)  # what it logs is said of the same camera
        self._thread = threading.Thread(target=run, name="upload", daemon=True)
        self._thread.start()

    def expect(self, object_id: str) -> None:
        """Mark an object that is about to be stored.

        Raises:
            VaultError: it could not be marked.
        """
        try:
            self._mark(object_id).touch()
            fsync_folder(self._spool)
        except OSError as error:
            raise _spool_error(self._spool, error) from error

    def enqueue(self, object_id: str) -> None:
        """Send an object that is stored now."""
        with self._changed:
            self._waiting[object_id] = None
            self._changed.notify_all()

    def is_pending(self, object_id: str) -> bool:
        """Whether no server has acknowledged an object that is to go."""
        with self._changed:
            return object_id in self._waiting

    def standing(self) -> Standing:
        """Return how many wait, how many were sent, and how often it failed."""
        with self._changed:
            return Standing(len(self._waiting), self._count, self._failures)

    def acknowledged(self) -> list[str]:
        """Return the objects that a server has, and that are not settled."""
        with self._changed:
            return list(self._sent)

    def settle(self, object_ids: Iterable[str]) -> None:
        """Forget acknowledged objects: that they are is logged now.

        Raises:
            VaultError: the spool cannot be written to.
        """
        done = set(object_ids)
        try:
            for object_id in done:
                self._mark(object_id, SENT).unlink(missing_ok=True)
            fsync_folder(self._spool)
        except OSError as error:
            raise _spool_error(self._spool, error) from error
        with self._changed:
            self._sent = [object_id for object_id in self._sent if object_id not in done]

    def drain(self, limit_s: float = DRAIN_S) -> int:
        """Wait until all is sent, the target fails twice, or time is up; return how many are left.

        Ctrl-C ends the wait.
        """
        end = time.monotonic() + limit_s
        try:
            with self._changed:
                self._failures, self._retry_at = 0, 0.0  # one more try, however long the wait was
                self._changed.notify_all()
                while (
                    self._waiting
                    and self._failures < 2
                    and max(self._retry_at, time.monotonic()) < end
                ):
                    self._changed.wait(0.1)
        except KeyboardInterrupt:
            pass
        with self._changed:
            left = len(self._waiting)
        if left:
            logger.warning(
                "%s not uploaded yet: `sealshot vault upload` sends them, and the next run with "
                "--upload",
                _shots(left),
            )
        return left

    def stop(self) -> None:
        """End the thread; an upload that is under way may go on for a moment."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        thread, self._thread = self._thread, None
        if thread:
            thread.join(STOP_S)

    def _run(self) -> None:
        while (object_id := self._next()) is not None:
            try:
                sent = self._send(object_id)
                if sent:
                    self._send_checkpoint()
            except Exception as error:  # whatever it is, the thread must not end unnoticed
                self._put_off(object_id, error)
            else:
                self._done(object_id, sent)

    def _next(self) -> str | None:
        with self._changed:
            while not self._stopped:
                wait_s = self._retry_at - time.monotonic()
                if self._waiting and wait_s <= 0:
                    return next(iter(self._waiting))
                self._changed.wait(wait_s if self._waiting else None)
        return None

    def _send(self, object_id: str) -> bool:
        """Send an object and mark it as sent; False where it is gone: replaced, or purged."""
        try:
            data = read_regular(self._vault.path / object_id, OBJECT_LIMIT)
        except FileNotFoundError:
            self._mark(object_id).unlink(missing_ok=True)
            return False
        self._delivery.target.deliver(object_id, data)
        with suppress(FileNotFoundError):  # another run on this vault has sent it, too
            self._mark(object_id).replace(self._mark(object_id, SENT))
        fsync_folder(self._spool)
        return True

    def _send_checkpoint(self) -> None:
        """Send the newest checkpoint of the log, if there is one that is not sent."""
        with self._changed:
            more = len(self._waiting) > 1
        if more and time.monotonic() < self._checkpoint_due:
            return
        try:
            note = read_regular(checkpoint_path(self._vault.path / LOG), CHECKPOINT_LIMIT)
        except FileNotFoundError:  # shots to recipients are not logged
            return
        if note == self._checkpoint:
            return
        size = int(note.split(b"\n", 2)[1])
        try:
            self._delivery.target.deliver(f"checkpoints/{size}.checkpoint", note)
        except SealshotError as error:
            if error.fact != self._told_checkpoint:
                self._told_checkpoint = error.fact
                logger.warning(
                    "a checkpoint of the log is not uploaded: %s; one goes with the next shot",
                    error.fact,
                )
        else:
            self._checkpoint, self._told_checkpoint = note, ""
            self._checkpoint_due = time.monotonic() + CHECKPOINT_EVERY_S

    def _done(self, object_id: str, sent: bool) -> None:
        with self._changed:
            self._waiting.pop(object_id, None)
            self._failed.discard(object_id)
            if sent:
                self._sent.append(object_id)
                self._count += 1
                self._failures, self._retry_at = 0, 0.0
            recovered = sent and self._told and not self._failed
            self._changed.notify_all()
        if recovered:
            self._told = ""
            logger.warning("upload works again")

    def _put_off(self, object_id: str, error: Exception) -> None:
        with self._changed:
            if object_id in self._waiting:  # the others are not held up by one that is not taken
                del self._waiting[object_id]
                self._waiting[object_id] = None
                self._failed.add(object_id)
            doublings = min(self._failures, 30)
            wait_s = min(self._delivery.first_wait_s * 2**doublings, self._delivery.longest_wait_s)
            self._failures += 1
            self._retry_at = time.monotonic() + wait_s * random.uniform(0.5, 1.0)
            left = len(self._waiting)
            self._changed.notify_all()
        fact = str(error) or type(error).__name__
        if fact != self._told:  # once for each reason, not each time
            self._told = fact
            hint = error.hint if isinstance(error, SealshotError) else ""
            logger.warning(
                "upload fails: %s; %s kept here and tried again%s",
                fact,
                _shots(left),
                f" (hint: {hint})" if hint else "",
            )

    def _mark(self, object_id: str, suffix: str = "") -> Path:
        return self._spool / (object_id.replace("/", "_", 1) + suffix)


def waiting(vault: Path) -> list[str]:
    """Return the objects of a vault that no server has acknowledged, oldest epoch first.

    Raises:
        VaultError: the spool cannot be read.
    """
    spool = vault / SPOOL
    try:
        return _marked(spool, "") if spool.is_dir() else []
    except OSError as error:
        raise VaultError(f"cannot read {spool}: {error.strerror}", "check the folder") from error


def mark_all(vault: Path, objects: Iterable[VaultObject]) -> None:
    """Mark all objects of a vault as waiting for their upload.

    Raises:
        VaultError: the spool cannot be made or written to.
    """
    spool, part = vault / SPOOL, vault / (SPOOL + PART)
    folder = spool if spool.is_dir() else part
    try:
        folder.mkdir(exist_ok=True)
        for found in objects:
            (folder / found.id.replace("/", "_", 1)).touch()
        fsync_folder(folder)
        if folder == part:
            part.replace(spool)  # all or none: a spool that is there says that the rest was sent
            fsync_folder(vault)
    except OSError as error:
        raise _spool_error(spool, error) from error


def _marked(spool: Path, suffix: str) -> list[str]:
    names = [mark.name.replace("_", "/", 1) for mark in spool.iterdir()]
    ids = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
    return sorted(object_id for object_id in ids if OBJECT_ID.fullmatch(object_id))


def _shots(count: int) -> str:
    return "1 shot is" if count == 1 else f"{count} shots are"


def _spool_error(spool: Path, error: OSError) -> VaultError:
    return VaultError(
        f"cannot write to {spool}: {error.strerror}", "check the folder and its free space"
    )
