"""The log: what became of shots, keys and requests (`entries.py`); append-only and provable.

    log               one line an entry: JSON, a space, Ed25519 over it and its place; in the log of
                      a camera by the key of the day (`day_keys.py`)
    log.checkpoint    the size and the Merkle root (RFC 6962) of all entries, signed
    log.tiles/        the hashes of that tree, so that a start need not read all entries

A checkpoint is a signed note (https://c2sp.org/tlog-checkpoint). Whoever keeps a copy of one, off
the machine, can tell later whether an entry that it covers was altered, taken out, put in, moved or
cut off, also by somebody who has the machine and its signing key.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sealshot.runtime.files import fsync_folder, is_full, read_regular, write_atomic
from sealshot.runtime.seal.certificates import Certificate, Today
from sealshot.runtime.seal.checkpoint import (
    CHECKPOINT_LIMIT,
    Checkpoint,
    LogError,
    checkpoint_path,
    parse_checkpoint,
    write_checkpoint,
)
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.entries import Entry, KeyChanged, values_of, write_entry
from sealshot.runtime.seal.log_lines import (
    changes_key,
    entries_of,
    lines_in,
    newest_lines,
    object_of,
    time_of,
    verified_entries,
    whole_bytes,
)
from sealshot.runtime.seal.log_signer import Signer, certificate_in, key_changed, sign_line
from sealshot.runtime.seal.merkle import Tree, hash_leaf
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import WIDTH, Tiles

TILES_SUFFIX = ".tiles"

_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_AFTER_TILES = 100_000
"""Lines that are looked at for where the tiles end; there are 255 and what one crash left."""


class Log:
    """A log to append to; one process at a time holds it.

    Args:
        path: the file; made where it is absent.
        name: of whoever keeps the log.
        key: signs entries and checkpoints; of a camera, the keys that do.

    Raises:
        LogError: it was altered, another process writes to it, or it cannot be written to. What is
            older than its newest full tile is not read: what is signed goes on from what was.
    """

    latest: str
    """The latest time of its entries, or when the key began to sign by which the next one is."""

    def __init__(self, path: Path, name: str, key: SigningKey | DayKeys) -> None:
        self.path, self.name, self._keys = path, name, key
        self._today: Today | None = None
        """Of a camera with keys of days, what signs the next entry; None where one that says so
        must be before it."""
        self._tree = Tree()
        self._tiles: Tiles | None = None
        self.latest = ""
        self._unsigned: set[frozenset[tuple[str, Any]]] = set()
        """What was written, could not be signed, and will be asked for again."""
        try:
            self._fd = os.open(path, _OPEN, 0o644)
            try:
                if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                    raise OSError(errno.EINVAL, "it is no regular file")
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._recover()
                fsync_folder(path.parent)
            except BaseException:
                os.close(self._fd)
                raise
        except BlockingIOError as error:
            raise LogError(f"another process writes to the log {path}", "wait for it") from error
        except OSError as error:
            raise _cannot_write(path, error) from error

    def append(self, *entries: Entry) -> None:
        """Add entries durably, and sign a new checkpoint.

        Asked again for what was written and could not be signed, be it in a later hour, it signs,
        and writes nothing.

        Raises:
            LogError: they could not be stored.
        """
        asked = {_but_when(entry) for entry in entries}
        try:
            if new := [one for one in entries if _but_when(one) not in self._unsigned]:
                if isinstance(self._keys, DayKeys) and self._today is None:
                    self._turn(self._keys.today, new[0].time)
                self._append(new, self._key)
            self._unsigned |= asked
            self._sign()
            self._unsigned -= asked
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def turn(self, today: Today, time: str) -> None:
        """Add the entry that says that another key signs from the next one on, durably.

        Asked again for what was written and could not be signed, it signs, and writes nothing.

        Args:
            today: the other key.
            time: the hour.

        Raises:
            LogError: it could not be stored.
        """
        try:
            if self._today != today:
                self._turn(today, time)
            self._sign()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _turn(self, today: Today, time: str) -> None:
        hour = max(self.latest, f"{today.certificate.day}T00", time)
        entry = key_changed(today.certificate, hour, self._tree.root)
        self._append([entry], (self._today or today).key)
        self._today = today

    @property
    def _key(self) -> SigningKey:
        """What signs the next entry."""
        if self._today:
            return self._today.key
        assert isinstance(self._keys, SigningKey)
        return self._keys

    def _append(self, entries: Sequence[Entry], key: SigningKey) -> None:
        lines = [
            sign_line(write_entry(entry), self.name, index, key)
            for index, entry in enumerate(entries, self._tree.size)
        ]
        self._write(b"".join(line + b"\n" for line in lines))
        for line in lines:
            self._add(line)
        self.latest = max(self.latest, *(entry.time for entry in entries))

    def _write(self, data: bytes) -> None:
        """Write all of ``data`` or nothing: on half a line no later entry could be read."""
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, data)
            if written < len(data):  # a disk that is nearly full takes a part, and says no error
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, size)
            raise

    def entries(self) -> Iterator[Entry]:
        """Return all entries, the oldest first."""
        return entries_of(lines_in(self.path))

    def newest_first(self, objects: Container[str], since: str = "") -> Iterator[Entry]:
        """Return the entries about these objects or about none, the newest first.

        Args:
            objects: those about others are not even read.
            since: nor are those before this time, where times only rise.
        """
        for line in newest_lines(self._fd, self.path):
            if since and self._tiles and time_of(line) < since:
                return
            about = object_of(line)
            if not about or about in objects:
                yield from entries_of([line])

    def close(self) -> None:
        """Let go of the log."""
        os.close(self._fd)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recover(self) -> None:
        """Check the log, cut a line that a crash tore, and sign what is not yet covered."""
        note = checkpoint_path(self.path)
        notes = [read_regular(note, CHECKPOINT_LIMIT)] if note.exists() else []
        try:
            checkpoints = [parse_checkpoint(note, self._keys.verify_key) for note in notes]
        except LogError as error:
            raise LogError(
                f"{self.path}: {error.fact}",
                "a camera that was enrolled again begins a new vault; else get a copy elsewhere",
            ) from error
        if not any(map(self._resume, checkpoints)):
            self._read_all(notes)
        whole = whole_bytes(self._fd)
        if whole < os.fstat(self._fd).st_size:  # only now: what is no log of ours is left as it is
            os.ftruncate(self._fd, whole)
            os.fsync(self._fd)
        if isinstance(self._keys, DayKeys):
            self._go_on(self._keys)
        if not checkpoints or checkpoints[0].size < self._tree.size:
            try:
                self._sign()
            except OSError as error:
                if not is_full(error):  # then with what is appended next
                    raise

    def _resume(self, checkpoint: Checkpoint) -> bool:
        """Go on from the tiles and the lines after them; whether that is what was signed."""
        full = checkpoint.size // WIDTH * WIDTH
        if not full or checkpoint.name != self.name:
            return False
        try:
            tiles = Tiles.restore(tiles_path(self.path), full)
            last = tiles.leaf(full - 1)
        except OSError:  # one is missing, or is none
            return False
        lines: list[bytes] = []
        for line in islice(newest_lines(self._fd, self.path), _AFTER_TILES):
            lines.append(line)
            if hash_leaf(line) == last:
                break
        else:
            return False
        lines.reverse()
        signer = self._signer(skip=max(0, full - 1 + len(lines) - checkpoint.size))
        tree, latest = Tree.of_subtrees(tiles.subtrees()), time_of(lines[0])
        for line in lines[1:]:
            if tree.size == checkpoint.size and tree.root != checkpoint.root:
                return False
            if tree.size >= checkpoint.size:
                signer.verify(line, tree.size)
            if time_of(line) < latest:
                return False
            tiles.add(tree.add(line))
            latest = time_of(line)
        if tree.size == checkpoint.size and tree.root != checkpoint.root:
            return False
        self._tree, self._tiles, self.latest = tree, tiles, latest
        return tree.size >= checkpoint.size

    def _read_all(self, notes: list[bytes]) -> None:
        """Verify the log from its first entry on, and make its tiles anew."""
        rises, tiles = True, Tiles(tiles_path(self.path))
        key = self._keys.verify_key
        for line, entry in verified_entries(self.path, self.name, key, notes):
            self._tree.add(line)
            rises = rises and entry.time >= self.latest
            self.latest = max(self.latest, entry.time)
        if not rises:  # as in version 0.1: no part of it tells which time was the latest
            return
        for line in lines_in(self.path):  # again: what is not right must not replace what was
            tiles.add(hash_leaf(line))
            with suppress(OSError):  # a full disk: until something is signed they are in memory
                tiles.store()
        self._tiles = tiles

    def _go_on(self, keys: DayKeys) -> None:
        """Sign with the key of the log's last entries, if it is there and its day is not over."""
        logged = self._signer().certificate
        if logged and logged.day > keys.day:  # a power cut came before the file of the key
            keys.turn(logged.day)
        if logged == keys.today.certificate:
            self._today = keys.today
        self.latest = max(self.latest, f"{keys.day}T00")

    def _signer(self, skip: int = 0) -> Signer:
        """Return who signed the newest line but ``skip``."""
        return Signer(self.name, self._keys.verify_key, self._certificate(skip))

    def _certificate(self, skip: int) -> Certificate | None:
        if isinstance(self._keys, DayKeys):
            for line in islice(newest_lines(self._fd, self.path), skip, None):
                if changes_key(line):
                    [entry] = entries_of([line])
                    return certificate_in(entry) if isinstance(entry, KeyChanged) else None
        return None

    def _add(self, line: bytes) -> None:
        leaf_hash = self._tree.add(line)
        if self._tiles:
            self._tiles.add(leaf_hash)

    def _sign(self) -> None:
        if self._tiles:
            self._tiles.store()  # first: up to a checkpoint there are all that are full
        keys, today = self._keys, self._today
        if isinstance(keys, SigningKey):
            note = write_checkpoint(self.name, self._tree, keys)
        elif today or not self._tree.size:
            note = write_checkpoint(self.name, self._tree, keys.checkpoint_key, today or keys.today)
        else:  # the key of its last entries is gone: the next one changes it
            return
        write_atomic(checkpoint_path(self.path), note)


def _but_when(entry: Entry) -> frozenset[tuple[str, Any]]:
    """Return what an entry says but its time, unless it says nothing else."""
    values = values_of(entry)
    said = values.items() - {("time", entry.time)}
    return frozenset(said if len(said) > 1 else values.items())


def tiles_path(log: Path) -> Path:
    """Return where the tiles of a log lie."""
    return log.with_name(log.name + TILES_SUFFIX)


def _cannot_write(path: Path, error: OSError) -> LogError:
    return LogError(
        f"cannot write to the log {path}: {error.strerror}", "check the folder and its free space"
    )
