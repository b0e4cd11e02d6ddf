"""Keys that the enrolled key of a camera has certified: one for each day, one for checkpoints.

The enrolled key signs these certificates while the camera is enrolled, and is gone then. What the
key of a day signs counts for that day and those after it, so whoever gets the keys of today and of
all days to come signs nothing of a day before: see `day_keys.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.signing import KEY_BYTES, SIGNATURE_BYTES, SigningKey, VerifyKey
from sealshot.runtime.seal.times import is_day

DAY_BYTES = len("2026-11-21")
CERTIFICATE_BYTES = DAY_BYTES + KEY_BYTES + SIGNATURE_BYTES

_DAY_KIND = b"sealshot/day-key/1\n"
_CHECKPOINT_KIND = b"sealshot/checkpoint-key/1\n"
_LAST_KIND = b"sealshot/last-day/1\n"
_MANY = 1024
"""Certificates that are not checked twice: of the days of a vault."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """That a camera signs with a key from a day on, signed by its enrolled key."""

    day: str
    key: VerifyKey
    signature: bytes

    def encode(self) -> bytes:
        """Return the day, the key and the signature, end to end: 106 bytes."""
        return self.day.encode() + self.key.key + self.signature

    def is_of(self, camera: VerifyKey) -> bool:
        """Whether the enrolled key of a camera signed it."""
        return _verifies(camera, _DAY_KIND + self.day.encode() + self.key.key, self.signature)

    def may_sign(self, time: str) -> bool:
        """Whether what was signed with its key may be of this day, hour or second."""
        return time[:DAY_BYTES] >= self.day


@dataclass(frozen=True, slots=True)
class Today:
    """What a camera signs with on one day."""

    key: SigningKey
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """What signs the checkpoints of a camera's log, on all days: stock verifiers know one key.

    The key of the day signs beside it.
    """

    key: SigningKey
    camera: VerifyKey
    """The enrolled key."""
    certificate: bytes
    """Of it, see :func:`certify_checkpoints`."""


def parse_certificate(data: bytes) -> Certificate:
    """Read a certificate; whose it is remains to be checked.

    Raises:
        SealError: it is none.
    """
    day = data[:DAY_BYTES].decode("ascii", errors="replace")
    if len(data) != CERTIFICATE_BYTES or not is_day(day):
        raise SealError("it is no certificate of a day's key", hint="get the whole of it again")
    key = VerifyKey(data[DAY_BYTES:-SIGNATURE_BYTES])
    return Certificate(day, key, data[-SIGNATURE_BYTES:])


def certify_day(enrolled: SigningKey, day: str, key: VerifyKey) -> Certificate:
    """Return the certificate of a day's key."""
    return Certificate(day, key, enrolled.sign(_DAY_KIND + day.encode() + key.key))


def certify_checkpoints(enrolled: SigningKey, key: VerifyKey) -> bytes:
    """Return the signature that says: this key signs the checkpoints of the camera's log."""
    return enrolled.sign(_CHECKPOINT_KIND + key.key)


def signs_checkpoints(camera: VerifyKey, key: VerifyKey, signature: bytes) -> bool:
    """Whether the enrolled key of a camera signed that."""
    return _verifies(camera, _CHECKPOINT_KIND + key.key, signature)


def certify_last(enrolled: SigningKey, day: str) -> bytes:
    """Return the signature that says: this is the last day that has a key of its own."""
    return enrolled.sign(_LAST_KIND + day.encode())


def is_last(camera: VerifyKey, day: str, signature: bytes) -> bool:
    """Whether the enrolled key of a camera signed that."""
    return _verifies(camera, _LAST_KIND + day.encode(), signature)


@lru_cache(_MANY)
def _verifies(camera: VerifyKey, message: bytes, signature: bytes) -> bool:
    return camera.verifies(message, signature)
