"""Cosignatures: what a witness says of a checkpoint (https://c2sp.org/tlog-cosignature).

That at a time this was the newest state of the log that it had seen, and that each state it had
seen before was a beginning of this one. Who has a cosignature knows that the keeper of the log
shows others no other log, as long as the witness is not in league with them.

A witness signs with Ed25519 and, beside it, with ML-DSA-44: what it has cosigned stays proven when
a quantum computer forges the log's own signatures, for the tree is of hashes alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone

from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT, ORIGIN, decode_base64
from sealshot.runtime.seal.merkle import HASH_BYTES
from sealshot.runtime.seal.mldsa import MlDsaSigningKey, MlDsaVerifyKey
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.signing import SigningKey, VerifyKey

_SUBTREE = b"subtree/v1\n\0"
_LATEST = 1 << 37  # seconds; a year that a datetime has


def cosign(note: bytes, name: str, key: SigningKey | MlDsaSigningKey, now: datetime) -> bytes:
    """Return a checkpoint with one cosignature more, in place of an older one by this key.

    Args:
        note: a checkpoint that was verified, and that follows from all that were cosigned before.
        name: of the witness.
        key: of the witness, used for nothing else.
        now: the time.
    """
    seconds, public = int(now.timestamp()), key.verify_key
    signature = key.sign(_message(_text(note), name, public, seconds))
    head = _head(name)
    signed = _key_id(name, public) + seconds.to_bytes(8, "big") + signature
    kept = b"".join(
        line
        for line in note.splitlines(keepends=True)
        if not (line.startswith(head) and _signature(line, head)[:4] == signed[:4])
    )
    return kept.removesuffix(b"\n") + b"\n" + head + base64.b64encode(signed) + b"\n"


def cosigned(note: bytes, witnesses: Sequence[Party]) -> dict[str, datetime]:
    """Return which of the witnesses cosigned a checkpoint, with all of their keys, and when."""
    found = {}
    for witness in witnesses:
        keys: list[VerifyKey | MlDsaVerifyKey] = [witness.verify_key]
        keys += [witness.mldsa_key] if witness.mldsa_key else []
        times = {_time(note, witness.name, key) for key in keys}
        if len(times) == 1 and (seconds := times.pop()) is not None:
            found[witness.name] = datetime.fromtimestamp(seconds, timezone.utc)
    return found


def _time(note: bytes, name: str, key: VerifyKey | MlDsaVerifyKey) -> int | None:
    """Return when a key cosigned, in Unix time; None where it did not."""
    text, head = _text(note), _head(name)
    for line in note[len(text) : CHECKPOINT_LIMIT].splitlines():
        signed = _signature(line, head) if line.startswith(head) else b""
        seconds = int.from_bytes(signed[4:12], "big")
        if (
            signed[:4] == _key_id(name, key)
            and seconds < _LATEST
            and key.verifies(_message(text, name, key, seconds), signed[12:])
        ):
            return seconds
    return None


def _text(note: bytes) -> bytes:
    """Return what is signed: up to the empty line."""
    return note[:CHECKPOINT_LIMIT].partition(b"\n\n")[0] + b"\n"


def _message(text: bytes, name: str, key: VerifyKey | MlDsaVerifyKey, seconds: int) -> bytes:
    """Return what a cosignature is over; that of no checkpoint is over nothing that is one."""
    if isinstance(key, VerifyKey):
        return f"cosignature/v1\ntime {seconds}\n".encode() + text
    origin, size, root, *_ = [*text.split(b"\n"), b"", b""]
    end = int(size[:18]) if size.isdigit() else 0
    return (
        _SUBTREE
        + _short(f"{ORIGIN}{name}".encode())
        + seconds.to_bytes(8, "big")
        + _short(origin)
        + (0).to_bytes(8, "big")
        + end.to_bytes(8, "big")
        + decode_base64(root)[:HASH_BYTES]
    )


def _short(text: bytes) -> bytes:
    return len(text[:255]).to_bytes(1, "big") + text[:255]


def _head(name: str) -> bytes:
    return f"— {ORIGIN}{name} ".encode()


def _signature(line: bytes, head: bytes) -> bytes:
    return decode_base64(line[len(head) :].strip())


def _key_id(name: str, key: VerifyKey | MlDsaVerifyKey) -> bytes:
    kind = b"\x04" if isinstance(key, VerifyKey) else b"\x06"
    return hashlib.sha256(f"{ORIGIN}{name}\n".encode() + kind + key.key).digest()[:4]
