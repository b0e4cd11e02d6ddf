"""The lines of a log: what one says, who wrote it, and whether all of them are what was signed."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.checkpoint import (
    Checkpoint,
    LogError,
    parse_checkpoint,
)
from sealshot.runtime.seal.entries import Entry, Started, read_entry
from sealshot.runtime.seal.log_signer import Alone, Signer, is_signed, not_its_keepers
from sealshot.runtime.seal.merkle import Tree
from sealshot.runtime.seal.signing import VerifyKey

LINE_LIMIT = 1024 * 1024
"""Bytes; an entry takes about 250."""

_BLOCK = 256 * 1024
_ID = re.compile(rb'"id":"([^"]*)"')
_CHANGES_KEY = b'"event":"key-changed"'
_TIME = re.compile(rb'"time":"([^"]*)"')


def verified_entries(
    path: Path, name: str, key: VerifyKey, notes: Sequence[bytes]
) -> Iterator[tuple[bytes, Entry]]:
    """Verify a log in a file and yield its entries on the way, in one pass and little memory.

    What was yielded counts only once it has ended without an error.

    Args:
        path: the log; read after its checkpoints were, it may have more entries than they say.
        name: of its keeper.
        key: of its keeper.
        notes: checkpoints, of any age: the older kept ones say most.

    Yields:
        Each line, without its line feed, and what it says.

    Raises:
        LogError: an entry was altered, put in, taken out, moved or cut off; it says where.
        SealError: it cannot be read, or is of a newer sealshot.
    """
    checkpoints = [parse_checkpoint(note, key) for note in notes]
    for checkpoint in checkpoints:
        if checkpoint.name != name:
            raise LogError(f"the checkpoint is of the log of {checkpoint.name}, not of {name}")
    signer = Signer(name, key)
    try:
        yield from _verified_by_roots(lines_in(path), signer, checkpoints)
        _verify_alone(lines_in(path), name, signer.alone)
    except SealshotError:
        signer = Signer(name, key)
        for index, line in enumerate(lines_in(path)):
            signer.verify(line, index)  # says which entry it is
        raise


def _verified_by_roots(
    lines: Iterable[bytes], signer: Signer, checkpoints: Sequence[Checkpoint]
) -> Iterator[tuple[bytes, Entry]]:
    """Check what a signed root covers by that: whoever signed it signed the entries too.

    A signature takes five times as long as all else of an entry, and those of the entries say
    nothing that the root's does not: they are of one key. Where there is none, ``signer`` says.
    """
    roots, tree = {checkpoint.size: (b"", "") for checkpoint in checkpoints}, Tree()
    timed, latest = False, ""  # version 0.1 let times go back
    for line in lines:
        if tree.size in roots:
            roots[tree.size] = tree.root, signer.day
        entry = signer.pass_by(line, tree)
        time = entry.time
        if timed and time < latest:
            raise LogError(
                f"the time of entry {tree.size + 1} of the log, {time}, is before that of an "
                f"earlier one, {latest}",
                "its keeper's program is not sealshot, or was tampered with",
            )
        timed, latest = timed or isinstance(entry, Started), max(latest, time)
        tree.add(line)
        yield line, entry
    if tree.size in roots:
        roots[tree.size] = tree.root, signer.day
    signer.end(tree.size, max((each.size for each in checkpoints), default=0))
    for checkpoint in checkpoints:
        _compare(checkpoint, tree.size, *roots[checkpoint.size])


def _compare(checkpoint: Checkpoint, size: int, root: bytes, day: str) -> None:
    if checkpoint.size > size:
        raise LogError(
            f"the log has {size} entries and had {checkpoint.size} when its checkpoint "
            "was signed: it was cut",
            "compare with a copy of the log",
        )
    if root != checkpoint.root:
        raise LogError(
            f"the first {checkpoint.size} entries are not those that were signed: some were "
            "taken out, put in or replaced",
            "compare with a copy of the log",
        )
    if checkpoint.size and checkpoint.day != day:
        raise LogError(
            f"the checkpoint of the first {checkpoint.size} entries is not signed by the camera's "
            f"key of {day or 'all days'}, which signed the last of these",
            "whoever stole the camera may have made it: get a copy of it elsewhere",
        )


def _verify_alone(lines: Iterable[bytes], name: str, places: Sequence[Alone]) -> None:
    """Check the signatures of the lines at these places, which are in order."""
    if places:
        rest = iter(lines)
        at = 0
        for place in places:
            wanted = islice(rest, place.start - at, place.stop - at)
            for index, line in enumerate(wanted, place.start):
                if not is_signed(line, name, index, place.key):
                    raise not_its_keepers(index)
            at = place.stop


def entries_of(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Return the entries of the lines of a log; nothing is verified."""
    for line in lines:
        yield read_entry(line.rpartition(b" ")[0])


def time_of(line: bytes) -> str:
    """Return the time of an entry that was signed as one, without reading the rest."""
    found = _TIME.search(line)
    return found[1].decode() if found else ""


def object_of(line: bytes) -> str:
    """Return which object an entry is about, without reading the rest; nothing if about none."""
    found = _ID.search(line)
    return found[1].decode() if found else ""


def changes_key(line: bytes) -> bool:
    """Whether an entry says that another key signs from the next one on."""
    return _CHANGES_KEY in line


def lines_in(path: Path) -> Iterator[bytes]:
    """Return the lines of a log in a file, a few at a time in memory; what a crash tore is none.

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
        raise _too_long(path)


def lines_of(data: bytes) -> Iterator[bytes]:
    """Return the lines; what follows the last line feed was torn by a crash and is none."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def newest_lines(fd: int, path: Path) -> Iterator[bytes]:
    """Return the lines of an open log, the newest first; what a crash tore is none.

    Raises:
        LogError: a line is far longer than an entry.
    """
    at, rest = whole_bytes(fd) - 1, b""  # without the last line feed
    if at < 0:
        return
    while at:
        start = max(0, at - _BLOCK)
        rest, *lines = (os.pread(fd, at - start, start) + rest).split(b"\n")
        at = start
        if len(rest) > LINE_LIMIT:
            raise _too_long(path)
        yield from reversed(lines)
    yield rest


def whole_bytes(fd: int) -> int:
    """Return how many bytes of an open log are whole lines: up to its last line feed."""
    at = os.fstat(fd).st_size
    while at:
        start = max(0, at - _BLOCK)
        found = os.pread(fd, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _too_long(path: Path) -> LogError:
    return LogError(f"a line of the log {path} is no entry: it is too long", "check the path")
