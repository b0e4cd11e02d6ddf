"""Post-quantum keys of age: the ``mlkem768x25519`` recipient type (https://age-encryption.org/v1).

HPKE (RFC 9180) over ML-KEM-768 and X25519 together (X-Wing): the file key stays secret as long as
one of the two holds.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import (
    FILE_KEY_BYTES,
    TAG_BYTES,
    Stanza,
    decode_base64,
    encode_base64,
    malformed,
)
from sealshot.runtime.age.x25519 import is_weak
from sealshot.runtime.errors import SealError

KIND = "mlkem768x25519"
SEED_BYTES = 32
MLKEM_KEY_BYTES = 1184
MLKEM_SHARE_BYTES = 1088
X25519_BYTES = 32
KEY_BYTES = MLKEM_KEY_BYTES + X25519_BYTES
SHARE_BYTES = MLKEM_SHARE_BYTES + X25519_BYTES
RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "age-secret-key-pq-"

_INFO = b"age-encryption.org/mlkem768x25519"
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class HybridRecipient:
    """A public key; ``str()`` is its ``age1pq1...`` form.

    Raises:
        SealError: the key has the wrong length, or one of its halves protects nothing.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise SealError(f"the recipient is not a key of {KEY_BYTES} bytes", hint="copy it all")
        try:
            _public(self.key)
            weak = is_weak(self.key[MLKEM_KEY_BYTES:])
        except ValueError:
            weak = True
        if weak:
            raise SealError(
                "the recipient is no valid post-quantum key",
                hint="make a key pair with `sealshot keys new --post-quantum FILE`",
            )

    @property
    def is_post_quantum(self) -> bool:
        """Whether a quantum computer, too, leaves it closed."""
        return True

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key under a fresh encapsulation."""
        sealed = _SUITE.encrypt(file_key, _public(self.key), info=_INFO)
        return Stanza((KIND, encode_base64(sealed[:SHARE_BYTES]).decode()), sealed[SHARE_BYTES:])


@dataclass(frozen=True, slots=True)
class HybridIdentity:
    """A private key: a seed that both halves grow from. Its ``repr`` does not show it."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise SealError("the identity is not a key of 32 bytes", hint="copy all of it")

    @classmethod
    def generate(cls) -> HybridIdentity:
        """Make a new private key."""
        return cls(os.urandom(SEED_BYTES))

    @property
    def recipient(self) -> HybridRecipient:
        """The public key that goes with it."""
        mlkem, x25519 = self._halves()
        return HybridRecipient(
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def secret_text(self) -> str:
        """Return the ``AGE-SECRET-KEY-PQ-1...`` form: who has it opens what was sealed to it."""
        return bech32.encode(IDENTITY_PREFIX, self.seed).upper()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None where the stanza is for another key or of another kind.

        Raises:
            SealError: the stanza is a malformed hybrid stanza, or its share is of low order.
        """
        if stanza.arguments[0] != KIND:
            return None
        if len(stanza.arguments) != 2:
            raise malformed("a post-quantum recipient does not have two arguments")
        share = decode_base64(stanza.arguments[1].encode())
        if len(share) != SHARE_BYTES or len(stanza.body) != FILE_KEY_BYTES + TAG_BYTES:
            raise malformed("a post-quantum recipient does not have the right length")
        if is_weak(share[MLKEM_SHARE_BYTES:]):
            raise malformed("a post-quantum recipient has a share of low order")
        try:
            key = MLKEM768X25519PrivateKey(*self._halves())
            return _SUITE.decrypt(share + stanza.body, key, info=_INFO)
        except InvalidTag:
            return None

    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        """Expand the seed as X-Wing does (draft-connolly-cfrg-xwing-kem)."""
        grown = hashlib.shake_256(self.seed).digest(96)
        return (
            MLKEM768PrivateKey.from_seed_bytes(grown[:64]),
            X25519PrivateKey.from_private_bytes(grown[64:]),
        )


@lru_cache(64)  # of a policy's authorities and epochs, for each shot
def _public(key: bytes) -> MLKEM768X25519PublicKey:
    """Return a public key with its matrix expanded; raises ValueError where it is none."""
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(key[:MLKEM_KEY_BYTES]),
        X25519PublicKey.from_public_bytes(key[MLKEM_KEY_BYTES:]),
    )
