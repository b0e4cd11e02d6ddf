"""X25519 keys of age: https://age-encryption.org/v1, "The X25519 recipient type"."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import (
    FILE_KEY_BYTES,
    TAG_BYTES,
    Stanza,
    decode_base64,
    derive_key,
    encode_base64,
    malformed,
)
from sealshot.runtime.errors import SealError

KIND = "X25519"
KEY_BYTES = 32
RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "age-secret-key-"

_INFO = b"age-encryption.org/v1/X25519"
_ZERO_NONCE = bytes(12)  # each wrap key is used once
_PRIME = 2**255 - 19
_ORDER_8 = (
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
)
_LOW_ORDER = frozenset((0, 1, _PRIME - 1, _PRIME, _PRIME + 1, *_ORDER_8))
"""Coordinates of the points of order 1, 2, 4 and 8, with those of the forms not reduced."""


@dataclass(frozen=True, slots=True)
class X25519Recipient:
    """A public key; ``str()`` is its ``age1...`` form.

    Raises:
        SealError: the key is not 32 bytes, or is a point of low order, which protects nothing.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise SealError("the recipient is not a key of 32 bytes", hint="copy all of it")
        if is_weak(self.key):
            raise SealError(
                "the recipient is a weak key that anyone could open",
                hint="make a key pair with `sealshot keys new FILE`",
            )

    @property
    def is_post_quantum(self) -> bool:
        """Whether a quantum computer, too, leaves it closed."""
        return False

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key under a fresh ephemeral key."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.key))
        body = _wrap_cipher(secret, share, self.key).encrypt(_ZERO_NONCE, file_key, None)
        return Stanza((KIND, encode_base64(share).decode()), body)


@dataclass(frozen=True, slots=True)
class X25519Identity:
    """A private key. Its ``repr`` does not show it."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise SealError("the identity is not a key of 32 bytes", hint="copy all of it")

    @classmethod
    def generate(cls) -> X25519Identity:
        """Make a new private key."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @property
    def recipient(self) -> X25519Recipient:
        """The public key that goes with it."""
        return X25519Recipient(self._private().public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """Return the ``AGE-SECRET-KEY-1...`` form. Whoever has it opens what was sealed to it."""
        return bech32.encode(IDENTITY_PREFIX, self.key).upper()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """Return the file key, or None where the stanza is for another key or of another kind.

        Raises:
            SealError: the stanza is a malformed X25519 stanza, or its share is of low order.
        """
        if stanza.arguments[0] != KIND:
            return None
        if len(stanza.arguments) != 2:
            raise malformed("an X25519 recipient does not have two arguments")
        share = decode_base64(stanza.arguments[1].encode())
        # A fixed length, checked before decryption, denies an attacker a partitioning oracle.
        if len(share) != KEY_BYTES or len(stanza.body) != FILE_KEY_BYTES + TAG_BYTES:
            raise malformed("an X25519 recipient does not have the right length")
        private = self._private()
        secret = _exchange(private, share)
        if secret is None:
            raise malformed("an X25519 recipient has a share of low order")
        public = private.public_key().public_bytes_raw()
        try:
            return _wrap_cipher(secret, share, public).decrypt(_ZERO_NONCE, stanza.body, None)
        except InvalidTag:
            return None

    def _private(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.key)


def is_weak(public: bytes) -> bool:
    """Whether a public key or share is a point of low order, whose secret anyone knows."""
    return int.from_bytes(public, "little") % 2**255 in _LOW_ORDER


def _exchange(private: X25519PrivateKey, public: bytes) -> bytes | None:
    """Return the shared secret, or None where it is all zero (a share of low order)."""
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return None


def _wrap_cipher(secret: bytes, share: bytes, recipient: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(derive_key(secret, salt=share + recipient, info=_INFO))
