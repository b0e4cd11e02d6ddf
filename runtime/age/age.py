"""The age v1 file format (https://age-encryption.org/v1): a header that wraps a key, and a payload.

    age-encryption.org/v1
    -> X25519 <ephemeral share>          one stanza a recipient: the file key, wrapped
    <wrapped key>
    --- <MAC of the header>
    <nonce><chunk><chunk>...             ChaCha20-Poly1305, 64 KiB a chunk (STREAM)

How a kind of key wraps the file key is the business of its own module (x25519.py, hybrid.py,
tagged.py), and who asks hardware for it, that of plugin.py. The reader refuses everything that the
specification does not allow. Nothing plain is given out before all of the file is verified.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealshot.runtime.errors import SealError

VERSION_LINE = b"age-encryption.org/v1\n"
FILE_KEY_BYTES = 16
NONCE_BYTES = 16
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
COLUMNS = 64
HEADER_LIMIT = 1024 * 1024  # ours: some 10,000 recipients, so that a hostile header ends soon

_ARGUMENTS = re.compile(rb"-> ([!-~]+(?: [!-~]+)*)")
_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_DAMAGED = "fetch the object again from where it was first stored"


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key wrapped for one recipient: the arguments (kind first) and the body."""

    arguments: tuple[str, ...]
    body: bytes


class Recipient(Protocol):
    """A public key that a file can be encrypted to."""

    @property
    def is_post_quantum(self) -> bool:
        """Whether a quantum computer, too, leaves it closed."""

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key."""


class Identity(Protocol):
    """A private key that opens files."""

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None where the stanza is for another key or of another kind.

        Raises:
            SealError: the stanza is of this kind, but malformed.
        """


def encrypt(plaintext: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Encrypt to every one of the recipients: each of them can open the file alone.

    Raises:
        SealError: there is no recipient, or post-quantum ones and others.
    """
    if not recipients:
        raise SealError("there is no recipient to seal to", hint="give at least one age1... key")
    if len({recipient.is_post_quantum for recipient in recipients}) > 1:
        raise SealError(
            "post-quantum recipients (age1pq1..., age1tagpq1...) and others cannot share a file: "
            "the weaker one would open it to a quantum computer",
            hint="give recipients of one kind; `sealshot keys new --post-quantum` makes the other",
        )
    file_key = os.urandom(FILE_KEY_BYTES)
    header = VERSION_LINE
    for recipient in recipients:
        header += write_stanza(recipient.wrap(file_key))
    header += b"---"
    mac = _header_hmac(file_key, header).finalize()
    return header + b" " + encode_base64(mac) + b"\n" + _encrypt_payload(file_key, plaintext)


def decrypt(ciphertext: bytes, identities: Sequence[Identity]) -> bytes:
    """Decrypt with the first of the identities that fits.

    Raises:
        SealError: it is no age file, or is malformed, altered, cut short, or for other keys.
    """
    header, stanzas, mac, payload = _parse(ciphertext)
    file_key = _unwrap(stanzas, identities)
    try:
        _header_hmac(file_key, header).verify(mac)
    except InvalidSignature:
        raise SealError("its header was altered after it was sealed", hint=_DAMAGED) from None
    return _decrypt_payload(file_key, payload)


def derive_key(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) with 32 bytes of output."""
    return HKDF(SHA256(), length=32, salt=salt, info=info).derive(secret)


def encode_base64(data: bytes) -> bytes:
    """Base64 (RFC 4648, section 4) without padding."""
    return base64.b64encode(data).rstrip(b"=")


def decode_base64(text: bytes) -> bytes:
    """Decode base64 without padding; anything but the canonical encoding is refused.

    Raises:
        SealError: ``text`` is not what :func:`encode_base64` writes.
    """
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        data = b""
    if encode_base64(data) != text:
        raise malformed("a field is not canonical base64")
    return data


def malformed(what: str) -> SealError:
    """Return the error for a header that breaks the specification."""
    return SealError(f"its age header is malformed: {what}", hint=_DAMAGED)


def write_stanza(stanza: Stanza) -> bytes:
    """Return a stanza as it stands in a header."""
    body = encode_base64(stanza.body)
    lines = ["-> " + " ".join(stanza.arguments)]
    # The last line is shorter than the others, so it is empty where the body fills whole lines.
    lines += [body[at : at + COLUMNS].decode() for at in range(0, len(body) + 1, COLUMNS)]
    return "".join(line + "\n" for line in lines).encode()


def _parse(data: bytes) -> tuple[bytes, list[Stanza], bytes, bytes]:
    """Split a file into the header as its MAC sees it, the stanzas, the MAC and the payload."""
    if not data.startswith(VERSION_LINE):
        raise _not_age_v1(data)
    stanzas: list[Stanza] = []
    at = len(VERSION_LINE)
    while not data.startswith(b"---", at):
        stanza, at = parse_stanza(data, at)
        stanzas.append(stanza)
        if at > HEADER_LIMIT:
            raise malformed("it is longer than 1 MiB")
    if not stanzas:
        raise malformed("it names no recipient")
    line, payload_at = _read_line(data, at)
    mac = decode_base64(line.removeprefix(b"--- "))
    if not line.startswith(b"--- ") or len(mac) != SHA256.digest_size:
        raise malformed("its MAC line is not as it should be")
    return data[: at + len(b"---")], stanzas, mac, data[payload_at:]


def parse_stanza(data: bytes, at: int) -> tuple[Stanza, int]:
    """Return the stanza that begins at ``at``, and where it ends.

    Raises:
        SealError: it is malformed.
    """
    line, at = _read_line(data, at)
    arguments = _ARGUMENTS.fullmatch(line)
    if arguments is None:
        raise malformed("a recipient line is not as it should be")
    lines: list[bytes] = []
    while not lines or len(lines[-1]) == COLUMNS:
        line, at = _read_line(data, at)
        lines.append(line)
    if len(lines[-1]) > COLUMNS:
        raise malformed("a line is longer than 64 columns")
    return Stanza(tuple(arguments[1].decode().split(" ")), decode_base64(b"".join(lines))), at


def _read_line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\n", at)
    if end < 0:
        raise malformed("the file ends inside it")
    return data[at:end], end + 1


def _not_age_v1(data: bytes) -> SealError:
    if data.lstrip().startswith(_ARMOR):
        return SealError("it is an armored age file (text)", hint="`age -d -i KEY FILE` opens it")
    if data and (data.startswith(b"age-encryption.org/") or VERSION_LINE.startswith(data)):
        return SealError(
            "it is cut short inside its first line, or in a version of age other than v1",
            hint="fetch it again, or open it with `age -d -i KEY FILE`",
        )
    return SealError(
        "it is not an age file",
        hint="check which file it is: sealed objects (.age) and answers are",
    )


def _unwrap(stanzas: Sequence[Stanza], identities: Sequence[Identity]) -> bytes:
    kinds = [stanza.arguments[0] for stanza in stanzas]
    if "scrypt" in kinds and len(kinds) > 1:
        raise malformed("a passphrase stands beside another recipient")
    # Every stanza is looked at, also after a match, so that a malformed one is always refused.
    tried = [identity.unwrap(stanza) for stanza in stanzas for identity in identities]
    for file_key in tried:
        if file_key is not None:
            return file_key
    if "scrypt" in kinds:
        raise SealError("it is locked with a passphrase, not with a key", hint="use `age -d`")
    raise SealError(
        "it is not sealed to the identity given",
        hint="give the identity file whose recipient (`sealshot keys show FILE`) it was sealed to",
    )


def _header_hmac(file_key: bytes, header: bytes) -> HMAC:
    hmac = HMAC(derive_key(file_key, salt=b"", info=b"header"), SHA256())
    hmac.update(header)
    return hmac


def _encrypt_payload(file_key: bytes, plaintext: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    aead = ChaCha20Poly1305(derive_key(file_key, salt=nonce, info=b"payload"))
    starts = range(0, max(len(plaintext), 1), CHUNK_BYTES)  # an empty payload has one chunk
    return nonce + b"".join(
        aead.encrypt(
            _chunk_nonce(index, final=start == starts[-1]),
            plaintext[start : start + CHUNK_BYTES],
            None,
        )
        for index, start in enumerate(starts)
    )


def _decrypt_payload(file_key: bytes, payload: bytes) -> bytes:
    if len(payload) < NONCE_BYTES + TAG_BYTES:
        raise SealError("it is cut short: its payload is missing", hint=_DAMAGED)
    nonce, body = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
    aead = ChaCha20Poly1305(derive_key(file_key, salt=nonce, info=b"payload"))
    starts = range(0, len(body), CHUNK_BYTES + TAG_BYTES)
    chunks = []
    for index, start in enumerate(starts):
        chunk = body[start : start + CHUNK_BYTES + TAG_BYTES]
        final = start == starts[-1]
        try:
            chunks.append(aead.decrypt(_chunk_nonce(index, final=final), chunk, None))
        except InvalidTag:
            raise _broken_payload() from None
        if index > 0 and not chunks[-1]:  # only an empty payload may end with an empty chunk
            raise _broken_payload()
    return b"".join(chunks)


def _broken_payload() -> SealError:
    return SealError("it was altered or cut short after it was sealed", hint=_DAMAGED)


def _chunk_nonce(index: int, *, final: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if final else b"\x00")
