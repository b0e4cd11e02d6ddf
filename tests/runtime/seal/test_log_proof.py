"""Proofs that a log has an entry: ours, and as the npm package of Sigstore sees them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.checkpoint import LogError, checkpoint_path
from sealshot.runtime.seal.entries import Sealed
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import lines_of
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.proof import Proof, parse_proof
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles

KEY, ORIGIN = SigningKey.generate(), "sealshot/cam1"
ENTRIES = [Sealed("2026-11-21T10", f"2026-11-21/{number:032x}.sealed") for number in range(21)]


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> list[Proof]:
    path: Path = tmp_path_factory.mktemp("log") / "log"
    with Log(path, "cam1", KEY) as log:
        log.append(*ENTRIES)
    lines, note = list(lines_of(path.read_bytes())), checkpoint_path(path).read_bytes()
    tree = Tiles()
    for line in lines:
        tree.add(hash_leaf(line))
    return [
        Proof(line, index, tuple(tree.proof(index, len(lines))), note)
        for index, line in enumerate(lines)
    ]


def test_each_entry_is_proven(proofs: list[Proof]) -> None:
    for proof, entry in zip(proofs, ENTRIES, strict=True):
        read = parse_proof(proof.encode())
        assert read == proof
        checkpoint, found = read.verify(KEY.verify_key)
        assert (checkpoint.name, checkpoint.size, found) == ("cam1", 21, entry)


def test_nothing_else_is(proofs: list[Proof]) -> None:
    proof, other = proofs[10], proofs[11]
    for wrong in (
        replace(proof, line=other.line),
        replace(proof, index=11),
        replace(proof, hashes=other.hashes),
        replace(proof, hashes=proof.hashes[1:]),
        replace(proof, note=proof.note.replace(b"21\n", b"20\n")),
        replace(other, index=10),
    ):
        with pytest.raises(LogError):
            wrong.verify(KEY.verify_key)
    with pytest.raises(LogError):
        proof.verify(SigningKey.generate().verify_key)


def test_what_is_no_proof_is_refused(proofs: list[Proof]) -> None:
    data = proofs[10].encode()
    for wrong in (
        b"",
        b"c2sp.org/tlog-proof@v1\n",
        data.replace(b"@v1", b"@v2"),
        data.replace(b"extra ", b"extra  "),
        data.replace(b"extra ", b"", 1),
        data.replace(b"index 10", b"index 010"),
        data.replace(b"index 10", b"index +10"),
        data.replace(b"index 10", b"index -1"),
        data.replace(b"index 10", b"index " + b"9" * 5000),
        data.replace(b"\nindex", b"\n\nindex"),
        data.replace(b"=\n", b"\n", 1),
        data.replace(b"\n", b"\r\n"),
        b"\xff" + data,
        data.partition(b"\n\n")[0] + b"\nAAAA" * 40 + b"\n\n",
    ):
        assert wrong != data
        with pytest.raises((SealError, LogError)):
            parse_proof(wrong).verify(KEY.verify_key)


def test_sigstore_takes_them(proofs: list[Proof], npm_peer) -> None:
    public = Ed25519PublicKey.from_public_bytes(KEY.verify_key.key)
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + KEY.verify_key.key).digest()[:4]

    def ask(proof: Proof) -> dict[str, object]:
        """Out of the text of a proof, as a stranger takes it apart."""
        head, _, note = proof.encode().decode().partition("\n\n")
        _, extra, index, *hashes = head.split("\n")
        return {
            "op": "included",
            "note": note,
            "origin": ORIGIN,
            "keyId": key_id,
            "key": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "leaf": base64.b64decode(extra.removeprefix("extra ")),
            "index": int(index.removeprefix("index ")),
            "hashes": hashes,
        }

    assert set(npm_peer(*map(ask, proofs))) == {"included"}
    moved, other = replace(proofs[10], index=11), replace(proofs[10], line=proofs[11].line)
    note = replace(proofs[10], note=proofs[10].note.replace(b"\n21\n", b"\n22\n"))
    assert npm_peer(ask(moved), ask(other), ask(note)) == [
        "calculated root hash does not match inclusion proof",
        "calculated root hash does not match inclusion proof",
        "invalid checkpoint signature",
    ]
