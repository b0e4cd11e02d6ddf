"""Tagged keys of age, for private keys in hardware: ``p256tag`` and ``mlkem768p256tag``.

HPKE (RFC 9180) to a P-256 key, or to one and an ML-KEM-768 key together. A tag says which key a
stanza is for, so that whoever holds the hardware is asked for what fits alone; whoever has the
public key can tell so, too. Only encryption is here: the private key is opened by the plugin of its
hardware (see plugin.py). https://age-encryption.org/v1, "The tagged recipient types".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import Stanza, encode_base64
from sealshot.runtime.age.hybrid import MLKEM_KEY_BYTES
from sealshot.runtime.errors import SealError

KIND, HYBRID_KIND = "p256tag", "mlkem768p256tag"
RECIPIENT_PREFIX, HYBRID_RECIPIENT_PREFIX = "age1tag", "age1tagpq"
COMPRESSED_BYTES, POINT_BYTES, TAG_BYTES = 33, 65, 4

_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_HYBRID_SUITE = b"HPKE" + bytes.fromhex("005000010003")  # MLKEM768-P256 and the same two
_HYBRID_LABEL = b"MLKEM768-P256"


@dataclass(frozen=True, slots=True)
class TaggedRecipient:
    """The public half of a P-256 key; ``str()`` is its ``age1tag1...`` form.

    Raises:
        SealError: the key is no compressed point of the curve.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != COMPRESSED_BYTES:
            raise _not_a_key(COMPRESSED_BYTES)
        _point(self.key)

    @property
    def is_post_quantum(self) -> bool:
        """Whether a quantum computer, too, leaves it closed."""
        return False

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key under a fresh encapsulation."""
        sealed = _SUITE.encrypt(file_key, _point(self.key), info=_info(KIND))
        return _stanza(KIND, sealed[:POINT_BYTES], self.key, sealed[POINT_BYTES:])


@dataclass(frozen=True, slots=True)
class HybridTaggedRecipient:
    """The public halves of an ML-KEM-768 and a P-256 key; ``str()``: ``age1tagpq1...``.

    Raises:
        SealError: the key has the wrong length, or one of its halves is no key.
    """

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != MLKEM_KEY_BYTES + POINT_BYTES:
            raise _not_a_key(MLKEM_KEY_BYTES + POINT_BYTES)
        _mlkem(self.key)
        _point(self.key[MLKEM_KEY_BYTES:])

    @property
    def is_post_quantum(self) -> bool:
        """Whether a quantum computer, too, leaves it closed."""
        return True

    def __str__(self) -> str:
        return bech32.encode(HYBRID_RECIPIENT_PREFIX, self.key)

    def wrap(self, file_key: bytes) -> Stanza:
        """Wrap the file key under a fresh encapsulation."""
        point = self.key[MLKEM_KEY_BYTES:]
        secret, share = _mlkem(self.key).encapsulate()
        ephemeral = generate_private_key(SECP256R1())
        own = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        exchanged = ephemeral.exchange(ECDH(), _point(point))
        both = hashlib.sha3_256(secret + exchanged + own + point + _HYBRID_LABEL).digest()
        key, nonce = schedule(both, _info(HYBRID_KIND))
        body = ChaCha20Poly1305(key).encrypt(nonce, file_key, None)
        return _stanza(HYBRID_KIND, share + own, point, body)


def schedule(secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Return key and nonce of HPKE's base mode under MLKEM768-P256 (RFC 9180, section 5.1).

    `cryptography` has HPKE under other KEMs only.
    """

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + _HYBRID_SUITE + label + ikm, "sha256")

    def expand(label: bytes, size: int) -> bytes:
        labeled = size.to_bytes(2, "big") + b"HPKE-v1" + _HYBRID_SUITE + label + context
        return hmac.digest(scheduled, labeled + b"\x01", "sha256")[:size]

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    scheduled = extract(secret, b"secret", b"")
    return expand(b"key", 32), expand(b"base_nonce", 12)


def tag_of(kind: str, share: bytes, point: bytes) -> bytes:
    """Return the tag by which a key knows its stanzas.

    Args:
        kind: of the stanza.
        share: what it encapsulates the secret in.
        point: the P-256 key, compressed for :data:`KIND`, uncompressed for :data:`HYBRID_KIND`.
    """
    about = share + hashlib.sha256(point).digest()[:TAG_BYTES]
    return hmac.digest(_info(kind), about, "sha256")[:TAG_BYTES]


def _stanza(kind: str, share: bytes, point: bytes, body: bytes) -> Stanza:
    texts = (encode_base64(part).decode() for part in (tag_of(kind, share, point), share))
    return Stanza((kind, *texts), body)


def _info(kind: str) -> bytes:
    return b"age-encryption.org/" + kind.encode()


@lru_cache(64)  # of a policy's authorities and epochs, for each shot
def _mlkem(key: bytes) -> MLKEM768PublicKey:
    try:
        return MLKEM768PublicKey.from_public_bytes(key[:MLKEM_KEY_BYTES])
    except ValueError:
        raise _INVALID from None


@lru_cache(64)
def _point(key: bytes) -> EllipticCurvePublicKey:
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    except ValueError:
        raise _INVALID from None


def _not_a_key(size: int) -> SealError:
    return SealError(f"the recipient is not a key of {size} bytes", hint="copy all of it")


_INVALID = SealError(
    "the recipient is no valid key in hardware",
    hint="copy all of what the plugin of the hardware (age-plugin-...) printed",
)
