"""Signed documents: a JSON object, and Ed25519 signatures over its canonical form.

    {"kind": "sealshot/warrant/1", "body": {...}, "signatures": [{"key": ..., "signature": ...}]}

What is signed is the kind, a line feed, and the body as canonical JSON (RFC 8785). The kind keeps a
signature on one sort of document from counting on another.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.files import WRITE_ELSEWHERE, file_error, read_given, write_atomic
from sealshot.runtime.seal.fields import Check, is_list, is_object, is_text, parse_json, problem
from sealshot.runtime.seal.signing import (
    SIGNATURE_BYTES,
    SigningKey,
    VerifyKey,
    is_key_text,
    parse_verify_key,
)
from sealshot.runtime.seal.versions import refuse_newer

SIGNATURES_LIMIT = 256
"""More than a policy has parties."""
DOCUMENT_LIMIT = 64 * 1024 * 1024  # bytes; an answer for 65,535 shots has about 8 MB

_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature on a document."""

    key: VerifyKey
    signature: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A document and its signatures, not yet verified: see :meth:`signers`."""

    kind: str
    body: dict[str, Any]
    signatures: tuple[Signature, ...] = ()

    @property
    def message(self) -> bytes:
        """What is signed."""
        return self.kind.encode() + b"\n" + canonical(self.body)

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed, in hexadecimal: the name of this document."""
        return hashlib.sha256(self.message).hexdigest()

    def signed(self, key: SigningKey) -> Document:
        """Return the document with one more signature; a second one of a key changes nothing."""
        kept = tuple(s for s in self.signatures if s.key != key.verify_key)
        made = Signature(key.verify_key, key.sign(self.message))
        return replace(self, signatures=(*kept, made))

    def signers(self) -> frozenset[VerifyKey]:
        """Return the keys that signed.

        Raises:
            SealError: a signature is wrong: the document was altered after it was signed.
        """
        message = self.message
        for signature in self.signatures:
            if not signature.key.verifies(message, signature.signature):
                raise SealError(
                    f"a signature on the {_noun(self.kind)} is wrong: it was altered, or the "
                    "signature is of another document",
                    hint="ask the signer for the document that was signed",
                )
        return frozenset(signature.key for signature in self.signatures)

    def encode(self) -> bytes:
        """Return the file form."""
        signatures = [
            {"key": str(s.key), "signature": base64.b64encode(s.signature).decode()}
            for s in self.signatures
        ]
        value = {"kind": self.kind, "body": self.body, "signatures": signatures}
        return json.dumps(value, indent=1).encode() + b"\n"


def canonical(body: Mapping[str, Any]) -> bytes:
    """Return the canonical form (RFC 8785) of an object of texts, whole numbers, lists, objects.

    Its keys are ASCII. Floats, which that form writes as JavaScript does, are not for it.
    """
    return _canonical(body).encode()


def parse_document(data: bytes, kind: str, checks: Mapping[str, Check]) -> Document:
    """Read a document of one kind; its signatures are not verified here.

    Raises:
        SealError: it is no such document.
    """
    try:
        value = parse_json(data)
    except ValueError as error:
        raise _foreign(kind, "it is not JSON") from error
    if not isinstance(value, dict):
        raise _foreign(kind, "it does not have the form of a signed document")
    signed = value.get("signatures")
    if isinstance(signed, list) and len(signed) > SIGNATURES_LIMIT:  # before any key is looked at
        raise _foreign(kind, f"it has more than {SIGNATURES_LIMIT} signatures")
    if wrong := problem(value, _FORM):
        raise _foreign(kind, "it does not have the form of a signed document")
    noun, _, known = kind.rpartition("/")
    name, _, version = value["kind"].rpartition("/")
    if name == noun and version.isdecimal() and len(version) <= 9:
        refuse_newer(_article(_noun(kind)), int(version), int(known))
    if value["kind"] != kind:
        raise _foreign(kind, f"it is a '{value['kind']}'")
    if wrong := problem(value["body"], checks):
        raise _foreign(kind, wrong)
    signatures = tuple(
        Signature(parse_verify_key(s["key"]), _decode_signature(s["signature"]))
        for s in value["signatures"]
    )
    if len({s.key for s in signatures}) < len(signatures):
        raise _foreign(kind, "a key has signed it twice")
    return Document(kind, value["body"], signatures)


def kind_of(data: bytes) -> str:
    """Return what a document calls itself; nothing where it is none."""
    try:
        value = parse_json(data)
    except ValueError:
        return ""
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Let what is wrong with a file be told with its name.

    Raises:
        InputError: of the type that was raised.
    """
    try:
        yield
    except InputError as error:
        raise type(error)(f"{path}: {error.fact}", hint=error.hint) from error


def read_file(path: Path, what: str, limit: int = DOCUMENT_LIMIT) -> bytes:
    """Read a file from somebody else.

    Raises:
        SealError: it cannot be read, or is larger than ``limit``.
    """
    try:
        return read_given(path, limit)
    except OSError as error:
        fact = f"cannot read the {what} {path}: {error.strerror}"
        if error.errno == errno.EFBIG:
            fact = f"{path} is too large to be a {what}"
        raise SealError(fact, hint="check the path") from None


def write_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: there is no such place to write to.
        SealshotError: the disk is full or broken.
    """
    try:
        write_atomic(path, data, mode=mode)
    except OSError as error:
        raise file_error(f"cannot write {path}", error, WRITE_ELSEWHERE) from None


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _noun(kind: str) -> str:
    return kind.split("/")[1].replace("-", " ")


def _foreign(kind: str, what: str) -> SealError:
    return SealError(
        f"it is not {_article(_noun(kind))}: {what}", hint="check which file was given"
    )


def _decode_signature(text: str) -> bytes:
    return base64.b64decode(text)


def is_signature(value: object) -> bool:
    """Whether it is an Ed25519 signature in base64."""
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return False
    return len(data) == SIGNATURE_BYTES and base64.b64encode(data).decode() == value


_FORM: dict[str, Check] = {
    "kind": is_text,
    "body": lambda value: isinstance(value, dict),
    "signatures": is_list(
        is_object({"key": is_key_text(parse_verify_key), "signature": is_signature})
    ),
}
