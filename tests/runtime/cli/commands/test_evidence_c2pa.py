"""C2PA manifests beside the pictures of evidence, as the library of C2PA itself reads them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from court import World
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal import c2pa as ours
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.evidence import SUMS, check_evidence

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def answers(court: World) -> list[str]:
    return court.answers("c2pa", *court.shots[1:3])


@pytest.fixture(scope="module")
def members(court: World, answers: list[str]) -> Members:
    file = court.folder / "manifests.zip"
    assert court.export(file, *court.shots[1:3], answers=answers, options=("--c2pa",)) == 0
    return read_zip(file.read_bytes(), limit=100)


def _pem(*, usage: bool = True, encrypted: bool = False, other: bool = False) -> bytes:
    """A key on P-256 and its certificate, as an organisation has them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A court"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Exhibits office"),
        ]
    )
    now = datetime.now(timezone.utc)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A root")])
    root = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    made = made.add_extension(x509.BasicConstraints(False, None), critical=True)
    bits = (True, False, False, False, False, False, False, False, False)
    made = made.add_extension(x509.KeyUsage(*bits), critical=True)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    made = made.add_extension(authority, critical=False)
    if usage:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purposes, critical=False)
    certificate = made.sign(root, hashes.SHA256())
    lock = serialization.BestAvailableEncryption(b"x") if encrypted else None
    private = (ed25519.Ed25519PrivateKey.generate() if other else key).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        lock or serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _wrong(members: Members) -> dict[str, str]:
    others = {name: data for name, data in members.items() if name != SUMS}
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in others.items())
    whole = write_zip(others | {SUMS: "".join(lines).encode()})
    return {one.member: one.what for one in check_evidence(whole).wrong}


def test_the_library_of_c2pa_takes_it(members: Members, court: World) -> None:
    assert _wrong(members) == {}
    for shot in court.shots[1:3]:
        picture, manifest = (members[f"shots/{shot.stem}.{end}"] for end in ("jpg", "c2pa"))
        assert len(manifest) < 6_000  # c2pa puts a picture of 1024 px into it unless told not to
        with c2pa.Reader("image/jpeg", io.BytesIO(picture), manifest) as reader:
            assert reader.get_validation_state() == "Valid"
            failed = reader.get_validation_results()["activeManifest"]["failure"]
            read = json.loads(reader.json())
        assert [one["code"] for one in failed] == ["signingCredential.untrusted"]
        active = read["manifests"][read["active_manifest"]]
        assert active["claim_generator_info"][0]["name"] == "sealshot"
        assert "thumbnail" not in active
        said = {one["label"]: one["data"] for one in active["assertions"]}
        about = json.loads(members[f"shots/{shot.stem}.json"])
        [action] = said["c2pa.actions.v2"]["actions"]
        assert (action["action"], action["when"]) == ("c2pa.created", about["utc"])
        sealed = members[f"shots/{shot.stem}.sealed"]
        assert said["sealshot.shot"]["sealed_sha256"] == hashlib.sha256(sealed).hexdigest()
        assert said["sealshot.shot"]["log_checkpoint"].startswith("sealshot/cam1\n")
        with c2pa.Reader("image/jpeg", io.BytesIO(picture + b"\0"), manifest) as reader:
            assert reader.get_validation_state() == "Invalid"


def test_the_picture_is_what_was_sealed(members: Members, court: World, answers: list[str]) -> None:
    plain = court.folder / "plain.zip"
    assert court.export(plain, *court.shots[1:3], answers=answers) == 0
    without = read_zip(plain.read_bytes(), limit=100)
    ours_alone = members.keys() - without.keys()
    assert ours_alone == {f"shots/{shot.stem}.c2pa" for shot in court.shots[1:3]}
    kept = {name for name in without if name.endswith((".jpg", ".sealed"))}
    assert {name: members[name] for name in kept} == {name: without[name] for name in kept}


def test_what_was_altered_is_named(members: Members, court: World) -> None:
    first, second = (f"shots/{shot.stem}.c2pa" for shot in court.shots[1:3])
    data = members[first]
    for at in range(0, len(data), len(data) // 23):
        flipped = members | {first: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}
        [wrong] = check_evidence(write_zip(flipped)).wrong
        assert wrong.member == first
        # a third of it, padding and lengths, is signed by nobody: with new sums that passes
        assert _wrong(flipped).keys() <= {first}
    said = data.index(b"sealed_sha256")
    assert _wrong(members | {first: data[:said] + b"S" + data[said + 1 :]}).keys() == {first}
    assert _wrong(members | {first: b"", second: members[second]}).keys() == {first}
    swapped = _wrong(members | {first: members[second], second: members[first]})
    assert swapped.keys() == {first, second}
    stranger = "shots/" + "0" * 32 + ".c2pa"
    assert _wrong(members | {stranger: data}) == {stranger: "it does not belong here"}


def test_a_manifest_that_says_something_else_is_named(
    members: Members, court: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valid, of the same picture, and signed: by whoever made it up."""
    others = {name: data for name, data in members.items() if not name.endswith(".c2pa")}
    account = check_evidence(write_zip(members)).account
    assert account is not None
    exhibit = account.exhibits[0]
    real = ours._assertion
    monkeypatch.setattr(ours, "_assertion", lambda one: real(one) | {"taken": "2020-01-01T00:00Z"})
    forged = ours.write_manifest(exhibit, ours.one_time_credential())
    monkeypatch.undo()
    name = f"shots/{exhibit.header.id}.c2pa"
    assert _wrong(others | {name: forged}) == {name: "it says something else than the evidence"}


def test_a_certificate_of_ones_own(
    court: World, answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pem, file = tmp_path / "court.pem", tmp_path / "case.zip"
    pem.write_bytes(_pem())
    assert court.export(file, *court.shots[1:3], answers=answers, options=("--c2pa", str(pem))) == 0
    capsys.readouterr()
    assert main(["evidence", "verify", str(file)]) == 0
    assert (
        "C2PA: 2 manifests valid, signed by Exhibits office, A court (whom C2PA's list of trust"
        in capsys.readouterr().out
    )
    assert main(["evidence", "verify", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["c2pa"]
    assert set(map(str, told.values())) == {
        "{'signer': 'Exhibits office, A court', 'trusted': False}"
    }


def _unknown_curve() -> bytes:
    """A key of a curve by an OID that stands for none, before a certificate."""
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(*form, serialization.NoEncryption())
    oid = bytes.fromhex("2a8648ce3d0301")
    body = base64.encodebytes(der.replace(oid + b"\x07", oid + b"\x7f"))
    mark = b"-----%s PRIVATE KEY-----\n"
    return mark % b"BEGIN" + body + mark % b"END" + _pem()


UNFIT = {
    "of no curve": (_unknown_curve(), "C2PA does not sign with such a key"),
    "nothing": (b"", "no PEM file with a private key"),
    "no PEM": (b"sealshot", "no PEM file with a private key"),
    "no key": (_pem().partition(b"-----BEGIN CERT")[2], "no PEM file with a private key"),
    "no certificate": (_pem().partition(b"-----BEGIN CERT")[0], "no PEM file with a private key"),
    "a passphrase": (_pem(encrypted=True), "no PEM file with a private key"),
    "of another key": (_pem(other=True), "its first certificate is of another key"),
    "for nothing": (_pem(usage=False), "c2pa-python does not sign with this certificate"),
}


@pytest.mark.parametrize(("data", "fact"), UNFIT.values(), ids=UNFIT.keys())
def test_what_cannot_sign_is_told(
    data: bytes, fact: str, court: World, answers: list[str], tmp_path: Path, capsys
) -> None:
    pem, file = tmp_path / "court.pem", tmp_path / "case.zip"
    pem.write_bytes(data)
    assert court.export(file, *court.shots[1:3], answers=answers, options=("--c2pa", str(pem))) == 2
    assert fact in capsys.readouterr().err
    assert not file.exists()


def test_without_the_package(
    members: Members, court: World, answers: list[str], tmp_path: Path, monkeypatch, capsys
) -> None:
    file = tmp_path / "case.zip"
    file.write_bytes(write_zip(members))
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda _name: None)
    assert main(["evidence", "verify", str(file)]) == 0
    assert "its C2PA manifests are not checked: pip install" in capsys.readouterr().err
    more = tmp_path / "more.zip"
    assert court.export(more, *court.shots[1:3], answers=answers, options=("--c2pa",)) == 2
    assert "pip install 'sealshot[c2pa]'" in capsys.readouterr().err
    assert not more.exists()
