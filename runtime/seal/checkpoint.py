"""Checkpoints: the size and the root of a log, signed (https://c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.fields import is_name
from sealshot.runtime.seal.merkle import HASH_BYTES, Tree
from sealshot.runtime.seal.signing import SIGNATURE_BYTES, SigningKey, VerifyKey

CHECKPOINT_SUFFIX = ".checkpoint"
CHECKPOINT_LIMIT = 64 * 1024
ORIGIN = "sealshot/"

_ED25519 = b"\x01"  # signature type of signed notes


class LogError(SealshotError):
    """A log was altered, or cannot be written. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one moment, signed."""

    name: str
    size: int
    root: bytes


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


def write_checkpoint(name: str, tree: Tree, key: SigningKey) -> bytes:
    """Return a signed note with the size and the root of a log."""
    origin = ORIGIN + name
    text = f"{origin}\n{tree.size}\n{base64.b64encode(tree.root).decode()}\n".encode()
    signature = base64.b64encode(_key_id(origin, key.verify_key) + key.sign(text)).decode()
    return text + f"\n— {origin} {signature}\n".encode()


def parse_checkpoint(note: bytes, key: VerifyKey) -> Checkpoint:
    """Read a checkpoint and verify its signature.

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
    if not lines[1].isdigit() or len(lines[1]) > 18 or len(root) != HASH_BYTES:
        raise _no_checkpoint("its size or its root is not as it should be")
    wanted = _key_id(lines[0], key)
    for line in signatures.decode(errors="replace").splitlines():
        signer, _, encoded = line.rpartition(" ")
        signed = decode_base64(encoded.encode())
        if signer == f"— {lines[0]}" and signed[:4] == wanted:
            if len(signed) == 4 + SIGNATURE_BYTES and key.verifies(text, signed[4:]):
                return Checkpoint(name, int(lines[1]), root)
            raise _no_checkpoint("its signature is wrong")
    raise _no_checkpoint("it is not signed by that key")


def decode_base64(text: bytes) -> bytes:
    """Return what a text is the base64 of; nothing where it is of nothing."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _no_checkpoint(what: str) -> LogError:
    return LogError(f"the checkpoint cannot be trusted: {what}", "get a copy of it elsewhere")


def _key_id(origin: str, key: VerifyKey) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + key.key).digest()[:4]
