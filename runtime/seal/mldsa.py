"""ML-DSA-44 keys (FIPS 204), beside Ed25519 where a signature must outlast quantum computers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import derive_key
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.signing import SigningKey

KEY_BYTES = 1312
SIGNATURE_BYTES = 2420
VERIFY_PREFIX = "sealshot-mldsa-key"

_INFO = b"sealshot/ML-DSA-44 signing key/1"


@dataclass(frozen=True, slots=True)
class MlDsaVerifyKey:
    """A public key; ``str()`` is its ``sealshot-mldsa-key1...`` form.

    Raises:
        SealError: it has not the length of one.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise SealError(f"the ML-DSA key is not {KEY_BYTES} bytes", hint="copy all of it")

    def __str__(self) -> str:
        return bech32.encode(VERIFY_PREFIX, self.key)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is of this key and this message."""
        try:
            MLDSA44PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)  # without slots, for what is cached
class MlDsaSigningKey:
    """A private key. Its ``repr`` does not show it."""

    seed: bytes = field(repr=False)

    @classmethod
    def beside(cls, key: SigningKey) -> MlDsaSigningKey:
        """Derive the key that goes with an Ed25519 key, so that its owner keeps one secret."""
        return cls(derive_key(key.seed, salt=b"", info=_INFO))

    @cached_property
    def verify_key(self) -> MlDsaVerifyKey:
        """The public half."""
        return MlDsaVerifyKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 2,420 bytes, another one each time."""
        return self._private.sign(message)

    @cached_property
    def _private(self) -> MLDSA44PrivateKey:
        return MLDSA44PrivateKey.from_seed_bytes(self.seed)


def parse_mldsa_key(text: str) -> MlDsaVerifyKey:
    """Read a ``sealshot-mldsa-key1...`` key.

    Raises:
        SealError: it is something else.
    """
    try:
        prefix, key = bech32.decode(text)
    except ValueError as error:
        raise SealError(f"the ML-DSA key is malformed: {error}", hint="copy all of it") from None
    if prefix != VERIFY_PREFIX:
        raise SealError(f"it is not an ML-DSA key ({VERIFY_PREFIX}1...)", "check which key it is")
    return MlDsaVerifyKey(key)
