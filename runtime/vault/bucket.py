"""A vault in a bucket: listed by epoch, read by its headers, fetched where a warrant covers it.

    s3://BUCKET/PREFIX/2026-11-21/5f0c...e1.sealed       as the vault of one camera has it
    s3://BUCKET/PREFIX/checkpoints/17.checkpoint         of its log

What a warrant for some hours costs: one request that lists the epochs, one for each 1000 objects of
an epoch that comes into question, one for the header of each of those, and one for each object that
the warrant covers. How large the rest of the bucket is plays no part.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.container import HEAD_LIMIT, Header, read_header
from sealshot.runtime.seal.times import epoch_end, epoch_start, is_epoch
from sealshot.runtime.vault.s3 import Store, open_store
from sealshot.runtime.vault.store import OBJECT_ID

logger = logging.getLogger(__name__)

FIRST_BYTES = 16 * 1024
"""Enough for the header of a policy with up to some forty authorities."""
AT_A_TIME = 16
RETRIES = 5


@dataclass(frozen=True, slots=True)
class BucketObject:
    """What a listing tells of a sealed object."""

    id: str
    bytes: int
    stored_at: datetime
    """UTC: when the server took it."""

    @property
    def epoch(self) -> str:
        """The UTC day or hour that it was sealed in."""
        return self.id.partition("/")[0]


class Bucket:
    """The sealed objects below a prefix of a bucket."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gives_parts = True
        self.requests = Counter[str]()
        """Of each kind: ``list``, ``header``, ``object``."""

    def epochs(self) -> list[str]:
        """Return the epochs that have objects, in order.

        Raises:
            BucketError: it cannot be listed.
        """
        folders = self._store.folders()
        self.requests["list"] += 1 + len(folders) // 1000
        return sorted(name for name in folders if is_epoch(name))

    def objects(self, epochs: Iterable[str]) -> list[BucketObject]:
        """Return the objects of some epochs, in their order.

        Raises:
            BucketError: they cannot be listed.
        """
        found = []
        for epoch in epochs:
            pages = 0
            for page in self._store.list(epoch):
                pages += 1
                for name, size, time in page:
                    if OBJECT_ID.fullmatch(name):
                        found.append(BucketObject(name, size, time.astimezone(timezone.utc)))
            self.requests["list"] += max(pages, 1)
        return sorted(found, key=lambda one: one.id)

    def headers(self, objects: Sequence[BucketObject]) -> Iterator[Header | SealError]:
        """Give the header of each object, unverified; several are asked for at a time.

        Raises:
            BucketError: one cannot be read.
        """
        return _each(self._header, objects)

    def read(self, object_id: str) -> bytes:
        """Return a sealed object.

        Raises:
            BucketError: it cannot be read.
        """
        self.requests["object"] += 1
        return self._store.get(object_id)

    def has(self, object_id: str) -> bool:
        """Whether an object is there.

        Raises:
            BucketError: it cannot be told.
        """
        self.requests["header"] += 1
        return self._store.has(object_id)

    def _header(self, found: BucketObject) -> Header | SealError:
        head = self._start(found.id, FIRST_BYTES) if found.bytes else b""  # no part of nothing
        try:
            return read_header(head)
        except SealError as error:
            if not FIRST_BYTES <= len(head) < found.bytes:
                return error
        try:
            return read_header(self._start(found.id, HEAD_LIMIT))
        except SealError as error:
            return error

    def _start(self, object_id: str, size: int) -> bytes:
        if self._gives_parts:
            self.requests["header"] += 1
            if (head := self._store.get_start(object_id, size)) is not None:
                return head
            if self._gives_parts:
                logger.warning("this server gives no part of an object: each is fetched whole")
            self._gives_parts = False
        return self.read(object_id)


def open_bucket(url: str) -> Bucket:
    """Return the objects below ``s3://BUCKET/PREFIX``.

    Raises:
        InputError: it names none, or obstore or the credentials are missing.
    """
    return Bucket(open_store(url, retries=RETRIES))


def epochs_for(epochs: Iterable[str], start: datetime, end: datetime, late: timedelta) -> list[str]:
    """Return the epochs that may hold what was taken in a time.

    Args:
        epochs: those that there are.
        start: of the time.
        end: of the time, exclusive.
        late: how long after it was taken a shot was sealed at most.

    Raises:
        InputError: there is none.
    """
    there = list(epochs)
    chosen = [one for one in there if epoch_end(one) > start and epoch_start(one) < end + late]
    if not chosen:
        raise InputError(
            f"of the {len(there)} days or hours in the bucket none is in the warrant's time",
            hint="`sealshot vault list s3://...` shows them; --late looks at those after it",
        )
    return chosen


def _each(
    ask: Callable[[BucketObject], Header | SealError], objects: Sequence[BucketObject]
) -> Iterator[Header | SealError]:
    pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="bucket")
    try:
        yield from pool.map(ask, objects)
    finally:
        pool.shutdown(cancel_futures=True)
