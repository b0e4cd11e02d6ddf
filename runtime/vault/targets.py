"""Where sealed shots are uploaded to: a PUT, a PUT to a presigned address, an S3 bucket."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Protocol

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.vault.s3 import BucketError, open_store, plain

NAME = "{name}"
TIMEOUT_S = 30.0
"""To be answered; for an object its bytes by ``SLOWEST`` are added."""
SLOWEST = 8000.0
"""Bytes a second: what is sent lies in buffers, and the answer comes when all has arrived."""
ANSWER_LIMIT = 16 * 1024


class UploadError(SealshotError):
    """A server did not take an object. It is tried again."""


class Target(Protocol):
    """Where objects go."""

    def deliver(self, name: str, data: bytes) -> None:
        """Store an object; it is acknowledged when this returns.

        Raises:
            UploadError: it is not.
        """


class HttpPut:
    """A PUT of each object to an address with its name in it (a presigned prefix, WebDAV, ...).

    With ``prove`` the object is read back: a server may answer 200 and keep nothing.
    """

    def __init__(self, template: str, *, prove: bool = False) -> None:
        self._template, self._prove = template, prove

    def deliver(self, name: str, data: bytes) -> None:
        """Store an object."""
        address = self._template.replace(NAME, name)
        _http_put(address, data)
        if self._prove:
            back, _ = _ask(urllib.request.Request(address), _time_for(data), len(data) + 1)
            if back != data:
                raise _not_kept()


class PresignedPut:
    """A PUT to an address that a service signs for each object: the camera has no cloud key.

    With ``prove`` the answer must have the hash of what was stored (ETag): that address is good for
    no reading.
    """

    def __init__(self, template: str, *, prove: bool = False) -> None:
        self._template, self._prove = template, prove

    def deliver(self, name: str, data: bytes) -> None:
        """Store an object."""
        address = self._template.replace(NAME, urllib.parse.quote(name))
        answer, _ = _ask(urllib.request.Request(address), TIMEOUT_S)
        signed = answer.decode("ascii", errors="replace").strip()
        if not signed.startswith(("https://", "http://")):
            raise UploadError(
                "the service that signs addresses did not answer with one",
                hint="it answers a GET with one line, the address to PUT the object to",
            )
        if self._prove:
            _check_proof(signed)
        if not _http_put(signed, data) and self._prove:
            raise _not_kept()


class S3:
    """A bucket, with credentials from the environment, as every S3 client reads them.

    With ``prove`` each object is read back.
    """

    def __init__(self, url: str, *, prove: bool = False) -> None:
        self._prove, self._store = prove, open_store(url, retries=0)

    def deliver(self, name: str, data: bytes) -> None:
        """Store an object."""
        try:
            self._store.put(name, data)
            back = self._store.get(name) if self._prove else data
        except BucketError as error:
            raise UploadError(error.fact, error.hint) from error
        if back != data:
            raise _not_kept()


def open_target(url: str, *, prove: bool = False) -> Target:
    """Return the target that an address names.

    Args:
        url: the address.
        prove: an object counts as stored only once that is proven: where the only other copy is
            deleted then.

    Raises:
        InputError: there is no such target, or what it answers would prove nothing.
    """
    if url.startswith("s3://"):
        if prove and (endpoint := os.environ.get("AWS_ENDPOINT_URL", "")):
            _check_proof(endpoint)
        return S3(url, prove=prove)
    kinds: dict[str, type[HttpPut | PresignedPut]] = {"": HttpPut, "presign+": PresignedPut}
    for prefix, kind in kinds.items():
        address = url.removeprefix(prefix)
        if url.startswith((prefix + "https://", prefix + "http://")):
            _check_address(address)
            if prove:
                _check_proof(address)
            return kind(address, prove=prove)
    scheme = re.match(r"[a-z0-9+]{1,20}://", url)  # not the rest, which may hold a secret
    raise InputError(
        f"a {scheme[0]} address cannot be uploaded to" if scheme else "it cannot be uploaded to",
        hint=f"give https://.../{NAME}, presign+https://.../{NAME} or s3://bucket/prefix",
    )


def _check_address(address: str) -> None:
    if NAME not in address:
        raise InputError(
            f"the address to upload to has no {NAME} in it: all would be one object",
            hint=f"put {NAME} where the name of the object belongs",
        )
    try:
        parts = urllib.parse.urlsplit(address)
        host, _ = parts.hostname, parts.port  # the port is only checked when it is asked for
    except ValueError:  # its words may have a part of a password in them
        raise InputError("the address to upload to is none", hint="check it") from None
    if not host or NAME in parts.netloc or re.search(r"\s", address):
        raise InputError("the address to upload to is none", hint=f"give https://HOST/.../{NAME}")
    if "@" in parts.netloc:
        raise InputError(
            "the address to upload to has a password in it, which a PUT does not send",
            hint="give a presigned address, or presign+https://",
        )


def _check_proof(address: str) -> None:
    """Refuse to take the word of whoever is in the middle of the network for that of a server.

    Raises:
        InputError: the address is of another machine, and not encrypted.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise InputError(
            "--after-upload delete over plain http: anybody on the way could answer that a shot is "
            "stored, and the only copy would be gone",
            hint="give an https:// address, or leave --after-upload out",
        )


def _not_kept() -> UploadError:
    return UploadError(
        "the server said that it stored an object, and does not prove it: it stays here",
        hint="check the server; --after-upload keep asks for no proof",
    )


def _time_for(data: bytes) -> float:
    return TIMEOUT_S + len(data) / SLOWEST


def _http_put(address: str, data: bytes) -> bool:
    """Store an object; return whether the answer has its hash.

    Raises:
        UploadError: it was not taken.
    """
    request = urllib.request.Request(address, data=data, method="PUT")
    request.add_header("Content-Type", "application/octet-stream")
    digest = hashlib.md5(data, usedforsecurity=False).digest()  # what S3 checks and answers with
    request.add_header("Content-MD5", base64.b64encode(digest).decode())
    _, headers = _ask(request, _time_for(data))
    etag = headers.get("ETag", "").strip('"')
    if re.fullmatch("[0-9a-f]{32}", etag) and etag != digest.hex():
        raise UploadError("the server stored something else than was sent")
    return bool(etag == digest.hex())


def _ask(
    request: urllib.request.Request, timeout_s: float, limit: int = ANSWER_LIMIT
) -> tuple[bytes, Any]:
    """Return the start of the answer and its headers.

    Raises:
        UploadError: the address is never quoted: it may carry a signature.
    """
    host = urllib.parse.urlsplit(request.full_url).hostname
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.read(limit), answer.headers
    except urllib.error.HTTPError as error:
        error.close()
        hint = "check the address and what it allows" if error.code in (401, 403, 404) else ""
        raise UploadError(f"{host} answered {error.code} {plain(error.reason)}", hint) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise UploadError(f"{host} cannot be reached: {plain(text)}") from None
