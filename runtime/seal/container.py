"""What is sealed under a policy: one ZIP that stock programs can take apart. See FORMAT.md.

    header.json     what may be known without a key
    share-1.age     one share of the quorum's secret for each authority
    ...
    epoch.age       the epoch's secret, for the epoch key
    payload.age     the shot, or the originals of a public stream
    SHA256SUMS      hashes of all that, as sha256sum writes them
    signature       Ed25519 of the camera over SHA256SUMS; by the key of a day: and its certificate

The bytes of a container are the only ones that its parts can be written as: a reader that finds
any other refuses it, so that no bit of the file can change unseen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.archive import first_member, read_zip, write_zip
from sealshot.runtime.seal.certificates import Certificate, parse_certificate
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.documents import canonical
from sealshot.runtime.seal.fields import (
    Check,
    is_list,
    is_name,
    is_object_id,
    is_sha256,
    is_whole,
    matches,
    parse_object,
    problem,
    with_tuples,
)
from sealshot.runtime.seal.shamir import MAX_SHARES
from sealshot.runtime.seal.signing import (
    SIGNATURE_BYTES,
    SigningKey,
    VerifyKey,
    is_key_text,
    parse_verify_key,
)
from sealshot.runtime.seal.times import is_epoch, parse_time
from sealshot.runtime.seal.versions import refuse_newer

FORMAT = 4
"""1 has no hour of capture, and was written by version 0.1; 3 says what it holds; the key of a day
signed 4."""
FORMAT_OF_DAYS = 4
FORMATS = {"shot": 2, "originals": 3}
"""What a container may hold, and the format that it is written in where one key signs always."""
START = b"PK\x03\x04"
HEADER, EPOCH, PAYLOAD, SUMS, SIGNATURE = (
    "header.json",
    "epoch.age",
    "payload.age",
    "SHA256SUMS",
    "signature",
)
HEADER_LIMIT = 256 * 1024  # bytes; 255 authorities take some 40 kB
HEAD_LIMIT = HEADER_LIMIT + 512  # with what a ZIP puts before it

_DAMAGED = "fetch the object again from where it was first stored"


@dataclass(frozen=True)  # without slots, for what is cached
class Header:
    """What may be known of a shot without a key: the content of ``header.json``."""

    format: int
    """Version of the container."""
    id: str
    """128 random bits, in hexadecimal."""
    camera: str
    camera_key: str
    """Verifies the signature; who reads it must know that it is the camera's."""
    hour: str
    """UTC hour in which the shot was sealed: epoch, retention and log go by it."""
    taken: str
    """UTC hour in which it was taken, which warrants go by; the exact time is inside."""
    epoch: str
    """Whose key the epoch's secret is sealed to."""
    policy: str
    """SHA-256 of the policy."""
    quorum: int
    authorities: tuple[str, ...]
    """Names, in the order of the shares."""
    shares: tuple[str, ...]
    """SHA-256 of each share, so that a wrong one is known and its giver named."""
    content: str = "shot"
    """What it holds, ``shot`` or ``originals``: a warrant is for one of them."""

    @cached_property
    def encoded(self) -> bytes:
        """The bytes of ``header.json``."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.format < 3:
            del values["content"]
        if self.format == 1:
            del values["taken"]
        return canonical(values)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of ``header.json``: binds each of the secrets to this header."""
        return hashlib.sha256(self.encoded).digest()


@dataclass(frozen=True, slots=True)
class Container:
    """A sealed shot whose signature and hashes hold, or such a shot without its payload."""

    header: Header
    parts: dict[str, bytes]
    signed_on: str
    """The day whose key signed; empty where the camera has one key for all days."""

    @property
    def payload(self) -> bytes | None:
        """The age file with the shot; None where it was left out, see :func:`strip`."""
        return self.parts.get(PAYLOAD)

    @property
    def camera_key(self) -> VerifyKey:
        """The key that signed."""
        return parse_verify_key(self.header.camera_key)


def share_name(index: int) -> str:
    """Return the name of a share's part; the first is 1."""
    return f"share-{index}.age"


def format_of(content: str, key: SigningKey | DayKeys) -> int:
    """Return the format that a container is written in."""
    return FORMAT if isinstance(key, DayKeys) else FORMATS[content]


def write_container(header: Header, parts: dict[str, bytes], key: SigningKey | DayKeys) -> bytes:
    """Sign the header and the age files and return the container."""
    members = {HEADER: header.encoded, **parts}
    members[SUMS] = _sums(members, header.format)
    members[SIGNATURE] = key.sign(members[SUMS])
    return write_zip(members)


def read_container(data: bytes) -> Container:
    """Read a container, or one without its payload, and verify its hashes and its signature.

    Raises:
        SealError: it is none, or was altered. Whose the signature is remains to be checked.
    """
    try:
        members = read_zip(data, limit=MAX_SHARES + 5)
    except ValueError as error:
        raise _foreign(str(error)) from error
    header = _read_header(members.get(HEADER, b""))
    shares = [share_name(index + 1) for index in range(len(header.authorities))]
    parts = [HEADER, *shares, EPOCH, PAYLOAD]
    stripped = [name for name in parts if name != PAYLOAD]
    if list(members) not in ([*parts, SUMS, SIGNATURE], [*stripped, SUMS, SIGNATURE]):
        raise _foreign("its parts are not those that its header names")
    sums = _read_sums(members[SUMS], parts, header.format)
    for name, data_of_part in members.items():
        if name in sums and hashlib.sha256(data_of_part).hexdigest() != sums[name]:
            raise _altered(f"{name} does not have the hash that was signed")
    certificate = _verify_signature(header, members[SUMS], members[SIGNATURE])
    if write_zip(members) != data:
        raise _altered("there are other bytes around its parts")
    return Container(header, members, certificate.day if certificate else "")


def _verify_signature(header: Header, message: bytes, signature: bytes) -> Certificate | None:
    """Check who signed a container, and return the certificate of the day's key that did."""
    key, certificate = parse_verify_key(header.camera_key), None
    if header.format >= FORMAT_OF_DAYS:
        camera, certificate = key, _read_certificate(signature[SIGNATURE_BYTES:])
        key, signature = certificate.key, signature[:SIGNATURE_BYTES]
        if not certificate.is_of(camera):
            raise _altered("the camera's signature is wrong: by a key that it has not certified")
    if not key.verifies(message, signature):
        raise _altered("the camera's signature is wrong")
    if certificate and not certificate.may_sign(header.hour):
        raise SealError(
            f"it says that it was sealed in the hour {header.hour}, and is signed by the camera's "
            f"key of {certificate.day}, when that of before was destroyed",
            hint="whoever stole the camera may have made it",
        )
    return certificate


def _read_certificate(data: bytes) -> Certificate:
    try:
        return parse_certificate(data)
    except SealError as error:
        raise _altered("the camera's signature is wrong") from error


def read_header(head: bytes) -> Header:
    """Return the header of a container by its first ``HEAD_LIMIT`` bytes, or fewer if they do.

    Nothing is verified: it serves to choose what is fetched, or goes first where room is short.

    Raises:
        SealError: it is no container.
    """
    try:
        return _read_header(first_member(head))
    except ValueError as error:
        raise _foreign(str(error)) from error


def strip(container: Container) -> bytes:
    """Return the container without its payload: what an authority needs to see, and no more."""
    return write_zip({name: part for name, part in container.parts.items() if name != PAYLOAD})


def sums_line(version: int) -> bytes:
    """Return the first line of `SHA256SUMS`: what is signed begins as no other message does."""
    return f"# sealshot container {version}\n".encode()


def _sums(members: dict[str, bytes], version: int) -> bytes:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items()]
    return sums_line(version) + "".join(lines).encode()


def _read_sums(data: bytes, parts: list[str], version: int) -> dict[str, str]:
    first = sums_line(version)
    lines = data.removeprefix(first).decode("ascii", errors="replace").splitlines(keepends=True)
    sums = {line[66:-1]: line[:64] for line in lines}
    written = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    if first + written.encode() != data or list(sums) != parts:
        raise _foreign("its SHA256SUMS does not list its parts")
    return sums


def _read_header(data: bytes) -> Header:
    try:
        values = parse_object(data, "header", HEADER_LIMIT)
    except ValueError as error:
        raise _foreign(str(error)) from error
    refuse_newer("a container", values.get("format"), FORMAT)
    if values.get("format") == 1:
        values["taken"] = values.get("hour")
    if values.get("format") in (1, 2):
        values["content"] = "shot"
    if wrong := _problem(values):
        raise _foreign(f"in its header {wrong}")
    header = Header(**with_tuples(values))
    if header.encoded != data:
        raise _foreign("its header is not in canonical form")
    return header


def _problem(values: dict[str, Any]) -> str:
    if wrong := problem(values, _CHECKS):
        return wrong
    names = values["authorities"]
    if not 1 <= values["quorum"] <= len(names) <= MAX_SHARES or len(set(names)) < len(names):
        return "the quorum does not fit the authorities"
    if len(values["shares"]) != len(names):
        return "there is not one share an authority"
    if not parse_time(values["epoch"]) <= parse_time(values["hour"]):
        return "the hour is before the epoch"
    return ""


def _foreign(what: str) -> SealError:
    return SealError(f"it is not a sealed shot: {what}", hint="give an object of a vault (.sealed)")


def _altered(what: str) -> SealError:
    return SealError(f"it was altered after it was sealed: {what}", hint=_DAMAGED)


_is_hour = matches(r"\d{4}-\d\d-\d\dT\d\d")
_CHECKS: dict[str, Check] = {
    "format": lambda value: is_whole(value) and 1 <= value <= FORMAT,
    "id": is_object_id,
    "camera": is_name,
    "camera_key": is_key_text(parse_verify_key),
    "hour": lambda value: _is_hour(value) and is_epoch(value),
    "taken": lambda value: _is_hour(value) and is_epoch(value),
    "epoch": is_epoch,
    "policy": is_sha256,
    "quorum": is_whole,
    "authorities": is_list(is_name),
    "shares": is_list(is_sha256),
    "content": matches("|".join(FORMATS)),
}
