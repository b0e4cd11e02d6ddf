"""A disk that remembers each write and each flush: an ext4 on a loop device on a FUSE file.

The kernel sends this file server what a block device would get. From the record come the contents
that a power cut could leave: what was written before the last flush is there; of what was written
since, all, nothing, or any sectors.
"""

from __future__ import annotations

import contextlib
import os
import random
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

SECTOR = 512
CACHES = ("kept", "lost", "torn")
"""What becomes of writes that were not flushed yet."""

_IN, _OUT = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_GETATTR, _SETATTR, _OPEN, _READ, _WRITE = 3, 4, 14, 15, 16
_STATFS, _RELEASE, _FSYNC, _FLUSH, _INIT, _DESTROY = 17, 18, 20, 25, 26, 38
_NO_REPLY = (2, 36, 42)  # FORGET, INTERRUPT, BATCH_FORGET
_MAX_WRITE = 128 * 1024
_BIG_WRITES = 1 << 5
_ENOSYS = 38

Write = tuple[int, bytes]


class RecordedDisk:
    """A disk with a record: writes as (offset in bytes, data), flushes as None, marks as text."""

    def __init__(self, base: bytes) -> None:
        self.base, self.record = base, list[Write | str | None]()
        self._content = bytearray(base)

    def mark(self, text: str) -> None:
        """Note what has been seen from outside by now."""
        self.record.append(text)

    def flushes(self) -> list[int]:
        """The places in the record just before a flush: when most is at stake."""
        return [place for place, entry in enumerate(self.record) if entry is None]

    def marks(self, place: int) -> list[str]:
        """What was marked before a place of the record."""
        return [entry for entry in self.record[:place] if isinstance(entry, str)]

    def written(self) -> bytes:
        """All that was ever written, end to end."""
        return b"\0".join(entry[1] for entry in self.record if isinstance(entry, tuple))

    def after_power_cut(self, place: int, cache: str, seed: int) -> bytes:
        """The content that a power cut at a place of the record leaves.

        Args:
            place: how many entries of the record had come.
            cache: see :data:`CACHES`; "torn" keeps each sector with one chance in two.
            seed: of the choice of sectors.
        """
        entries = self.record[:place]
        safe = max((i for i, entry in enumerate(entries) if entry is None), default=0)
        content, chance = bytearray(self.base), random.Random(seed)
        for at, entry in enumerate(entries):
            if not isinstance(entry, tuple):
                continue
            offset, data = entry
            if at < safe or cache == "kept":
                content[offset : offset + len(data)] = data
            elif cache == "torn":
                for start in range(0, len(data), SECTOR):
                    if chance.random() < 0.5:
                        sector = data[start : start + SECTOR]
                        content[offset + start : offset + start + len(sector)] = sector
        return bytes(content)

    @contextlib.contextmanager
    def mounted(self, folder: Path) -> Iterator[Path]:
        """Mount its file system below a folder and record until it is left.

        Raises:
            OSError: this needs root, FUSE and loop devices.
        """
        file, mount = folder / "recorded", folder / "recorded-mount"
        file.touch()
        mount.mkdir()
        fuse = os.open("/dev/fuse", os.O_RDWR)
        try:
            options = f"fd={fuse},rootmode=100600,user_id=0,group_id=0"
            _run("mount", "-i", "-t", "fuse", "-o", options, "recorded", file, keep=fuse)
            server = threading.Thread(target=self._serve, args=(fuse,), daemon=True)
            server.start()
            try:
                with mounted(file, mount):
                    self.base = bytes(self._content)  # mounting has opened the journal
                    self.record.clear()
                    yield mount
                    self._content = bytearray()  # what unmounting writes is of no interest
            finally:
                subprocess.run(["umount", file], check=True)
                server.join(10)
        finally:
            os.close(fuse)

    def _serve(self, fuse: int) -> None:
        while True:
            try:
                request = os.read(fuse, _MAX_WRITE + 65536)
            except OSError:  # unmounted
                return
            _, code, unique, *_ = _IN.unpack_from(request)
            if code in _NO_REPLY:
                continue
            answer = self._answer(code, request[_IN.size :])
            error = -_ENOSYS if answer is None else 0
            body = answer or b""
            os.write(fuse, _OUT.pack(_OUT.size + len(body), error, unique) + body)

    def _answer(self, code: int, body: bytes) -> bytes | None:
        if code == _INIT:
            _, minor, readahead, _ = struct.unpack_from("<4I", body)
            version = (7, min(minor, 31), readahead, _BIG_WRITES)
            return struct.pack("<4IHHIIHHI7I", *version, 12, 9, _MAX_WRITE, 1, 0, 0, 0, *[0] * 7)
        if code in (_GETATTR, _SETATTR):
            size = len(self.base)
            times = (0,) * 3
            attributes = struct.pack(
                "<6Q10I", 1, size, size // SECTOR, *times, *times, 0o100600, 1, 0, 0, 0, 4096, 0
            )
            return struct.pack("<QII", 3600, 0, 0) + attributes
        if code == _OPEN:
            return struct.pack("<QII", 0, 0, 0)
        if code == _READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return bytes(self._content[offset : offset + size])
        if code == _WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = body[40 : 40 + size]
            if self._content:
                self._content[offset : offset + size] = data
                self.record.append((offset, data))
            return struct.pack("<II", size, 0)
        if code == _FSYNC:
            if self._content:
                self.record.append(None)
            return b""
        if code == _STATFS:
            return struct.pack("<5Q4I6I", 0, 0, 0, 0, 0, 4096, 255, 4096, 0, *[0] * 6)
        return b"" if code in (_RELEASE, _FLUSH, _DESTROY) else None


def make_file_system(file: Path, size: int) -> None:
    """Make an ext4 as a camera's disk has it, in a file."""
    with file.open("wb") as out:
        out.truncate(size)
    _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file)


@contextlib.contextmanager
def mounted(file: Path, folder: Path) -> Iterator[Path]:
    """Mount the file system in a file; its journal is replayed, as after a power cut."""
    _run("mount", "-t", "ext4", "-o", "loop", file, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)  # an error here is no lack of rights


def _run(*command: str | Path, keep: int | None = None) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, pass_fds=() if keep is None else (keep,)
    )
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")
