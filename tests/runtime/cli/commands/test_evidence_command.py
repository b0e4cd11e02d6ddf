"""`sealshot evidence`: what a court gets, and what it finds when somebody had a hand in it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from court import World

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.container import HEADER, SIGNATURE, read_container, write_container
from sealshot.runtime.seal.container import SUMS as SUM
from sealshot.runtime.seal.custody import write_page
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.evidence import SUMS, check_evidence
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.proof import parse_proof
from sealshot.runtime.seal.times import epoch_of, format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG

HOUR = timedelta(hours=1)
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def case(court: World) -> Path:
    """Evidence of two of the four shots."""
    file, shots = court.folder / "case.zip", court.shots[1:3]
    assert court.export(file, *shots, answers=court.answers("two", *shots)) == 0
    return file


@pytest.fixture
def members(case: Path) -> Members:
    return read_zip(case.read_bytes(), limit=100)


def sums_of(members: Members) -> bytes:
    others = {name: data for name, data in members.items() if name != SUMS}
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in others.items())
    return "".join(lines).encode()


def wrong(members: Members, *, sums: bool = True) -> dict[str, str]:
    """What is found, once whoever altered it has written the sums anew."""
    if sums:
        members = members | {SUMS: sums_of(members)}
    return {one.member: one.what for one in check_evidence(write_zip(members)).wrong}


def test_a_court_checks_it_with_public_keys_only(
    case: Path, court: World, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    alone = tmp_path / "case.zip"
    alone.write_bytes(case.read_bytes())
    keys = ["--policy", str(court.policy), "--camera", str(court.camera)]
    capsys.readouterr()
    assert main(["evidence", "verify", str(alone), *keys]) == 0
    out, err = capsys.readouterr()
    assert "case 2026-117, signed by judge, police; released by judge at" in out
    assert all(shot.stem in out for shot in court.shots[1:3])
    assert "2 shots: all of it is what was sealed" in out
    assert err == ""
    assert main(["evidence", "verify", str(alone), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "not checked" in err
    told = json.loads(out)
    assert told["ok"] is True
    assert [one["id"] for one in told["exhibits"]] == [shot.stem for shot in court.shots[1:3]]
    assert list(tmp_path.iterdir()) == [alone]


def test_it_shows_its_shots_and_no_other(members: Members, case: Path, court: World) -> None:
    key = read_party(court.camera, "camera").verify_key
    for shot in court.shots[1:3]:
        assert members[f"shots/{shot.stem}.sealed"] == shot.read_bytes()
        assert members[f"shots/{shot.stem}.jpg"].startswith(b"\xff\xd8\xff")
        checkpoint, entry = parse_proof(members[f"shots/{shot.stem}.tlog-proof"]).verify(key)
        assert entry.event == "sealed"
        assert checkpoint.size == len((court.vault / LOG).read_bytes().splitlines())
    data = case.read_bytes()
    for other in (court.shots[0], court.shots[3]):
        assert other.stem.encode() not in data
    for secret in (b"SECRET-KEY", b"SIGNING-KEY"):
        assert secret not in data
    assert case.stat().st_mode & 0o777 == 0o600


def test_the_page_tells_the_chain_of_custody(members: Members, court: World) -> None:
    page = members["index.html"].decode()
    for shot in court.shots[1:3]:
        assert hashlib.sha256(shot.read_bytes()).hexdigest() in page
        assert f'src="shots/{shot.stem}.jpg"' in page
    for word in ("2026-117", "judge", "police", "custodian", "by the camera", "Preserved"):
        assert word.replace("by the camera", "by camera") in page
    assert "<script" not in page


def test_the_page_tells_which_key_signed_and_what_is_known_of_its_end(members: Members) -> None:
    account = check_evidence(write_zip(members)).account
    assert account
    first = account.exhibits[0]
    container = read_container(members[f"shots/{first.header.id}.sealed"])
    assert first.signed_on == first.checkpoint.day == container.signed_on
    page = members["index.html"].decode()
    assert f"with its key of {first.signed_on}, which counts for nothing of a day before" in page
    assert "destroyed after its day is not shown here" in page
    later = replace(first, checkpoint=replace(first.checkpoint, day="2999-01-01"))
    old = replace(first, signed_on="")
    page = write_page(replace(account, exhibits=(later, old)))
    assert "it had gone on to that of 2999-01-01, and destroyed this one" in page
    assert "with its one key for all days" in page


def test_each_flipped_bit_is_named(case: Path, members: Members) -> None:
    """One in each part, at its beginning, in its middle and at its end; and around the parts."""
    data = case.read_bytes()
    for name, part in members.items():
        start = data.index(name.encode() + part) + len(name)
        for at in {0, len(part) // 3, len(part) // 2, len(part) - 1}:
            flipped = bytearray(data)
            flipped[start + at] ^= 1 << at % 8
            found = check_evidence(bytes(flipped)).wrong
            assert [one.member for one in found] == [name], (name, at)
    for at in [*range(0, 30, 3), *range(len(data) - 200, len(data), 7)]:
        flipped = bytearray(data)
        flipped[at] ^= 1
        assert check_evidence(bytes(flipped)).wrong, at
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        assert check_evidence(data[:cut]).wrong


def test_who_writes_the_sums_anew_is_found(members: Members, case: Path) -> None:
    """What each part says, but `evidence.json`, is signed or follows from what is."""
    assert wrong(members) == {}
    for name, part in members.items():
        if name in (SUMS, "evidence.json"):
            continue
        for at in {len(part) // 3, len(part) // 2}:
            altered = bytearray(part)
            altered[at] ^= 1
            assert wrong(members | {name: bytes(altered)}), name
    picture = next(name for name in members if name.endswith(".jpg"))
    assert wrong(members | {picture: members[picture] + b"x"}) == {
        picture: "it is not what was in the sealed shot"
    }
    page = members["index.html"].replace(b"judge", b"nobody")
    assert list(wrong(members | {"index.html": page})) == ["index.html"]
    assert list(wrong(members, sums=True) | wrong(members | {"more": b""})) == ["more"]
    assert wrong({**members, SUMS: b""}, sums=False) == {
        SUMS: "it does not have the hashes of the parts"
    }
    for name in members:
        less = {other: part for other, part in members.items() if other != name}
        assert wrong(less, sums=name != SUMS), name
    about = members["evidence.json"].replace(b'"sealshot":"', b'"sealshot":"9')
    other = members | {"index.html": page, "evidence.json": about}
    checked = check_evidence(write_zip(other | {SUMS: sums_of(other)}))
    assert (checked.wrong, checked.page_checked) == ([], False)  # and the command tells


def test_who_stole_the_camera_later_cannot_have_made_it(members: Members, parties) -> None:
    """The same parts, signed with the key of the day after the one that they are of."""
    keys = DayKeys(parties.camera_policy.parent)
    for name, data in members.items():
        if name.endswith(".sealed"):
            container = read_container(data)
            of, last = container.signed_on, utc_now() + timedelta(9)
            keys.turn(epoch_of(last, "day"))
            parts = {n: p for n, p in container.parts.items() if n not in (HEADER, SUM, SIGNATURE)}
            forged = write_container(container.header, parts, keys)
            [(part, what)] = wrong(members | {name: forged}).items()
            assert part == name
            assert f"is signed by the camera's key of {keys.day}, when" in what
            assert of < keys.day


def test_parts_of_another_case_do_not_fit(court: World, members: Members, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    shot = court.shots[0]
    assert court.export(other, shot, answers=court.answers("other", shot)) == 0
    foreign = read_zip(other.read_bytes(), limit=100)
    first, second = (f"shots/{shot.stem}" for shot in court.shots[1:3])
    swapped = members | {
        f"{first}.tlog-proof": members[f"{second}.tlog-proof"],
        f"{second}.tlog-proof": members[f"{first}.tlog-proof"],
    }
    assert list(wrong(swapped)) == [f"{first}.tlog-proof", f"{second}.tlog-proof"]
    answer = next(name for name in foreign if name.startswith("answers/"))
    found = wrong(members | {answer: foreign[answer]})
    assert "secrets of 1 shot not among these" in found[answer]
    unsigned = json.loads(members["warrant.json"])
    unsigned["signatures"].pop()
    found = wrong(members | {"warrant.json": json.dumps(unsigned).encode()})
    assert "signed by 1 of the 2" in found["warrant.json"]


def test_what_would_not_stand_is_not_written(
    court: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, shot = tmp_path / "case.zip", court.shots[0]
    many, one = court.answers("many", *court.shots), court.answers("one", shot)
    late = tmp_path / "elsewhere" / shot.parent.name
    late.mkdir(parents=True)
    (late / shot.name).write_bytes(shot.read_bytes())
    text = tmp_path / "text"
    text.write_text("x")
    for why, given in {
        "secrets of 3 shots not among these": ([shot], many, ()),
        "1 of the 2 authorities": ([shot], one[2:], ()),
        "the custodian (custodian) has not answered": ([shot], one[:4], ()),
        "there is no log": ([late / shot.name], one, ()),
        "the checkpoint cannot be trusted": ([shot], one, ("--checkpoint", str(text))),
        "there is no sealed object": ([tmp_path / "elsewhere" / "none"], one, ()),
    }.items():
        shots, answers, options = given
        if "none" in str(shots[0]):
            shots[0].mkdir()
        capsys.readouterr()
        assert court.export(output, *shots, answers=answers, options=options) in (1, 2), why
        assert why in capsys.readouterr().err
        assert not output.exists()
    log = ("--log", str(court.vault / LOG))
    assert court.export(output, late / shot.name, answers=one, options=log) == 0
    assert court.export(output, shot, answers=one) == 2  # not overwritten
    assert "exists" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing(
    court: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    answers = court.answers("disk", court.shots[0])
    monkeypatch.chdir(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    capsys.readouterr()
    assert court.export(tmp_path / "case.zip", court.shots[0], answers=answers) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_kept_checkpoint_proves_it(
    parties, court: World, shot, origin, tmp_path: Path
) -> None:
    kept = []
    for number in range(2):
        kept += ["--checkpoint", str(tmp_path / f"{number}.checkpoint")]
        note = checkpoint_path(court.vault / LOG).read_bytes()
        (tmp_path / f"{number}.checkpoint").write_bytes(note)
        with Keeper(court.vault, parties.sealing()) as keeper:
            keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    output, one = tmp_path / "case.zip", court.shots[0]
    assert court.export(output, one, answers=court.answers("k", one), options=tuple(kept)) == 0
    members = read_zip(output.read_bytes(), limit=100)
    proof = parse_proof(members[f"shots/{one.stem}.tlog-proof"])
    assert proof.note == (tmp_path / "0.checkpoint").read_bytes()
    key = read_party(court.camera, "camera").verify_key
    assert proof.verify(key)[0].size == parse_checkpoint(proof.note, key).size
    assert check_evidence(output.read_bytes()).wrong == []


def test_other_keys_than_those_given_are_named(
    case: Path, classical_parties, capsys: pytest.CaptureFixture[str]
) -> None:
    camera, policy = str(classical_parties.camera_pub), str(classical_parties.policy)
    assert main(["evidence", "verify", str(case), "--camera", camera, "--policy", policy]) == 2
    told = capsys.readouterr().err
    assert "another policy than the one given" in told
    assert "another key than those given" in told


def test_what_is_no_evidence_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (b"", b"x", write_zip({}), write_zip({"a": b""}), b"PK\x03\x04" * 100):
        (tmp_path / "x.zip").write_bytes(content)
        assert main(["evidence", "verify", str(tmp_path / "x.zip")]) == 2
        assert "Traceback" not in capsys.readouterr().err
    assert main(["evidence", "verify", str(tmp_path / "none.zip")]) == 2
