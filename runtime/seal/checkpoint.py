"""Checkpoints: the size and the root of a log, signed (https://c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.certificates import (
    CERTIFICATE_BYTES,
    CheckpointKey,
    Today,
    parse_certificate,
    signs_checkpoints,
)
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.fields import is_name
from sealshot.runtime.seal.merkle import HASH_BYTES, Tree
from sealshot.runtime.seal.signing import KEY_BYTES, SIGNATURE_BYTES, SigningKey, VerifyKey

CHECKPOINT_SUFFIX = ".checkpoint"
CHECKPOINT_LIMIT = 64 * 1024
ORIGIN = "sealshot/"

_ED25519 = b"\x01"  # signature type of signed notes
_CERTIFICATE = b"\xffsealshot/checkpoint-key/1"  # ff: one that is registered nowhere
_DAY = b"\xffsealshot/day-checkpoint/1"


class LogError(SealshotError):
    """A log was altered, or cannot be written. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one moment, signed."""

    name: str
    size: int
    root: bytes
    signer: VerifyKey
    """The keeper's own key, or that which a camera has for checkpoints."""
    day: str = ""
    """Whose key signed beside that of a camera with keys of days: what signs the next entry."""

    @property
    def vkey(self) -> str:
        """What other verifiers of notes know the signer by (https://c2sp.org/signed-note)."""
        origin, key = ORIGIN + self.name, base64.b64encode(_ED25519 + self.signer.key).decode()
        return f"{origin}+{_key_id(origin, self.signer).hex()}+{key}"


def checkpoint_path(log: Path) -> Path:
    """Return where the newest checkpoint of a log lies."""
    return log.with_name(log.name + CHECKPOINT_SUFFIX)


def read_newest(log: Path) -> bytes:
    """Read the newest checkpoint of a log.

    Raises:
        SealError: there is no such log, or no checkpoint of it.
    """
    try:
        wrong = f"{log} is a folder, not a log" if stat.S_ISDIR(log.stat().st_mode) else ""
    except FileNotFoundError:
        wrong = f"there is no log {log}"
    except OSError as error:
        wrong = f"cannot read the log {log}: {error.strerror}"
    if wrong:
        where = (
            "a camera keeps VAULT/log, a custodian DIR/log, an authority FILE.log beside its key"
        )
        raise SealError(wrong, hint=where)
    return read_file(checkpoint_path(log), "newest checkpoint", CHECKPOINT_LIMIT)


def write_checkpoint(
    name: str, tree: Tree, key: SigningKey | CheckpointKey, today: Today | None = None
) -> bytes:
    """Return a signed note with the size and the root of a log.

    One by the key that a camera has for them has the certificate of that key in a line of its own,
    and in another one a signature by the key of the day: others take both for signatures of a kind
    that they do not know.

    Args:
        name: of the keeper.
        tree: of its log.
        key: of the keeper.
        today: what signs the next entry, where that is the key of a day.
    """
    origin = ORIGIN + name
    text = f"{origin}\n{tree.size}\n{base64.b64encode(tree.root).decode()}\n".encode()
    signer = key.key if isinstance(key, CheckpointKey) else key
    note = text + b"\n" + _line(origin, signer.verify_key, _ED25519, signer.sign(text))
    if isinstance(key, CheckpointKey):
        note += _line(origin, key.camera, _CERTIFICATE, signer.verify_key.key + key.certificate)
        if today:
            signed = today.certificate.encode() + today.key.sign(text)
            note += _line(origin, key.camera, _DAY, signed)
    return note


def parse_checkpoint(note: bytes, key: VerifyKey) -> Checkpoint:
    """Read a checkpoint and verify its signature.

    Args:
        note: the checkpoint.
        key: of the keeper of the log. What it certified for checkpoints may have signed in its
            place, and a key that it certified for a day beside that.

    Raises:
        LogError: it is none, or not signed by that key.
    """
    text, _, signatures = note[:CHECKPOINT_LIMIT].partition(b"\n\n")
    text += b"\n"
    lines = text.decode(errors="replace").split("\n")
    name = lines[0].removeprefix(ORIGIN)
    if len(lines) != 4 or lines[0] != ORIGIN + name or not is_name(name) or not lines[1].isascii():
        raise _no_checkpoint("it does not have the form of one")
    root = decode_base64(lines[2].encode())
    if not _is_size(lines[1]) or len(root) != HASH_BYTES:
        raise _no_checkpoint("its size or its root is not as it should be")
    signed = {}
    for line in reversed(signatures.decode(errors="replace").splitlines()):
        signer, _, encoded = line.rpartition(" ")
        if signer == f"— {lines[0]}":
            decoded = decode_base64(encoded.encode())
            signed[decoded[:4]] = decoded[4:]
    certified = signed.get(_key_id(lines[0], key, _CERTIFICATE))
    signer_key = key if certified is None else _certified(certified, key)
    signature = signed.get(_key_id(lines[0], signer_key))
    if signature is None:
        raise _no_checkpoint("it is not signed by that key")
    if len(signature) != SIGNATURE_BYTES or not signer_key.verifies(text, signature):
        raise _no_checkpoint("its signature is wrong")
    day = ""
    if certified is not None:
        day = _day_of(signed.get(_key_id(lines[0], key, _DAY), b""), key, text)
    return Checkpoint(name, int(lines[1]), root, signer_key, day)


def _certified(data: bytes, camera: VerifyKey) -> VerifyKey:
    """Return the key that a line of a checkpoint certifies.

    Raises:
        LogError: the camera did not.
    """
    if len(data) == KEY_BYTES + SIGNATURE_BYTES:
        with suppress(SealError):
            key = VerifyKey(data[:KEY_BYTES])
            if signs_checkpoints(camera, key, data[KEY_BYTES:]):
                return key
    raise _no_checkpoint("its signature is wrong")


def _day_of(data: bytes, camera: VerifyKey, text: bytes) -> str:
    """Return the day whose key signed a checkpoint, too.

    Raises:
        LogError: none did.
    """
    with suppress(SealError):
        certificate = parse_certificate(data[:CERTIFICATE_BYTES])
        if certificate.is_of(camera) and certificate.key.verifies(text, data[CERTIFICATE_BYTES:]):
            return certificate.day
    raise _no_checkpoint(
        "no key of a day has signed it, and none did in development versions before 0.2.0"
    )


def _is_size(text: str) -> bool:
    """Whether it is a number as checkpoints have it: other readers take no leading zero."""
    return text.isdigit() and len(text) <= 18 and text == str(int(text))


def decode_base64(text: bytes) -> bytes:
    """Return what a text is the base64 of; nothing where it is of nothing."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _no_checkpoint(what: str) -> LogError:
    return LogError(f"the checkpoint cannot be trusted: {what}", "get a copy of it elsewhere")


def _line(origin: str, key: VerifyKey, kind: bytes, signature: bytes) -> bytes:
    signed = base64.b64encode(_key_id(origin, key, kind) + signature).decode()
    return f"— {origin} {signed}\n".encode()


def _key_id(origin: str, key: VerifyKey, kind: bytes = _ED25519) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + kind + key.key).digest()[:4]
