"""Keys as text: recipients (``age1...``) and identity files, in the form that age-keygen writes.

No error quotes what it could not read: people paste the secret half of a key pair.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from sealshot.runtime.age import age, bech32, hybrid, plugin, tagged, x25519
from sealshot.runtime.age.hybrid import HybridIdentity, HybridRecipient
from sealshot.runtime.age.plugin import PluginIdentity, Prompts
from sealshot.runtime.age.tagged import HybridTaggedRecipient, TaggedRecipient
from sealshot.runtime.age.x25519 import X25519Identity, X25519Recipient
from sealshot.runtime.errors import SealError
from sealshot.runtime.files import read_given, write_new

logger = logging.getLogger(__name__)

STDIN = "-"
KEY_FILE_LIMIT = 64 * 1024  # bytes; far above a real key file, far below a video given by mistake

_GET_RECIPIENT = "`sealshot keys show FILE` prints the recipient of an identity file"
_GET_IDENTITY = "give the file that `sealshot keys new` or `age-keygen -o` wrote"

PublicKey = X25519Recipient | HybridRecipient | TaggedRecipient | HybridTaggedRecipient
PrivateKey = X25519Identity | HybridIdentity
Key = TypeVar("Key")


_RECIPIENTS: dict[str, type[PublicKey]] = {
    x25519.RECIPIENT_PREFIX: X25519Recipient,
    hybrid.RECIPIENT_PREFIX: HybridRecipient,
    tagged.RECIPIENT_PREFIX: TaggedRecipient,
    tagged.HYBRID_RECIPIENT_PREFIX: HybridTaggedRecipient,
}


def parse_recipient(text: str) -> PublicKey:
    """Read an ``age1...``, ``age1pq1...``, ``age1tag1...`` or ``age1tagpq1...`` recipient.

    Raises:
        SealError: it is malformed, or of a kind that sealshot does not seal to.
    """
    if "SECRET-KEY" in text.upper():
        raise SealError(
            "an identity (secret) was given where a recipient (public) belongs",
            hint=f"{_GET_RECIPIENT}; delete the secret from where it was typed",
        )
    if not text.startswith("age1"):
        raise SealError(
            "the recipient does not begin with age1",
            hint=f"give an age1... key, or a file of them; {_GET_RECIPIENT}",
        )
    prefix, key = _decode(text, "recipient", hint=_GET_RECIPIENT)
    if prefix not in _RECIPIENTS:
        raise SealError(
            "the recipient is neither an X25519 key (age1...) nor a post-quantum one (age1pq1...), "
            "nor one in hardware (age1tag1..., age1tagpq1...)",
            hint=_GET_RECIPIENT,
        )
    return _RECIPIENTS[prefix](key)


def parse_identity(text: str) -> PrivateKey:
    """Read an ``AGE-SECRET-KEY-1...`` or ``AGE-SECRET-KEY-PQ-1...`` identity.

    Raises:
        SealError: it is malformed or of another kind.
    """
    prefix, key = _decode(text, "identity", hint=_GET_IDENTITY)
    if prefix in _RECIPIENTS:
        raise SealError(
            "a recipient (public) was given where an identity (secret) belongs",
            hint=_GET_IDENTITY,
        )
    if prefix.startswith(plugin.IDENTITY_PREFIX):
        raise SealError(
            "the identity is in hardware: `open`, `restore`, `evidence`, `authority new` take it",
            hint="its recipient stands in the file, or its plugin (age-plugin-...) prints it",
        )
    if prefix == hybrid.IDENTITY_PREFIX and text.isupper():
        return HybridIdentity(key)
    if prefix != x25519.IDENTITY_PREFIX or not text.isupper():
        raise SealError(
            "the identity is neither an X25519 key (AGE-SECRET-KEY-1...) nor a post-quantum one "
            "(AGE-SECRET-KEY-PQ-1...)",
            hint=_GET_IDENTITY,
        )
    return X25519Identity(key)


def parse_recipients(values: Sequence[str]) -> list[PublicKey]:
    """Read recipients, each given as ``age1...`` or as a file with one a line.

    Raises:
        SealError: one is malformed (it says which), or a file cannot be read.
    """
    recipients: list[PublicKey] = []
    for number, value in enumerate(values, start=1):
        if not value.startswith("age1") and Path(value).is_file():
            recipients += _parse_lines(_read(value), value, "recipient", parse_recipient)
            continue
        try:
            recipients.append(parse_recipient(value))
        except SealError as error:
            which = f"recipient {number} of {len(values)}: " if len(values) > 1 else ""
            raise SealError(which + error.fact, hint=error.hint) from None
    return recipients


def read_identities(file: str) -> list[PrivateKey]:
    """Read an identity file; ``-`` is standard input.

    Raises:
        SealError: there is no such file, or it is not one.
    """
    return _identities(_read(file), file, parse_identity)


def read_openers(file: str, prompts: Prompts) -> list[age.Identity]:
    """Read an identity file, which may name keys in hardware too; ``-`` is standard input.

    Args:
        file: as age has it.
        prompts: for what the plugins of the hardware say and ask.

    Raises:
        SealError: there is no such file, or it is not one.
    """

    def parse(text: str) -> age.Identity:
        in_hardware = text.startswith(plugin.IDENTITY_PREFIX.upper())
        return PluginIdentity(text, prompts) if in_hardware else parse_identity(text)

    return _identities(_read(file), file, parse)


def identities_in(data: bytes, name: str) -> list[PrivateKey]:
    """Read what an identity file of that name holds.

    Raises:
        SealError: it is none.
    """
    return _parse_lines(data, name, "identity", parse_identity)


def write_identity(path: Path, identity: PrivateKey) -> None:
    """Write an identity file as age-keygen does, readable by its owner only.

    Raises:
        InputError: the file exists (it is never overwritten), or cannot be.
        SealshotError: the disk is full or broken.
    """
    write_new(path, identity_file(identity), mode=0o600, what="the identity file")


def identity_file(identity: PrivateKey) -> str:
    """Return the content of an identity file."""
    created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = f"# created: {created}", f"# public key: {identity.recipient}", identity.secret_text()
    return "".join(line + "\n" for line in lines)


def _identities(data: bytes, file: str, parse: Callable[[str], Key]) -> list[Key]:
    if data.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        raise SealError(
            f"the identity file {file} is locked with a passphrase",
            hint="unlock it on the way: `age -d FILE | sealshot open ... --identity -`",
        )
    return _parse_lines(data, "standard input" if file == STDIN else file, "identity", parse)


def _decode(text: str, what: str, *, hint: str) -> tuple[str, bytes]:
    try:
        return bech32.decode(text)
    except ValueError as error:
        raise SealError(f"the {what} is malformed: {error}", hint=hint) from None


def _read(file: str) -> bytes:
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(KEY_FILE_LIMIT + 1)
        else:
            data = read_given(Path(file), KEY_FILE_LIMIT)
            warn_of_readers(Path(file), Path(file).stat().st_mode, data)
    except OSError as error:
        fact = f"cannot read the key file {file}: {error.strerror}"
        if error.errno == errno.EFBIG:
            fact = f"{file} is too large to be a key file"
        raise SealError(fact, hint="check the path") from None
    if len(data) > KEY_FILE_LIMIT:
        raise SealError(f"{file} is too large to be a key file", hint="check the path")
    return data


def warn_of_readers(path: Path, mode: int, data: bytes) -> None:
    """Warn where others than its owner can read a file with a secret key."""
    if mode & 0o077 and (b"SECRET-KEY" in data or b"SIGNING-KEY" in data):
        logger.warning("others than its owner can read the key %s: chmod 600 it", path)


def _parse_lines(data: bytes, name: str, what: str, parse: Callable[[str], Key]) -> list[Key]:
    """Read one key a line; blank lines and lines that start with ``#`` say nothing."""
    keys: list[Key] = []
    for number, line in enumerate(data.decode("ascii", errors="replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            keys.append(parse(text))
        except SealError as error:
            fact = f"{name}, line {number}: {error.fact}"
            raise SealError(fact, hint=error.hint) from None
    if not keys:
        raise SealError(f"{name} holds no {what}", hint="check that it is the right file")
    return keys
