"""Checkpoints, cosignatures and proofs, as `proofbundle` of PyPI verifies them.

It knows ML-DSA-44 cosignatures (https://c2sp.org/tlog-cosignature), which Go's verifiers did not
yet on 2026-11-29.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.cosign import cosign
from sealshot.runtime.seal.day_keys import DayKeys, enrol
from sealshot.runtime.seal.entries import Alive, KeyChanged
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_of
from sealshot.runtime.seal.log_signer import certificate_in
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.mldsa import MlDsaSigningKey
from sealshot.runtime.seal.proof import Proof
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles

checkpoint = pytest.importorskip("proofbundle.checkpoint")
tlogproof = pytest.importorskip("proofbundle.tlogproof")

NOON = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)
WITNESS, NAME = SigningKey(bytes(range(32))), "sealshot/court"
MLDSA = MlDsaSigningKey.beside(WITNESS)
VKEYS = [
    checkpoint.cosign_vkey(NAME, WITNESS.verify_key.key),
    checkpoint.cosign_vkey_mldsa(NAME, MLDSA.verify_key.key),
]


@dataclass(frozen=True)
class Witnessed:
    """The log of a camera, whose newest checkpoint a witness has cosigned."""

    lines: list[bytes]
    note: str
    vkey: str
    keys: DayKeys


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Witnessed:
    folder: Path = tmp_path_factory.mktemp("camera")
    enrol(folder, SigningKey.generate(), NOON, days=2)
    keys, path = DayKeys(folder), folder / "log"
    with Log(path, "cam1", keys) as opened:
        opened.append(*(Alive(f"2026-11-29T{hour:02}") for hour in range(24)))
    note = checkpoint_path(path).read_bytes()
    vkey = parse_checkpoint(note, keys.verify_key).vkey
    both = cosign(cosign(note, "court", WITNESS, NOON), "court", MLDSA, NOON)
    return Witnessed(list(lines_of(path.read_bytes())), both.decode(), vkey, keys)


def test_it_takes_the_checkpoint_and_both_cosignatures(log: Witnessed) -> None:
    assert checkpoint.verify_checkpoint(log.note, log.vkey)["tree_size"] == 25
    for vkey, kind in zip(VKEYS, ("ed25519-cosignature/v1", "ml-dsa-44"), strict=True):
        found = checkpoint.verify_cosignature(log.note, vkey)
        assert (found["ok"], found["alg"]) == (True, kind)
        assert (found["origin"], found["timestamp"]) == ("sealshot/cam1", int(NOON.timestamp()))


@pytest.mark.parametrize("line", range(2))
def test_it_sees_what_was_altered_of_either(line: int, log: Witnessed) -> None:
    text, _, signatures = log.note.partition("\n\n")
    lines = signatures.splitlines(keepends=True)
    of_witness = [at for at, one in enumerate(lines) if NAME in one][line]
    for at in range(len(NAME) + 4, len(lines[of_witness]) - 6, 97):
        old = lines[of_witness]
        new = old[:at] + ("A" if old[at] != "A" else "B") + old[at + 1 :]
        altered = "".join([*lines[:of_witness], new, *lines[of_witness + 1 :]])
        assert not _is_cosigned(f"{text}\n\n{altered}", VKEYS[line])
    for size in ("24", "26"):
        other = log.note.replace("\n25\n", f"\n{size}\n")
        assert not _is_cosigned(other, VKEYS[line])


def test_it_takes_a_proof_that_both_keys_of_a_witness_stand_for(log: Witnessed) -> None:
    tiles, certificate = Tiles(), None
    for line, entry in zip(log.lines, entries_of(log.lines), strict=True):
        tiles.add(hash_leaf(line))
        certificate = certificate_in(entry) if isinstance(entry, KeyChanged) else certificate
    for index in (1, 13, 24):
        hashes = tuple(tiles.proof(index, 25))
        proof = Proof(log.lines[index], index, hashes, log.note.encode(), certificate)
        proof.verify(log.keys.verify_key)
        text = proof.encode().decode()
        found = tlogproof.verify_tlog_proof(text, log.lines[index], log.vkey, VKEYS, threshold=2)
        assert found["ok"]
        other = tlogproof.verify_tlog_proof(text, log.lines[2], log.vkey, VKEYS, threshold=2)
        assert not other["ok"]


def _is_cosigned(note: str, vkey: str) -> bool:
    try:
        return bool(checkpoint.verify_cosignature(note, vkey)["ok"])
    except ValueError:  # what is no note
        return False
