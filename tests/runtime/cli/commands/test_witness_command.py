"""`sealshot witness`: what is cosigned, by the text of C2SP, and what is not."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.cosign import cosign, cosigned
from sealshot.runtime.seal.entries import Alive
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.mldsa import MlDsaSigningKey, parse_mldsa_key
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG

KEY, WITNESS = SigningKey.generate(), SigningKey.generate()
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    with Log(tmp_path / "log", "cam1", KEY) as made:
        made.append(Alive("2026-11-21T10"))
    (tmp_path / "cam1.pub").write_text(Party("camera", "cam1", KEY.verify_key).encode(KEY))
    return tmp_path / "log"


@pytest.fixture
def ask(tmp_path: Path):
    """Have a checkpoint of the log of cam1 cosigned by the witness `court`."""
    assert main(["witness", "new", str(tmp_path / "court.key")]) == 0

    def ask(checkpoint: Path, log: Path, output: str = "out.checkpoint") -> int:
        of = ["--of", str(tmp_path / "cam1.pub"), "--key", str(tmp_path / "court.key")]
        files = ["-o", str(tmp_path / output)]
        return main(["witness", "cosign", str(checkpoint), "--log", str(log), *of, *files])

    return ask


def test_a_cosignature_is_as_c2sp_says(log: Path) -> None:
    note = checkpoint_path(log).read_bytes()
    signed = cosign(note, "court", WITNESS, NOON)
    line = signed.removeprefix(note).decode()
    assert line.startswith("\N{EM DASH} sealshot/court ")
    data = base64.b64decode(line.split(" ")[2].removesuffix("\n"), validate=True)
    public = WITNESS.verify_key.key
    assert data[:4] == hashlib.sha256(b"sealshot/court\n\x04" + public).digest()[:4]
    assert int.from_bytes(data[4:12], "big") == NOON.timestamp()
    head = note.partition(b"\n\n")[0] + b"\n"
    message = b"cosignature/v1\ntime %d\n" % NOON.timestamp() + head
    Ed25519PublicKey.from_public_bytes(public).verify(data[12:], message)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(data[12:], head)
    assert parse_checkpoint(signed, KEY.verify_key) == parse_checkpoint(note, KEY.verify_key)


def test_who_cosigned_when(log: Path) -> None:
    note = checkpoint_path(log).read_bytes()
    court = Party("witness", "court", WITNESS.verify_key)
    press = Party("witness", "press", SigningKey.generate().verify_key)
    signed = cosign(note, "court", WITNESS, NOON)
    assert cosigned(note, [court, press]) == {}
    assert cosigned(signed, [court, press]) == {"court": NOON}
    later = cosign(signed, "court", WITNESS, NOON + timedelta(hours=1))
    assert later.count(b"sealshot/court") == 1
    assert cosigned(later, [court]) == {"court": NOON + timedelta(hours=1)}
    assert cosigned(signed, [replace(court, name="press")]) == {}
    for at in range(len(note), len(signed) - 1):
        flipped = bytearray(signed)
        flipped[at] ^= 1
        assert cosigned(bytes(flipped), [court]) == {}, at
    assert cosigned(signed.replace(b"\n1\n", b"\n2\n"), [court]) == {}


def test_a_post_quantum_cosignature_is_as_c2sp_says(log: Path) -> None:
    note, key = checkpoint_path(log).read_bytes(), MlDsaSigningKey.beside(WITNESS)
    signed = cosign(note, "court", key, NOON)
    data = base64.b64decode(signed.removeprefix(note).split()[2], validate=True)
    public = key.verify_key.key
    assert data[:4] == hashlib.sha256(b"sealshot/court\n\x06" + public).digest()[:4]
    assert int.from_bytes(data[4:12], "big") == NOON.timestamp()
    _, size, root = note.partition(b"\n\n")[0].split(b"\n")
    names = 14, b"sealshot/court", int(NOON.timestamp()), 13, b"sealshot/cam1"
    tree = 0, int(size), base64.b64decode(root)
    message = struct.pack(">12sB14sQB13sQQ32s", b"subtree/v1\n\0", *names, *tree)
    MLDSA44PublicKey.from_public_bytes(public).verify(data[12:], message)
    assert len(data) == 4 + 8 + 2420
    assert parse_checkpoint(signed, KEY.verify_key) == parse_checkpoint(note, KEY.verify_key)


def test_a_witness_signs_with_all_of_its_keys_or_not_at_all(log: Path) -> None:
    note, mldsa = checkpoint_path(log).read_bytes(), MlDsaSigningKey.beside(WITNESS)
    court = Party("witness", "court", WITNESS.verify_key, mldsa_key=mldsa.verify_key)
    classical = cosign(note, "court", WITNESS, NOON)
    both = cosign(classical, "court", mldsa, NOON)
    assert cosigned(both, [court]) == {"court": NOON}
    assert cosigned(both, [replace(court, mldsa_key=None)]) == {"court": NOON}
    assert cosigned(classical, [court]) == {}  # as one forges it who has a quantum computer
    assert cosigned(cosign(note, "court", mldsa, NOON), [court]) == {}
    later = cosign(both, "court", mldsa, NOON + timedelta(hours=1))
    assert later.count(b"sealshot/court") == 2
    assert cosigned(later, [court]) == {}  # of two times neither is its word
    stranger = MlDsaSigningKey.beside(SigningKey.generate()).verify_key
    assert cosigned(both, [replace(court, mldsa_key=stranger)]) == {}
    for at in range(len(classical), len(both) - 1, 37):
        flipped = bytearray(both)
        flipped[at] ^= 1
        assert cosigned(bytes(flipped), [court]) == {}, at
    for wrong in (b"", b"\n", b"a\nb\nc\n\n", both.replace(b"\n1\n", b"\n" + b"9" * 40 + b"\n")):
        assert cosigned(wrong, [court]) == {}


def test_the_pub_file_of_a_witness_has_both_keys(ask, tmp_path: Path, capsys) -> None:
    court = read_party(tmp_path / "court.pub", "witness")
    assert court.mldsa_key is not None
    assert parse_mldsa_key(str(court.mldsa_key)) == court.mldsa_key
    text = (tmp_path / "court.pub").read_text()
    for old, new in (("sealshot-mldsa-key1", "sealshot-key1"), ("mldsa_key", "ml_key")):
        (tmp_path / "wrong.pub").write_text(text.replace(old, new))
        with pytest.raises(SealError):
            read_party(tmp_path / "wrong.pub", "witness")
    other = MlDsaSigningKey.beside(SigningKey.generate()).verify_key
    (tmp_path / "wrong.pub").write_text(text.replace(str(court.mldsa_key), str(other)))
    with pytest.raises(SealError, match="not signed by the key in it"):
        read_party(tmp_path / "wrong.pub", "witness")


def test_a_log_that_goes_on_is_cosigned(log: Path, ask, tmp_path: Path) -> None:
    assert ask(checkpoint_path(log), log) == 0
    with Log(log, "cam1", KEY) as more:
        more.append(Alive("2026-11-21T11"))
    assert ask(checkpoint_path(log), log) == 0
    court = read_party(tmp_path / "court.pub", "witness")
    signed = (tmp_path / "out.checkpoint").read_bytes()
    assert parse_checkpoint(signed, KEY.verify_key).size == 2
    [(name, when)] = cosigned(signed, [court]).items()
    assert name == "court"
    assert abs(when - utc_now()) < timedelta(minutes=1)
    of = ["--of", str(tmp_path / "cam1.pub"), "--checkpoint", str(tmp_path / "out.checkpoint")]
    assert main(["log", "verify", str(log), *of]) == 0


def test_what_contradicts_is_not_cosigned(
    log: Path, ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Set back, another log for others, another key, and a checkpoint that its log is not."""
    first = tmp_path / "first.checkpoint"
    first.write_bytes(checkpoint_path(log).read_bytes())
    with Log(log, "cam1", KEY) as more:
        more.append(Alive("2026-11-21T11"))
    assert ask(checkpoint_path(log), log, "seen.checkpoint") == 0
    split = tmp_path / "split" / "log"
    split.parent.mkdir()
    with Log(split, "cam1", KEY) as made:
        made.append(*(Alive(f"2026-11-21T{hour}") for hour in (10, 12, 13)))
    stranger = tmp_path / "stranger" / "log"
    stranger.parent.mkdir()
    with Log(stranger, "cam1", SigningKey.generate()) as made:
        made.append(Alive("2026-11-21T10"))
    for checkpoint, of, code, why in (
        (first, log, 1, "one with 2 was cosigned before"),
        (checkpoint_path(split), split, 1, "not those that were signed"),
        (checkpoint_path(split), log, 1, "it was cut"),
        (checkpoint_path(stranger), stranger, 1, "not signed by that key"),
        (log, log, 1, "cannot be trusted"),
        (tmp_path / "none", log, 2, "cannot read"),
    ):
        capsys.readouterr()
        assert ask(checkpoint, of) == code, why
        assert why in capsys.readouterr().err
        assert not (tmp_path / "out.checkpoint").exists()


def test_evidence_says_when_a_witness_saw_the_log(
    parties, shot, origin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault, policy = tmp_path / "vault", ["--policy", str(parties.policy)]
    with Keeper(vault, parties.sealing()) as keeper:
        name = keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    court = str(tmp_path / "court.key")
    assert main(["witness", "new", court]) == 0
    kept = str(tmp_path / "kept.checkpoint")
    by = ["--log", str(vault / LOG), "--of", str(parties.camera_pub), "--key", court]
    assert main(["witness", "cosign", str(checkpoint_path(vault / LOG)), *by, "-o", kept]) == 0
    warrant = str(tmp_path / "w.json")
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub), *policy]
    new += ["--from", format_time(utc_now() - timedelta(hours=1))]
    new += ["--to", format_time(utc_now() + timedelta(hours=1)), "-o", warrant]
    assert main([*new, "--investigator", recipient]) == 0
    for signer in ("judge", "police"):
        key = ["--key", str(parties.key(signer))]
        assert main(["warrant", "sign", warrant, *policy, *key]) == 0
    under, request = ["--warrant", warrant, *policy], str(tmp_path / "request.zip")
    assert main(["open", str(vault / name), *under, "--request", request]) == 0
    answers = []
    for role, own in (
        ("authority", ["--key", str(parties.key("judge"))]),
        ("authority", ["--key", str(parties.key("police"))]),
        ("custodian", ["--keys", str(parties.custodian)]),
    ):
        file = str(tmp_path / f"{len(answers)}.answer")
        log = ["--log", str(tmp_path / f"{len(answers)}.log")]
        assert main([role, "answer", request, *under, *own, *log, "-o", file]) == 0
        answers += ["--answer", file]
    export = ["evidence", "export", str(vault / name), *under, *answers]
    export += ["--identity", str(parties.investigator)]
    for output, options, code in (("with", ["--checkpoint", kept], 0), ("without", [], 2)):
        case = str(tmp_path / f"{output}.zip")
        assert main([*export, *options, "-o", case]) == 0
        capsys.readouterr()
        verify = ["evidence", "verify", case, "--witness", str(tmp_path / "court.pub")]
        assert main(verify) == code
        out, err = capsys.readouterr()
        assert ("as court has witnessed" in out) == (code == 0)
        assert ("not cosigned by the witness court" in err) == (code == 2)
