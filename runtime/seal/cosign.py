"""Cosignatures: what a witness says of a checkpoint (https://c2sp.org/tlog-cosignature, Ed25519).

That at a time this was the newest state of the log that it had seen, and that each state it had
seen before was a beginning of this one. Who has a cosignature knows that the keeper of the log
shows others no other log, as long as the witness is not in league with them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone

from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT, ORIGIN
from sealshot.runtime.seal.policy import Party
from sealshot.runtime.seal.signing import SIGNATURE_BYTES, SigningKey, VerifyKey

_TYPE = b"\x04"
_TIME_BYTES = 8


def cosign(note: bytes, name: str, key: SigningKey, now: datetime) -> bytes:
    """Return a checkpoint with one cosignature more, in place of an older one of this witness.

    Args:
        note: a checkpoint that was verified, and that follows from all that were cosigned before.
        name: of the witness.
        key: of the witness, used for nothing else.
        now: the time.
    """
    seconds = int(now.timestamp())
    signature = key.sign(_message(_text(note), seconds))
    head = _head(name)
    signed = _key_id(name, key.verify_key) + seconds.to_bytes(_TIME_BYTES, "big") + signature
    kept = b"".join(
        line
        for line in note.splitlines(keepends=True)
        if not (line.startswith(head) and _decode(line[len(head) :])[:4] == signed[:4])
    )
    return kept.removesuffix(b"\n") + b"\n" + head + base64.b64encode(signed) + b"\n"


def cosigned(note: bytes, witnesses: Sequence[Party]) -> dict[str, datetime]:
    """Return which of the witnesses cosigned a checkpoint, and when they did."""
    text, found = _text(note), {}
    for line in note[len(text) : CHECKPOINT_LIMIT].splitlines():
        for witness in witnesses:
            head = _head(witness.name)
            signed = _decode(line[len(head) :]) if line.startswith(head) else b""
            key_id, time, signature = signed[:4], signed[4:12], signed[12:]
            seconds = int.from_bytes(time, "big")
            if (
                key_id == _key_id(witness.name, witness.verify_key)
                and len(signature) == SIGNATURE_BYTES
                and seconds < 1 << 37  # a year that a datetime has
                and witness.verify_key.verifies(_message(text, seconds), signature)
            ):
                found[witness.name] = datetime.fromtimestamp(seconds, timezone.utc)
    return found


def _text(note: bytes) -> bytes:
    """Return what is signed: up to the empty line."""
    return note[:CHECKPOINT_LIMIT].partition(b"\n\n")[0] + b"\n"


def _message(text: bytes, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n".encode() + text


def _head(name: str) -> bytes:
    return f"— {ORIGIN}{name} ".encode()


def _key_id(name: str, key: VerifyKey) -> bytes:
    return hashlib.sha256(f"{ORIGIN}{name}\n".encode() + _TYPE + key.key).digest()[:4]


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
