"""Upload: sealed shots go to where they are kept, as soon as the network lets them.

    vault/.upload/2026-11-21_5f0c...e1.sealed    an empty file for each object that has still to go

The mark is made before the object and taken away once a server has acknowledged it, so that no
kill, restart or loss of network makes an object forgotten. What failed is tried again, later and
later.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sealshot.runtime.errors import InputError, SealshotError, VaultError
from sealshot.runtime.files import fsync_folder
from sealshot.runtime.vault import OBJECT_ID, Vault

SPOOL = ".upload"
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 600.0
TIMEOUT_S = 30.0
DRAIN_S = 30.0
NAME = "{name}"


class UploadError(SealshotError):
    """A server did not take an object. It is tried again."""


class Target(Protocol):
    """Where objects go."""

    def put(self, name: str, data: bytes) -> None:
        """Store an object; it is acknowledged when this returns.

        Raises:
            UploadError: it is not.
        """


class HttpPut:
    """A PUT of each object to an address with its name in it (a presigned prefix, WebDAV, ...)."""

    def __init__(self, template: str) -> None:
        self._template = template

    def put(self, name: str, data: bytes) -> None:
        """Store an object."""
        _http_put(self._template.replace(NAME, name), data)


class PresignedPut:
    """A PUT to an address that a service signs for each object: the camera has no cloud key."""

    def __init__(self, template: str) -> None:
        self._template = template

    def put(self, name: str, data: bytes) -> None:
        """Store an object."""
        address = self._template.replace(NAME, urllib.parse.quote(name))
        with _answer(urllib.request.Request(address)) as answer:
            signed = answer.read(16 * 1024).decode("ascii", errors="replace").strip()
        if not signed.startswith(("https://", "http://")):
            raise UploadError("the service that signs addresses did not answer with one")
        _http_put(signed, data)


class S3:
    """A bucket, with credentials from the environment, as every S3 client reads them."""

    def __init__(self, url: str) -> None:
        try:
            self._obstore = importlib.import_module("obstore")
            store = importlib.import_module("obstore.store")
        except ModuleNotFoundError as error:
            raise InputError(
                "uploading to s3:// needs obstore, which is not installed",
                hint="pip install 'sealshot[s3]'",
            ) from error
        http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        options = {"timeout": f"{TIMEOUT_S:.0f}s", "allow_http": http}
        try:
            self._store = store.from_url(
                url, client_options=options, retry_config={"max_retries": 0}
            )
        except Exception as error:
            raise InputError(f"the bucket cannot be used: {error}", "check AWS_*") from error

    def put(self, name: str, data: bytes) -> None:
        """Store an object."""
        try:
            self._obstore.put(self._store, name, data)
        except Exception as error:  # obstore raises types of its own
            raise UploadError(f"the bucket did not take it: {_first_line(error)}") from error


def open_target(url: str) -> Target:
    """Return the target that an address names.

    Raises:
        InputError: there is no such target.
    """
    if url.startswith("s3://"):
        return S3(url)
    kinds: dict[str, Callable[[str], Target]] = {"": HttpPut, "presign+": PresignedPut}
    for prefix, kind in kinds.items():
        address = url.removeprefix(prefix)
        if url.startswith((prefix + "https://", prefix + "http://")):
            if NAME not in address:
                raise InputError(
                    "the address to upload to has no {name} in it: all would be one object",
                    hint="put {name} where the name of the object belongs",
                )
            return kind(address)
    raise InputError(
        "it cannot be uploaded there", hint="give https://.../{name}, presign+https://..., s3://..."
    )


class Uploads:
    """Sends the objects of one vault in a thread of its own.

    Args:
        target: where to.
        delete: objects are deleted here once they are acknowledged.
        first_wait_s: after a failure; doubled by each further one, up to ``longest_wait_s``.
        longest_wait_s: see there.
    """

    def __init__(
        self,
        target: Target,
        *,
        delete: bool = False,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self.delete = delete
        self._target = target
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._done: list[str] = []
        self._stopped = False
        self._failing = ""
        self._thread: threading.Thread | None = None

    def start(self, vault: Vault, report: Callable[[str], None]) -> None:
        """Take up what an earlier run left, and begin.

        Raises:
            VaultError: the spool cannot be made or read.
        """
        self._vault, self._report = vault, report
        self._spool = vault.path / SPOOL
        try:
            self._spool.mkdir(exist_ok=True)
            fsync_folder(vault.path)
            marks = sorted(mark.name.replace("_", "/", 1) for mark in self._spool.iterdir())
        except OSError as error:
            raise _spool_error(self._spool, error) from error
        self._waiting = [name for name in marks if OBJECT_ID.fullmatch(name)]
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
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

    def send(self, object_id: str) -> None:
        """Send an object that is stored now."""
        with self._changed:
            self._waiting.append(object_id)
            self._changed.notify_all()

    def pending(self) -> set[str]:
        """Return the objects that no server has acknowledged."""
        with self._changed:
            return set(self._waiting)

    def take_done(self) -> list[str]:
        """Return the objects that were acknowledged since the last call."""
        with self._changed:
            done, self._done = self._done, []
            return done

    def drain(self, limit_s: float = DRAIN_S) -> int:
        """Wait until all is sent, or the target fails, or time is up; return how many are left."""
        end = time.monotonic() + limit_s
        with self._changed:
            while self._waiting and not self._failing and time.monotonic() < end:
                self._changed.wait(0.1)
            if self._waiting:
                self._report(f"{len(self._waiting)} shots are not uploaded yet: the next run does")
            return len(self._waiting)

    def stop(self) -> None:
        """End the thread; an upload that is under way is waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        failures = 0
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                object_id = self._waiting[0]
            try:
                self._send(object_id)
            except (SealshotError, OSError) as error:
                failures += 1
                self._tell(str(error))
                with self._changed:  # the others are not held up by one that is not taken
                    self._waiting.append(self._waiting.pop(0))
                    wait_s = min(self._first_wait_s * 2 ** (failures - 1), self._longest_wait_s)
                    if not self._stopped:
                        self._changed.wait(wait_s * random.uniform(0.5, 1.0))
            else:
                failures = 0
                self._tell("")

    def _send(self, object_id: str) -> None:
        path = self._vault.path / object_id
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # replaced or purged meanwhile, or never stored
            sent = False
        else:
            self._target.put(object_id, data)
            sent = True
        self._mark(object_id).unlink(missing_ok=True)
        fsync_folder(self._spool)
        with self._changed:
            self._waiting.remove(object_id)
            self._done += [object_id] if sent else []
            self._changed.notify_all()

    def _tell(self, failing: str) -> None:
        """Report a failure when it begins and when it ends, not each time."""
        if bool(failing) != bool(self._failing):
            waiting = len(self.pending())
            self._report(
                f"upload fails: {failing}; {waiting} shots wait and are tried again"
                if failing
                else "upload works again"
            )
        self._failing = failing

    def _mark(self, object_id: str) -> Path:
        return self._spool / object_id.replace("/", "_", 1)


def _http_put(address: str, data: bytes) -> None:
    request = urllib.request.Request(address, data=data, method="PUT")
    request.add_header("Content-Type", "application/octet-stream")
    digest = hashlib.md5(data, usedforsecurity=False).digest()  # what S3 checks and answers with
    request.add_header("Content-MD5", base64.b64encode(digest).decode())
    with _answer(request) as answer:
        etag = answer.headers.get("ETag", "").strip('"')
        if re.fullmatch("[0-9a-f]{32}", etag) and etag != digest.hex():
            raise UploadError("the server stored something else than was sent")


def _answer(request: urllib.request.Request) -> Any:
    """Open a request; errors never quote the address, which may carry a signature."""
    host = urllib.parse.urlsplit(request.full_url).hostname
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        raise UploadError(f"{host} answered {error.code} {error.reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UploadError(f"{host} cannot be reached: {reason}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _spool_error(spool: Path, error: OSError) -> VaultError:
    return VaultError(
        f"cannot write to {spool}: {error.strerror}", "check the folder and its free space"
    )
