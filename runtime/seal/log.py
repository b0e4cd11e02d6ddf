"""The log: what became of shots, keys and requests (`entries.py`); append-only and provable.

    log               one line an entry: JSON, a space, Ed25519 over it and its place
    log.checkpoint    the size and the Merkle root (RFC 6962) of all entries, signed

A checkpoint is a signed note (https://c2sp.org/tlog-checkpoint). Whoever keeps a copy of one, off
the machine, can tell later whether an entry that it covers was altered, taken out, put in, moved or
cut off, also by somebody who has the machine and its signing key.
"""

from __future__ import annotations

import base64
import binascii
import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.files import fsync_folder, write_atomic
from sealshot.runtime.seal.entries import Entry, Started, read_entry, write_entry
from sealshot.runtime.seal.fields import is_name
from sealshot.runtime.seal.merkle import HASH_BYTES, Tree
from sealshot.runtime.seal.signing import SIGNATURE_BYTES, SigningKey, VerifyKey

CHECKPOINT_SUFFIX = ".checkpoint"
CHECKPOINT_LIMIT = 64 * 1024
LINE_LIMIT = 1024 * 1024
"""Bytes; an entry takes about 250."""
ORIGIN = "sealshot/"

_KIND = b"sealshot/log/1\n"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_ID = re.compile(rb'"id":"([^"]*)"')
_TIME = re.compile(rb'"time":"([^"]*)"')
_STARTED = b'"event":"started"'
_ED25519 = b"\x01"  # signature type of signed notes


class LogError(SealshotError):
    """A log was altered, or cannot be written. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one moment, signed."""

    name: str
    size: int
    root: bytes


class Log:
    """A log to append to; one process at a time holds it.

    Args:
        path: the file; made where it is absent.
        name: of whoever keeps the log.
        key: signs entries and checkpoints.

    Raises:
        LogError: it was altered, another process writes to it, or it cannot be written to.
    """

    latest: str
    """The latest time of its entries."""

    def __init__(self, path: Path, name: str, key: SigningKey) -> None:
        self.path, self.name, self._key = path, name, key
        self._tree = Tree()
        self.latest = ""
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

        Raises:
            LogError: they could not be stored.
        """
        lines = []
        for index, entry in enumerate(entries, self._tree.size):
            text = write_entry(entry)
            signature = self._key.sign(_message(self.name, index, text))
            lines.append(text + b" " + base64.b64encode(signature))
        data = b"".join(line + b"\n" for line in lines)
        try:
            self._write(data)
            for line in lines:
                self._tree.add(line)
            self.latest = max(self.latest, *(entry.time for entry in entries))
            self._sign()
        except OSError as error:
            raise _cannot_write(self.path, error) from error

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

    def entries(self, objects: Container[str] | None = None) -> Iterator[Entry]:
        """Return the entries, oldest first; with ``objects``, those of others are not even read."""
        for line in self._lines():
            about = _ID.search(line) if objects is not None else None
            if objects is None or about is None or about[1].decode() in objects:
                yield read_entry(line.rpartition(b" ")[0])

    def close(self) -> None:
        """Let go of the log."""
        os.close(self._fd)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recover(self) -> None:
        """Check the log, cut a line that a crash tore, and sign what is not yet covered.

        What our own checkpoint covers is what we signed if the root is right: its signatures are
        not checked one by one, since a camera of ten years has millions.
        """
        checkpoint, key = checkpoint_path(self.path), self._key.verify_key
        notes = [checkpoint.read_bytes()] if checkpoint.exists() else []
        covered = parse_checkpoint(notes[0], key).size if notes else 0
        try:
            self._tree = verify_lines(self._lines(), self.name, key, notes, covered)
        except LogError:
            verify_lines(self._lines(), self.name, key, notes)  # says which entry it is
            raise
        whole = 0
        for line in self._lines():
            whole += len(line) + 1
            self.latest = max(self.latest, _time_of(line))
        if whole < os.fstat(self._fd).st_size:  # only now: what is no log of ours is left as it is
            os.ftruncate(self._fd, whole)
            os.fsync(self._fd)
        if covered < self._tree.size or not notes:
            self._sign()

    def _lines(self) -> Iterator[bytes]:
        """Return the lines, a few at a time in memory; what a crash tore is none."""
        return lines_in(self.path)

    def _sign(self) -> None:
        note = write_checkpoint(self.name, self._tree, self._key)
        write_atomic(checkpoint_path(self.path), note)


def checkpoint_path(log: Path) -> Path:
    """Return where the newest checkpoint of a log lies."""
    return log.with_name(log.name + CHECKPOINT_SUFFIX)


def verify_log(data: bytes, name: str, key: VerifyKey, notes: Sequence[bytes]) -> Tree:
    """Check a log against its keeper's key and checkpoints; return its tree.

    Args:
        data: the log.
        name: of its keeper.
        key: of its keeper.
        notes: checkpoints, of any age: the older kept ones say most.

    Raises:
        LogError: an entry was altered, put in, taken out, moved or cut off; it says where.
    """
    return verify_lines(lines_of(data), name, key, notes)


def verify_lines(
    lines: Iterable[bytes], name: str, key: VerifyKey, notes: Sequence[bytes], by_root: int = 0
) -> Tree:
    """Check the lines of a log as :func:`verify_log` does.

    Args:
        lines: of the log, without their line feeds.
        name: of its keeper.
        key: of its keeper.
        notes: checkpoints.
        by_root: how many entries are checked by the root of a checkpoint of that size alone.

    Raises:
        LogError: an entry was altered, put in, taken out, moved or cut off.
    """
    checkpoints = [parse_checkpoint(note, key) for note in notes]
    for checkpoint in checkpoints:
        if checkpoint.name != name:
            raise LogError(f"the checkpoint is of the log of {checkpoint.name}, not of {name}")
    wanted = {checkpoint.size for checkpoint in checkpoints}
    roots, tree = {0: Tree().root}, Tree()
    timed, latest = False, ""  # version 0.1 let times go back
    for index, line in enumerate(lines):
        tree.add(line)
        if tree.size in wanted:
            roots[tree.size] = tree.root
        if index < by_root:
            time, starts = _time_of(line), _STARTED in line
            if starts:
                read_entry(line.rpartition(b" ")[0])  # it may be of a newer format
        else:
            entry = verify_line(line, name, index, key)
            time, starts = entry.time, isinstance(entry, Started)
        if timed and time < latest:
            raise LogError(
                f"the time of entry {index + 1} of the log, {time}, is before that of an "
                f"earlier one, {latest}",
                "its keeper's program is not sealshot, or was tampered with",
            )
        timed, latest = timed or starts, max(latest, time)
    for checkpoint in checkpoints:
        if checkpoint.size > tree.size:
            raise LogError(
                f"the log has {tree.size} entries and had {checkpoint.size} when its checkpoint "
                "was signed: it was cut",
                "compare with a copy of the log",
            )
        if roots[checkpoint.size] != checkpoint.root:
            raise LogError(
                f"the first {checkpoint.size} entries are not those that were signed: some were "
                "taken out, put in or replaced",
                "compare with a copy of the log",
            )
    return tree


def verify_line(line: bytes, name: str, index: int, key: VerifyKey) -> Entry:
    """Check the line of one entry, and return what it says.

    Args:
        line: without its line feed.
        name: of the keeper.
        index: how many entries are before it.
        key: of the keeper.

    Raises:
        LogError: the keeper did not write it, or not there.
    """
    text, _, signature = line.rpartition(b" ")
    if not key.verifies(_message(name, index, text), _decode(signature)):
        raise LogError(
            f"entry {index + 1} of the log was altered, put in, or moved there",
            "compare with a copy of the log",
        )
    try:
        return read_entry(text)
    except ValueError:
        raise LogError(
            f"entry {index + 1} of the log is signed, but is no entry",
            "its keeper's program is not sealshot, or was tampered with",
        ) from None


def entries_of(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Return the entries of the lines of a log, oldest first; nothing is verified."""
    for line in lines:
        yield read_entry(line.rpartition(b" ")[0])


def lines_in(path: Path) -> Iterator[bytes]:
    """Return the lines of a log in a file, a few at a time in memory.

    Raises:
        SealError: it cannot be read, or is no regular file.
        LogError: a line is far longer than an entry.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            while (line := file.readline(LINE_LIMIT)).endswith(b"\n"):
                yield line[:-1]
    except OSError as error:
        fact = f"cannot read the log {path}: {error.strerror}"
        raise SealError(fact, hint="check the path") from None
    if len(line) == LINE_LIMIT:
        raise LogError(f"a line of the log {path} is no entry: it is too long", "check the path")


def write_checkpoint(name: str, tree: Tree, key: SigningKey) -> bytes:
    """Return a signed note with the size and the root of a log."""
    origin = ORIGIN + name
    text = f"{origin}\n{tree.size}\n{base64.b64encode(tree.root).decode()}\n".encode()
    signature = base64.b64encode(_key_id(origin, key.verify_key) + key.sign(text)).decode()
    return text + f"\n— {origin} {signature}\n".encode()


def parse_checkpoint(note: bytes, key: VerifyKey) -> Checkpoint:
    """Read a checkpoint and verify its signature.

    Raises:
        LogError: it is none, or not signed by that key.
    """
    text, _, signatures = note[:CHECKPOINT_LIMIT].partition(b"\n\n")
    text += b"\n"
    lines = text.decode(errors="replace").split("\n")
    name = lines[0].removeprefix(ORIGIN)
    if len(lines) != 4 or lines[0] != ORIGIN + name or not is_name(name) or not lines[1].isascii():
        raise _no_checkpoint("it does not have the form of one")
    root = _decode(lines[2].encode())
    if not lines[1].isdigit() or len(lines[1]) > 18 or len(root) != HASH_BYTES:
        raise _no_checkpoint("its size or its root is not as it should be")
    wanted = _key_id(lines[0], key)
    for line in signatures.decode(errors="replace").splitlines():
        signer, _, encoded = line.rpartition(" ")
        signed = _decode(encoded.encode())
        if signer == f"— {lines[0]}" and signed[:4] == wanted:
            if len(signed) == 4 + SIGNATURE_BYTES and key.verifies(text, signed[4:]):
                return Checkpoint(name, int(lines[1]), root)
            raise _no_checkpoint("its signature is wrong")
    raise _no_checkpoint("it is not signed by that key")


def _no_checkpoint(what: str) -> LogError:
    return LogError(f"the checkpoint cannot be trusted: {what}", "get a copy of it elsewhere")


def _time_of(line: bytes) -> str:
    """Return the time of an entry that was signed as one, without reading the rest."""
    found = _TIME.search(line)
    return found[1].decode() if found else ""


def _message(name: str, index: int, text: bytes) -> bytes:
    return _KIND + f"{name}\n{index}\n".encode() + text


def _key_id(origin: str, key: VerifyKey) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + key.key).digest()[:4]


def lines_of(data: bytes) -> Iterator[bytes]:
    """Return the lines; what follows the last line feed was torn by a crash and is none."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _cannot_write(path: Path, error: OSError) -> LogError:
    return LogError(
        f"cannot write to the log {path}: {error.strerror}", "check the folder and its free space"
    )
