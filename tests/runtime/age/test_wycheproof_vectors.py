"""Project Wycheproof against the primitives as our readers use them: known answers, known attacks.

The licence (Apache 2.0) and what was left out stand in the archive.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealshot.runtime.age import age, hybrid
from sealshot.runtime.age.hybrid import HybridIdentity, HybridRecipient
from sealshot.runtime.age.x25519 import X25519Identity, X25519Recipient
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.signing import VerifyKey

VECTORS = Path(__file__).with_name("wycheproof_vectors.zip")
FILE_KEY = bytes(range(16))
Case = dict[str, Any]


def cases(name: str) -> Iterator[tuple[Case, Case]]:
    """Each group and each case of it, its bytes in place of hex."""
    with zipfile.ZipFile(VECTORS) as archive:
        groups = json.loads(archive.read(f"{name}_test.json"))["testGroups"]
    for group in groups:
        for case in group["tests"]:
            yield group, {k: _bytes(k, v) for k, v in case.items()}


def _bytes(name: str, value: Any) -> Any:
    is_hex = isinstance(value, str) and name not in ("comment", "result")
    return bytes.fromhex(value) if is_hex else value


def test_x25519() -> None:
    """Each case as an age file: its public key is the ephemeral share, its private key ours."""
    seen = Counter[str]()
    for _, case in cases("x25519"):
        identity, share = X25519Identity(case["private"]), case["public"]
        own = X25519PrivateKey.from_private_bytes(case["private"]).public_key().public_bytes_raw()
        key = age.derive_key(case["shared"], share + own, b"age-encryption.org/v1/X25519")
        body = age.ChaCha20Poly1305(key).encrypt(bytes(12), FILE_KEY, None)
        stanza = age.Stanza(("X25519", age.encode_base64(share).decode()), body)
        if "ZeroSharedSecret" in case["flags"]:
            seen["weak"] += 1
            with pytest.raises(SealError, match="low order"):
                identity.unwrap(stanza)
            with pytest.raises(SealError, match="weak key"):
                X25519Recipient(share)
        else:
            seen["opened"] += 1
            assert identity.unwrap(stanza) == FILE_KEY, case["tcId"]
            assert X25519Recipient(share).key == share
    assert seen == {"opened": 487, "weak": 31}


def test_ed25519() -> None:
    """A key of small order, whose signatures prove nothing of their owner, is none of ours."""
    seen, refused = Counter[tuple[str, bool]](), 0
    for group, case in cases("ed25519"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        if "SmallOrderPublicKey" in case["flags"]:
            refused += 1
            with pytest.raises(SealError, match="small order"):
                VerifyKey(public)
        else:
            seen[case["result"], VerifyKey(public).verifies(case["msg"], case["sig"])] += 1
    assert seen["valid", False] == seen["invalid", True] == 0
    assert (seen["valid", True], seen["invalid", False], refused) == (117, 64, 8)
    # A key that has a part of small order has a secret one, too: readers may take or refuse it.
    assert seen["acceptable", True] + seen["acceptable", False] == 21


def test_hkdf_sha256() -> None:
    """We take 32 bytes, which are the first 32 of any longer output."""
    tried = 0
    for _, case in cases("hkdf_sha256"):
        if case["result"] == "invalid":
            assert case["flags"] == ["SizeTooLarge"]  # we ask for no size
            continue
        derived = age.derive_key(case["ikm"], case["salt"], case["info"])
        known = case["okm"][:32]
        assert derived[: len(known)] == known, case["tcId"]
        tried += 1
    assert tried == 83


def test_chacha20_poly1305() -> None:
    seen = Counter[str]()
    for _, case in cases("chacha20_poly1305"):
        aead = age.ChaCha20Poly1305(case["key"])
        sealed = case["ct"] + case["tag"]
        seen[case["result"]] += 1
        if case["result"] == "valid":
            assert aead.decrypt(case["iv"], sealed, case["aad"]) == case["msg"], case["tcId"]
            assert aead.encrypt(case["iv"], case["msg"], case["aad"]) == sealed
        else:
            with pytest.raises((InvalidTag, ValueError)):
                aead.decrypt(case["iv"], sealed, case["aad"])
    assert seen == {"valid": 256, "invalid": 69}


PRIVATE = hashlib.sha256(b"an X25519 key").digest()
PUBLIC = X25519Identity(PRIVATE).recipient.key


def _chosen(seed: bytes) -> HybridIdentity:
    """A hybrid identity with an ML-KEM key of the vectors, which no seed of ours grows into."""

    class Chosen(HybridIdentity):
        def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
            return (
                MLKEM768PrivateKey.from_seed_bytes(seed),
                X25519PrivateKey.from_private_bytes(PRIVATE),
            )

    return Chosen(bytes(32))


def test_mlkem_768(other) -> None:
    """Each case as an age file, wrapped with the secret that the case says comes out."""
    seen = Counter[str]()
    ephemeral = X25519Identity(hashlib.sha256(b"another").digest()).recipient.key
    for _, case in cases("mlkem_768"):
        share = case["c"] + ephemeral
        if len(case["seed"]) != 64:  # ours are always 64
            seen["not ours"] += 1
            continue
        identity = _chosen(case["seed"])
        secret = other.xwing_secret(case["K"], PRIVATE, ephemeral)
        aead, nonce = other.hpke_key(secret, b"age-encryption.org/mlkem768x25519")
        body = aead.encrypt(nonce, FILE_KEY, None)
        stanza = age.Stanza((hybrid.KIND, age.encode_base64(share).decode()), body)
        if case["result"] == "valid":
            seen["opened"] += 1
            assert identity.recipient.key == case["ek"] + PUBLIC
            assert identity.unwrap(stanza) == FILE_KEY, case["tcId"]
        else:
            seen["refused"] += 1
            with pytest.raises(SealError, match="right length"):
                identity.unwrap(stanza)
    assert seen == {"opened": 49, "refused": 20, "not ours": 20}


def test_mlkem_768_keys_out_of_range() -> None:
    refused = 0
    for _, case in cases("mlkem_768_encaps"):
        with pytest.raises(SealError, match=r"no valid post-quantum key|not a key"):
            HybridRecipient(case["ek"] + PUBLIC)
        refused += 1
    assert refused == 32
