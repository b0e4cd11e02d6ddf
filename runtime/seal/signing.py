"""Ed25519 keys (RFC 8032) as text: who sealed, who signed a warrant, who published a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import derive_key
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.fields import Check
from sealshot.runtime.seal.keys import PrivateKey

KEY_BYTES = 32
SIGNATURE_BYTES = 64
VERIFY_PREFIX = "sealshot-key"
SIGNING_PREFIX = "sealshot-signing-key-"

_PRIME = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset(
    (0, 1, _PRIME - 1, _PRIME, _PRIME + 1, _ORDER_8, _PRIME - _ORDER_8)
)  # the second coordinates of the eight points, with those of the forms that are not reduced

_AUTHORITY_INFO = b"sealshot/authority signing key/1"


@dataclass(frozen=True)  # without slots, for what is cached
class VerifyKey:
    """A public signing key; ``str()`` is its ``sealshot-key1...`` form.

    Raises:
        SealError: it is not a key of 32 bytes, or one that would verify anything.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise SealError("the public signing key is not 32 bytes", hint="copy all of it")
        if int.from_bytes(self.key, "little") % 2**255 in _SMALL_ORDER:
            raise SealError(
                "the public signing key is a point of small order: one signature fits all messages",
                hint="have its owner make a new key",
            )

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return bech32.encode(VERIFY_PREFIX, self.key)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is of this key and this message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: no point of the curve
            return False
        return True


@dataclass(frozen=True)  # without slots, for what is cached
class SigningKey:
    """A private signing key. Its ``repr`` does not show it."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def of_authority(cls, identity: PrivateKey) -> SigningKey:
        """Derive the signing key of an authority, so that it keeps one secret, not two."""
        return cls(derive_key(identity.secret_text().encode(), salt=b"", info=_AUTHORITY_INFO))

    @cached_property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return VerifyKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private.sign(message)

    def secret_text(self) -> str:
        """Return the ``SEALSHOT-SIGNING-KEY-1...`` form. Whoever has it can sign as its owner."""
        return bech32.encode(SIGNING_PREFIX, self.seed).upper()

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def parse_verify_key(text: str) -> VerifyKey:
    """Read a ``sealshot-key1...`` key.

    Raises:
        SealError: it is something else.
    """
    return VerifyKey(_decode(text, VERIFY_PREFIX, "public signing key"))


def parse_signing_key(text: str) -> SigningKey:
    """Read a ``SEALSHOT-SIGNING-KEY-1...`` key.

    Raises:
        SealError: it is something else; the text is never quoted.
    """
    seed = _decode(text, SIGNING_PREFIX, "signing key")
    if len(seed) != KEY_BYTES:
        raise SealError("the signing key is not 32 bytes", hint="copy all of it")
    return SigningKey(seed)


def is_key_text(parse: object) -> Check:
    """Return the check that a text is a key that ``parse`` reads."""

    def check(value: object) -> bool:
        try:
            return isinstance(value, str) and callable(parse) and parse(value) is not None
        except SealError:
            return False

    return check


def _decode(text: str, expected: str, what: str) -> bytes:
    try:
        prefix, key = bech32.decode(text)
    except ValueError as error:
        raise SealError(f"the {what} is malformed: {error}", hint="copy all of it") from None
    if prefix != expected:
        raise SealError(f"it is not a {what} ({expected}1...)", hint="check which key it is")
    return key
