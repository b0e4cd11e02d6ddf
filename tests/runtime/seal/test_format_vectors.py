"""The vectors of tests/data/seal: for us, a reader made from FORMAT.md, and stock programs."""

from __future__ import annotations

import base64
import hashlib
import json
import runpy
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from whole_log import verify_log

from sealshot.runtime.age import age
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.ceremony import open_with_answers, read_answer, read_request
from sealshot.runtime.seal.checkpoint import parse_checkpoint
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.cosign import cosigned
from sealshot.runtime.seal.entries import Sealed
from sealshot.runtime.seal.envelope import unseal
from sealshot.runtime.seal.epochs import parse_epoch_key
from sealshot.runtime.seal.evidence import check_evidence
from sealshot.runtime.seal.keys import PrivateKey, parse_identity
from sealshot.runtime.seal.log_lines import entries_of, lines_of
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.payload import unpack
from sealshot.runtime.seal.policy import Policy, parse_policy
from sealshot.runtime.seal.proof import parse_proof
from sealshot.runtime.seal.quorum import open_epoch, open_share, payload_identity
from sealshot.runtime.seal.shamir import combine
from sealshot.runtime.seal.signing import SigningKey, parse_signing_key, parse_verify_key
from sealshot.runtime.seal.warrant import Warrant, check_warrant, parse_warrant

VECTORS = Path(__file__).parents[2] / "data" / "seal"
KINDS = ("classical", "hybrid", "days")
NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
AUTHORITIES = ("judge", "police", "ombudsman")
ANSWERS = ("judge", "police", "custodian")
PAYLOAD = (VECTORS / "payload.zip").read_bytes()


def vector(kind: str, name: str) -> bytes:
    return (VECTORS / kind / name).read_bytes()


def facts(kind: str) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(vector(kind, "facts.json"))
    return known


def policy_and_warrant(kind: str) -> tuple[Policy, Warrant]:
    return parse_policy(vector(kind, "policy.toml")), parse_warrant(vector(kind, "warrant.json"))


def test_the_other_reader_is_another(other) -> None:
    lines = [line for path in other.paths for line in path.read_text().splitlines()]
    imports = [line for line in lines if line.lstrip().startswith(("import ", "from "))]
    assert len(imports) > 10
    assert not [line for line in imports if "sealshot" in line or "age" in line.split()]


@pytest.mark.parametrize("kind", KINDS)
def test_we_open_the_vectors(kind: str) -> None:
    known = facts(kind)
    policy, warrant = policy_and_warrant(kind)
    check_warrant(warrant, policy, NOW)
    assert (policy.digest, warrant.digest) == (known["policy_sha256"], known["warrant_sha256"])
    container = read_container(vector(kind, "shot.sealed"))
    assert container.header.digest.hex() == known["header_sha256"]
    (asked,) = read_request(vector(kind, "request.zip"))
    assert (asked.header, asked.payload) == (container.header, None)
    me = parse_identity(known["identities"]["investigator"])
    answers = [read_answer(vector(kind, f"{n}.answer"), warrant, policy, [me]) for n in ANSWERS]
    assert open_with_answers(container, warrant, policy, answers) == unpack(PAYLOAD)
    assert unseal(vector(kind, "alone.age"), [me]) == unpack(PAYLOAD)
    key = parse_epoch_key(vector(kind, "2026-11-21.json"), policy, "2026-11-21")
    assert str(key.recipient) == known["recipients"]["epoch"]
    camera = read_party(VECTORS / kind / "cam1.pub", "camera")
    assert warrant.cameras == (camera,)


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_between_are_those_of_the_vectors(kind: str) -> None:
    known = facts(kind)
    identities = {name: parse_identity(text) for name, text in known["identities"].items()}
    for name, identity in identities.items():
        assert str(identity.recipient) == known["recipients"][name]
    for name in AUTHORITIES:
        derived = SigningKey.of_authority(identities[name])
        assert derived == parse_signing_key(known["signing_keys"][name])
    container = read_container(vector(kind, "shot.sealed"))
    shares = [open_share(container, name, identities[name]) for name in AUTHORITIES]
    assert [share.hex() for share in shares] == list(known["shares"].values())
    for chosen in (shares[:2], shares[1:], [shares[2], shares[0]], shares):
        assert combine(chosen).hex() == known["quorum_secret"]
    epoch_secret = open_epoch(container, identities["epoch"])
    assert epoch_secret.hex() == known["epoch_secret"]
    key = payload_identity(combine(shares), epoch_secret, container.header)
    assert key.secret_text() == known["identities"]["payload"]
    assert hashlib.sha256(PAYLOAD).hexdigest() == known["payload_sha256"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_file_is_signed_as_the_format_says(kind: str, other) -> None:
    lines = vector(kind, "cam1.pub").decode().splitlines()
    values = {name: text.strip('"') for name, text in (line.split(" = ") for line in lines)}
    proof = base64.b64decode(values.pop("proof"), validate=True)
    other.verify(values["verify_key"], proof, b"sealshot/pub/1\n" + other.canonical(values))


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_made_from_the_format_alone_opens_them(kind: str, other) -> None:
    known = facts(kind)
    opened = other.open_shot(
        vector(kind, "shot.sealed"),
        vector(kind, "policy.toml"),
        vector(kind, "warrant.json"),
        [vector(kind, f"{name}.answer") for name in ANSWERS],
        known["identities"]["investigator"],
        "2026-11-21T12:00:00Z",
    )
    assert opened == PAYLOAD
    me = other.read_identity(known["identities"]["investigator"])
    assert other.age_open(vector(kind, "alone.age"), me) == PAYLOAD
    policy, digest = other.read_policy(vector(kind, "policy.toml"))
    assert digest == known["policy_sha256"]
    body, _, signers = other.read_document(vector(kind, "2026-11-21.json"), "sealshot/epoch-key/1")
    assert signers == {policy["custodian"]["verify_key"]}
    assert body["recipient"] == known["recipients"]["epoch"]
    (name, asked), *more = other.read_zip(vector(kind, "request.zip")).items()
    camera_key = known["signing_keys"]["camera"]
    header, members = other.read_container(asked, str(parse_signing_key(camera_key).verify_key))
    assert (name, more) == (f"{header['id']}.sealed", [])
    for number, authority in enumerate(AUTHORITIES, 1):
        identity = known["identities"][authority]
        member = f"share-{number}.age"
        share = other.open_member(members, member, other.read_identity(identity))
        other.check_share(header, number, share)
        assert share.hex() == known["shares"][authority]
        key = policy["authorities"][number - 1]["verify_key"]
        assert other.authority_verify_key(identity) == parse_verify_key(key).key


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_reader_refuses_what_was_changed(kind: str, other) -> None:
    sealed = vector(kind, "shot.sealed")
    key = json.loads(other.read_zip(sealed)["header.json"])["camera_key"]
    other.read_container(sealed, key)
    for at in range(0, len(sealed), 97):
        flipped = bytearray(sealed)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(Exception):  # noqa: B017, PT011
            other.read_container(bytes(flipped), key)


def test_the_log(other) -> None:
    known = json.loads((VECTORS / "log-facts.json").read_bytes())
    data = (VECTORS / "log").read_bytes()
    notes = [(VECTORS / f"log.{n}").read_bytes() for n in ("early-checkpoint", "checkpoint")]
    key = parse_verify_key(known["verify_key"])
    tree = verify_log(data, known["name"], key, notes)
    assert (tree.size, tree.root.hex()) == (known["size"], known["root"])
    entries = other.read_log(data, known["name"], known["verify_key"], notes)
    assert [entry["event"] for entry in entries] == [
        "sealed",
        "sealed",
        "uploaded",
        *["purged"] * 2,
    ]
    assert other.root(data.split(b"\n")[:-1]).hex() == known["root"]
    with pytest.raises(ValueError, match="changed"):
        other.read_log(b"".join(data.splitlines(keepends=True)[:4]), "cam1", str(key), notes)


def test_the_log_of_a_camera_with_a_key_a_day(other) -> None:
    data = vector("days", "log")
    notes = [vector("days", f"log.{n}") for n in ("early-checkpoint", "checkpoint", "cosigned")]
    camera = read_party(VECTORS / "days" / "cam1.pub", "camera")
    tree = verify_log(data, "cam1", camera.verify_key, notes)
    entries = list(entries_of(lines_of(data)))
    assert tree.size == len(entries) == 19
    assert {entry.event for entry in entries} == {
        *("started", "alive", "sealed", "purged", "uploaded", "stopped", "key-changed"),
        *("hold-placed", "hold-stands", "hold-ended", "policy-changed", "erasure-placed"),
    }
    read = other.read_log(data, "cam1", str(camera.verify_key), notes[:2])
    assert [entry["event"] for entry in read] == [entry.event for entry in entries]
    court = read_party(VECTORS / "days" / "court.pub", "witness")
    assert court.mldsa_key
    seen = {"court": datetime(2026, 11, 21, 10, 20, 30, tzinfo=timezone.utc)}
    assert cosigned(notes[2], [court]) == seen
    early, late = (parse_checkpoint(note, camera.verify_key) for note in notes[:2])
    assert (early.day, late.day) == ("2026-11-21", "2026-11-22")
    checkpoint, entry = parse_proof(vector("days", "shot.tlog-proof")).verify(camera.verify_key)
    assert checkpoint == early
    assert isinstance(entry, Sealed)
    assert entry.sha256 == hashlib.sha256(vector("days", "shot.sealed")).hexdigest()


def test_evidence_that_was_exported_stays_evidence() -> None:
    checked = check_evidence(vector("days", "evidence.zip"))
    assert checked.wrong == []
    assert checked.account
    [exhibit] = checked.account.exhibits
    assert exhibit.opened == unpack(PAYLOAD)
    assert exhibit.header.format == 4
    assert exhibit.sha256 == hashlib.sha256(vector("days", "shot.sealed")).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_stock_programs_open_the_vectors(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """`unzip`, `sha256sum` and `age`; by hand, only the secret is put together."""
    stock_age = request.getfixturevalue("hybrid_age" if kind == "hybrid" else "stock_age")
    if shutil.which("unzip") is None:
        pytest.skip("`unzip` is not installed (apt-get install unzip)")
    known = facts(kind)
    subprocess.run(["unzip", "-q", VECTORS / kind / "shot.sealed"], cwd=tmp_path, check=True)
    subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True
    )

    def opened(part: str, owner: str) -> bytes:
        (tmp_path / "key").write_text(known["identities"][owner])
        plain: bytes = stock_age("age", "-d", "-i", tmp_path / "key", tmp_path / part)
        return plain

    head = b"\x01" + bytes.fromhex(known["header_sha256"])
    for number, name in enumerate(AUTHORITIES, 1):
        assert opened(f"share-{number}.age", name) == head + bytes.fromhex(known["shares"][name])
    assert opened("epoch.age", "epoch") == head + bytes.fromhex(known["epoch_secret"])
    assert opened("payload.age", "payload") == PAYLOAD
    assert opened(str(VECTORS / kind / "alone.age"), "investigator") == PAYLOAD


def test_stock_age_opens_each_part_of_what_is_sealed_today(
    hybrid_age, world, sealed: bytes, tmp_path: Path
) -> None:
    container, members = read_container(sealed), read_zip(sealed, limit=20)
    assert container.header.format == 4

    def opened(part: str, key: PrivateKey) -> bytes:
        (tmp_path / "key").write_text(key.secret_text())
        plain: bytes = hybrid_age("age", "-d", "-i", tmp_path / "key", stdin=members[part])
        return plain.removeprefix(b"\x01" + container.header.digest)

    names = [authority.name for authority in world.policy.authorities]
    shares = [opened(f"share-{n}.age", world.identities[name]) for n, name in enumerate(names, 1)]
    key = payload_identity(
        combine(shares[1:]), opened("epoch.age", world.epoch_identity), container.header
    )
    assert unpack(opened("payload.age", key)).metadata.track == 3


def test_npm_opens_the_hybrid_vector(npm_peer) -> None:
    known = facts("hybrid")
    members = read_zip(vector("hybrid", "shot.sealed"), limit=20)
    parts = {f"share-{n}.age": name for n, name in enumerate(AUTHORITIES, 1)}
    parts |= {"epoch.age": "epoch", "payload.age": "payload"}
    shares = [base64.b64encode(bytes.fromhex(s)).decode() for s in known["shares"].values()]
    *opened, secret = npm_peer(
        *(
            {"op": "decrypt", "identity": known["identities"][owner], "data": members[part]}
            for part, owner in parts.items()
        ),
        {"op": "combine", "shares": shares[1:]},
    )
    plains = [base64.b64decode(answer) for answer in opened]
    assert [plain[33:].hex() for plain in plains[:3]] == list(known["shares"].values())
    assert plains[3][33:].hex() == known["epoch_secret"]
    assert plains[4] == PAYLOAD
    assert base64.b64decode(secret).hex() == known["quorum_secret"]


def test_the_vectors_come_out_the_same_again(tmp_path: Path) -> None:
    runpy.run_path(str(VECTORS / "make_vectors.py"))["write_all"](tmp_path)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(made) == 3 * 11 + 4 + 9
    drawn = (".age", ".answer", ".sealed", ".zip")
    for name, path in made.items():
        kept = VECTORS / name
        if name.name == "evidence.zip":  # it names the version of sealshot that exported
            assert kept.is_file()
        elif name.suffix == ".cosigned" or (name.parts[0] == "hybrid" and name.suffix in drawn):
            assert path.stat().st_size == kept.stat().st_size  # ML-KEM, ML-DSA draw randomness
        else:
            assert path.read_bytes() == kept.read_bytes(), name
    for kind in KINDS:
        key = parse_identity(facts(kind)["identities"]["investigator"])
        assert age.decrypt((tmp_path / kind / "alone.age").read_bytes(), [key]) == PAYLOAD


def test_the_archive_is_that_of_the_format(other) -> None:
    members = {"a": b"", "b.age": b"one", "SHA256SUMS": bytes(300)}
    for count in range(4):
        some = dict(list(members.items())[:count])
        assert write_zip(some) == other.exact_zip(some)
        assert read_zip(write_zip(some), limit=3) == some
    with pytest.raises(ValueError, match="more than a ZIP holds"):
        write_zip({str(number): b"" for number in range(65_536)})
