"""Which recordings there are, what each is known by, and when it began."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from pathlib import Path, PurePosixPath

from sealshot.runtime.errors import InputError
from sealshot.runtime.vault.s3 import SCHEME, open_store

RETRIES = 5
_GLOB = re.compile(r"[*?\[]")
_TIME = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[T _-]{0,3}(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?!\d)"
)


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of footage."""

    id: str
    """SHA-256 of its name, size and time of change: it is sealed once."""
    name: str
    """A path, or ``s3://BUCKET/KEY``."""
    began: datetime | None
    """When its first frame was taken, by its name."""


def find_recordings(places: list[str], zone: tzinfo = timezone.utc) -> list[Recording]:
    """Return the recordings that files, and patterns of S3, name; each once, in their order.

    Args:
        places: paths; ``s3://BUCKET/KEY``, in which ``*``, ``?`` and ``[]`` stand for more.
        zone: of the times in their names.

    Raises:
        InputError: there is none of a name.
        BucketError: a bucket cannot be listed.
    """
    found: dict[str, Recording] = {}
    for place in places:
        for name, mark in _in_bucket(place) if place.startswith(SCHEME) else _file(place):
            digest = hashlib.sha256(f"{name}\n{mark}".encode(errors="surrogateescape"))
            found[name] = Recording(digest.hexdigest(), name, time_in(name, zone))
    return list(found.values())


def time_in(name: str, zone: tzinfo) -> datetime | None:
    """Return the date and time in the name of a file, as 2026-11-21_10-20-30, or None."""
    found = _TIME.search(PurePosixPath(name).name)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    return time.astimezone(timezone.utc)


@contextmanager
def opened(recording: Recording) -> Iterator[str]:
    """Give the path that a recording can be read at; one of a bucket lies in memory meanwhile.

    Raises:
        BucketError: it cannot be fetched.
    """
    if not recording.name.startswith(SCHEME):
        yield recording.name
        return
    bucket, _, key = recording.name.removeprefix(SCHEME).partition("/")
    data = open_store(SCHEME + bucket, retries=RETRIES).get(key)
    fd = os.memfd_create("recording", os.MFD_CLOEXEC)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        del data
        yield f"/proc/self/fd/{fd}"


def _file(place: str) -> Iterator[tuple[str, str]]:
    path = Path(place)
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(
            f"{place} cannot be read: {error.strerror}",
            hint="name recordings, or s3://BUCKET/*.mp4",
        ) from None
    if not path.is_file():
        raise InputError(f"{place} is no file", hint=f"name the recordings in it: {place}/*.mp4")
    yield str(path.resolve()), f"{status.st_size} {status.st_mtime_ns}"


def _in_bucket(place: str) -> Iterator[tuple[str, str]]:
    bucket, _, pattern = place.removeprefix(SCHEME).partition("/")
    if not pattern:
        raise InputError(
            f"{place} names no recording", hint=f"name s3://{bucket or 'BUCKET'}/*.mp4"
        )
    store = open_store(SCHEME + bucket, retries=RETRIES)
    folder = _GLOB.split(pattern)[0].rpartition("/")[0]
    count = 0
    for page in store.list(folder):
        for name, size, time in page:
            if name == pattern or fnmatch.fnmatchcase(name, pattern):
                count += 1
                yield f"{SCHEME}{bucket}/{name}", f"{size} {time.isoformat()}"
    if not count:
        raise InputError(f"there is no recording {place}", hint="check the pattern, in quotes")
