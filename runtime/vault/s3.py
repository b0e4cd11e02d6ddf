"""A bucket of an S3 server, through obstore: what every use of it shares."""

from __future__ import annotations

import importlib
import os
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sealshot.runtime.errors import InputError, SealshotError

SCHEME = "s3://"
PAGE = 1000
"""Names that one request lists."""
CONNECT_S = 30.0
TIMEOUT_S = 900.0
"""For one object: 7 MB at 8 kB/s."""

CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINERCREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINERCREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


class BucketError(SealshotError):
    """A bucket cannot be used, or did not do what it was asked. The address is never quoted."""


class Store:
    """The objects below a prefix of a bucket.

    Args:
        obstore: the package.
        store: one of its stores.
        bucket: its name, for errors.
    """

    def __init__(self, obstore: Any, store: Any, bucket: str) -> None:
        self._obstore, self._store, self._bucket = obstore, store, bucket
        self._errors = importlib.import_module("obstore.exceptions")

    def put(self, name: str, data: bytes) -> None:
        """Store an object, with one request.

        Raises:
            BucketError: it was not taken.
        """
        with self._told("did not take it"):
            self._obstore.put(self._store, name, data, use_multipart=False)

    def get(self, name: str) -> bytes:
        """Return an object.

        Raises:
            BucketError: it cannot be read.
        """
        with self._told("did not give it"):
            return bytes(self._obstore.get(self._store, name).bytes())

    def get_start(self, name: str, size: int) -> bytes | None:
        """Return the first ``size`` bytes of an object; None where the server gives no part of one.

        Raises:
            BucketError: it cannot be read.
        """
        try:
            with self._told("did not give it"):
                found = self._obstore.get_range(self._store, name, start=0, length=size)
                return bytes(found)
        except BucketError as error:
            if "non-partial" in str(error.__cause__):
                return None  # it answered 200, with all of it
            raise

    def has(self, name: str) -> bool:
        """Whether there is such an object.

        Raises:
            BucketError: it cannot be told.
        """
        with self._told("did not answer"):
            try:
                self._obstore.head(self._store, name)
            except FileNotFoundError:
                return False
            return True

    def folders(self) -> list[str]:
        """Return the names up to the first ``/`` of all objects.

        Raises:
            BucketError: it cannot be listed.
        """
        with self._told("cannot be listed"):
            found = self._obstore.list_with_delimiter(self._store)["common_prefixes"]
        return [str(name).rstrip("/") for name in found]

    def list(self, folder: str) -> Iterator[list[tuple[str, int, Any]]]:
        """Give name, size and time of the objects in a folder, a page at a time.

        Raises:
            BucketError: it cannot be listed.
        """
        pages = self._obstore.list(self._store, folder, chunk_size=PAGE)
        while True:
            with self._told("cannot be listed"):
                page = next(pages, None)
            if page is None:
                return
            yield [(str(one["path"]), int(one["size"]), one["last_modified"]) for one in page]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except (self._errors.PermissionDeniedError, self._errors.UnauthenticatedError) as error:
            raise BucketError(
                f"the server refuses these credentials for the bucket '{self._bucket}'",
                hint="check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and the "
                "clock of this machine",
            ) from error
        except Exception as error:  # obstore raises types of its own
            if "NoSuchBucket" in str(error):  # what a listing says
                raise self._no_bucket() from error
            raise BucketError(f"the bucket {what}: {_reason(error)}") from error

    def _no_bucket(self) -> BucketError:
        return BucketError(
            f"the server has no bucket '{self._bucket}', or not this in it",
            hint="make it, or check its name",
        )


def open_store(url: str, *, retries: int) -> Store:
    """Return the objects below ``s3://BUCKET/PREFIX``; credentials come from the environment.

    Raises:
        InputError: obstore, the bucket's name or the credentials are missing.
    """
    try:
        obstore = importlib.import_module("obstore")
        stores = importlib.import_module("obstore.store")
    except ModuleNotFoundError as error:
        raise InputError(
            "s3:// needs obstore, which is not installed", hint="pip install 'sealshot[s3]'"
        ) from error
    url = SCHEME + urllib.parse.quote(url.removeprefix(SCHEME), safe="/%")
    bucket = urllib.parse.urlsplit(url).netloc
    if not bucket:
        raise InputError(f"{url} names no bucket", hint="give s3://BUCKET or s3://BUCKET/PREFIX")
    if not any(os.environ.get(name) for name in CREDENTIALS):
        raise InputError(
            "there are no credentials for S3 in the environment",
            hint="set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and for a "
            "server of your own AWS_ENDPOINT_URL",
        )
    options = {
        "connect_timeout": f"{CONNECT_S:.0f}s",
        "timeout": f"{TIMEOUT_S:.0f}s",
        "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
    }
    try:
        store = stores.from_url(url, client_options=options, retry_config={"max_retries": retries})
    except Exception as error:
        raise InputError(
            f"the bucket cannot be used: {_reason(error)}",
            hint="check the address and the AWS_ variables of the environment",
        ) from error
    return Store(obstore, store, bucket)


def plain(text: str) -> str:
    """One short line that is safe on a terminal: a server wrote it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _reason(error: Exception) -> str:
    """What an error of obstore says, without the address, how long it took, and XML."""
    line = str(error).partition("\n")[0]
    return plain(line.rpartition(" - ")[2].partition(": <")[0])
