"""Warrants signed by too few, altered, replayed, expired: also through the command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.archive import write_zip
from sealshot.runtime.seal.ceremony import read_answer, write_request
from sealshot.runtime.seal.container import strip
from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import RefusedError, Warrant, check_warrant, parse_warrant
from sealshot.runtime.vault.keeper import Keeper

EVERYBODY = ["judge", "police", "ombudsman", "custodian"]
HOUR = timedelta(hours=1)


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "too-few-signatures": (("judge",), {}),
    "expired": (("judge", "police"), {"validity": (-3, -1)}),
    "not-yet-valid": (("judge", "police"), {"validity": (1, 2)}),
    "other-purpose": (("judge", "police"), {"purpose": "hold"}),
    "other-policy": (("judge", "police"), {"policy": "other"}),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_warrant_that_is_not_in_force(reason: str, world) -> None:
    signers, changes = REFUSALS[reason]
    now = utc_now().replace(microsecond=0)
    if "validity" in changes:
        start, end = changes["validity"]
        changes = {"validity": (now + timedelta(hours=start), now + timedelta(hours=end))}
    if "policy" in changes:
        changes = {"policy": dataclasses.replace(world.policy, quorum=1)}
    with pytest.raises(RefusedError) as caught:
        check_warrant(world.warrant(*signers, **changes), world.policy, now)
    assert caught.value.reason == reason


def test_signatures_that_do_not_count(world) -> None:
    warrant = world.warrant("judge")
    twice = parse_warrant(
        warrant.document.signed(SigningKey.of_authority(world.identities["judge"])).encode()
    )
    with pytest.raises(RefusedError, match="1 of the 2"):
        check_warrant(twice, world.policy, utc_now())
    stranger = parse_warrant(warrant.document.signed(SigningKey.generate()).encode())
    with pytest.raises(RefusedError) as caught:
        check_warrant(stranger, world.policy, utc_now())
    assert caught.value.reason == "foreign-signature"
    custodian = parse_warrant(warrant.document.signed(world.custodian_key).encode())
    with pytest.raises(RefusedError):
        check_warrant(custodian, world.policy, utc_now())


def test_each_field_of_a_signed_warrant_is_covered(world) -> None:
    warrant = world.warrant("judge", "police")
    others = {
        "id": "0" * 32,
        "case": "another",
        "purpose": "hold",
        "policy": "0" * 64,
        "cameras": [{"name": "cam2", "key": str(SigningKey.generate().verify_key)}],
        "from": "2020-01-01T00:00:00Z",
        "to": "2030-01-01T00:00:00Z",
        "issued": "2020-01-01T00:00:00Z",
        "expires": "2030-01-01T00:00:00Z",
        "investigator": str(world.identities["police"].recipient),
        "until": "2030-01-01T00:00:00Z",
    }
    assert others.keys() == warrant.document.body.keys()
    for field, value in others.items():
        body = {**warrant.document.body, field: value}
        altered = parse_warrant(dataclasses.replace(warrant.document, body=body).encode())
        with pytest.raises(RefusedError):
            check_warrant(altered, world.policy, utc_now(), altered.purpose)


def test_flipped_bits_of_a_warrant_are_refused(classical, tally) -> None:
    data = json.dumps(json.loads(classical.warrant("judge", "police").document.encode())).encode()
    for bit in range(0, 8 * len(data), 5):  # each of the eight places in its turn
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            check_warrant(parse_warrant(bytes(flipped)), classical.policy, utc_now())
        except SealError:
            tally.add("each fifth bit flipped of a warrant", False)
            continue
        tally.add("each fifth bit flipped of a warrant", json.loads(flipped) != json.loads(data))


def test_the_scope_is_kept(world, container) -> None:
    now = utc_now().replace(microsecond=0)
    day = timedelta(days=1)
    other = dataclasses.replace(world.camera_party, name="cam2")
    false = dataclasses.replace(world.camera_party, verify_key=SigningKey.generate().verify_key)
    cases = {
        "other-camera": {"cameras": [other]},
        "false-camera": {"cameras": [false]},
        "outside-time": {"period": (now + day, now + 2 * day)},
    }
    for reason, changes in cases.items():
        warrant = world.warrant("judge", "police", **changes)
        with pytest.raises(RefusedError) as caught:
            check_scope(warrant, container, world.policy)
        assert caught.value.reason == reason
        for name in EVERYBODY:
            refusal = world.answer_of(name, [container], warrant).refusals[0]
            assert refusal.reason == reason


def test_a_replayed_warrant(world, container) -> None:
    warrant = world.warrant("judge", "police")
    answer = world.answer_of("judge", [container], warrant, answered=lambda _: True)
    assert not answer.secrets
    assert answer.refusals[0].reason == "replayed"


def _answer(parties, folder: Path, name: str, *options: str) -> tuple[int, Path, Path]:
    """Have a party answer w.json and request.zip of a folder: exit code, its answer, its log."""
    output, log = folder / f"{name}.answer", folder / f"{name}.log"
    key = ["--keys", parties.custodian] if name == "custodian" else ["--key", parties.key(name)]
    role = "custodian" if name == "custodian" else "authority"
    given = [folder / "request.zip", "--warrant", folder / "w.json", "--policy", parties.policy]
    files = ["-o", output, "--log", log]
    code = main([role, "answer", *map(str, (*given, *key, *files)), *options])
    return code, output, log


Make = Callable[..., Warrant]
WRONG: dict[str, Make] = {
    "too-few-signatures": lambda world, now: world.warrant("judge"),
    "foreign-signature": lambda world, now: parse_warrant(
        world.warrant("judge", "police").document.signed(SigningKey.generate()).encode()
    ),
    "altered": lambda world, now: _edited(world.warrant("judge", "police"), case="another"),
    "expired": lambda world, now: world.warrant(
        "judge", "police", validity=(now - 3 * HOUR, now - HOUR)
    ),
    "not-yet-valid": lambda world, now: world.warrant(
        "judge", "police", validity=(now + HOUR, now + 2 * HOUR)
    ),
    "other-purpose": lambda world, now: world.warrant("judge", "police", purpose="hold"),
    "other-policy": lambda world, now: world.warrant(
        "judge", "police", policy=dataclasses.replace(world.policy, quorum=1)
    ),
    "other-camera": lambda world, now: world.warrant(
        "judge", "police", cameras=[dataclasses.replace(world.camera_party, name="cam2")]
    ),
    "false-camera": lambda world, now: world.warrant(
        "judge",
        "police",
        cameras=[
            dataclasses.replace(world.camera_party, verify_key=SigningKey.generate().verify_key)
        ],
    ),
    "outside-time": lambda world, now: world.warrant(
        "judge", "police", period=(now + 24 * HOUR, now + 48 * HOUR)
    ),
}


def _edited(warrant: Warrant, **changes: object) -> Warrant:
    document = warrant.document
    body = {**document.body, **changes}
    return parse_warrant(Document(document.kind, body, document.signatures).encode())


@pytest.mark.parametrize("name", ["judge", "custodian"])
@pytest.mark.parametrize("reason", WRONG)
def test_what_a_wrong_warrant_gets_and_leaves(
    reason: str, name: str, parties, world, container, tally, tmp_path: Path
) -> None:
    """No secret, and a signed entry in the party's log with the reason."""
    warrant = WRONG[reason](world, utc_now().replace(microsecond=0))
    (tmp_path / "w.json").write_bytes(warrant.document.encode())
    (tmp_path / "request.zip").write_bytes(write_request([container]))
    code, output, log = _answer(parties, tmp_path, name)
    assert code == 2
    given = 0
    if output.exists():
        answer = read_answer(output.read_bytes(), warrant, world.policy, [world.investigator])
        given = len(answer.secrets)
        assert [refusal.reason for refusal in answer.refusals] == [reason]
    tally.add("a wrong warrant, through the command line", given)
    by, entry = [json.loads(line.rpartition(b" ")[0]) for line in log.read_bytes().splitlines()]
    assert (by["event"], by["policy"]) == ("policy-changed", world.policy.digest)
    assert (entry["event"], entry["reason"]) == ("refused", reason)
    assert entry["warrant"] == warrant.digest


@pytest.mark.parametrize("name", ["judge", "custodian"])
def test_a_warrant_replayed_through_the_command_line(
    name: str, parties, world, container, tally, tmp_path: Path, capsys
) -> None:
    warrant = world.warrant("judge", "police")
    (tmp_path / "w.json").write_bytes(warrant.document.encode())
    (tmp_path / "request.zip").write_bytes(write_request([container]))

    def secrets(*options: str) -> tuple[int, int]:
        code, output, _ = _answer(parties, tmp_path, name, *options)
        sealed = output.read_bytes()
        output.unlink()
        answer = read_answer(sealed, warrant, world.policy, [world.investigator])
        return code, len(answer.secrets)

    assert secrets() == (0, 1)
    assert "--again" not in capsys.readouterr().err
    code, given = secrets()
    assert code == 2
    assert "--again answers once more" in capsys.readouterr().err
    tally.add("a replayed warrant, through the command line", given)
    assert secrets("--again") == (0, 1)
    events = [
        json.loads(line.rpartition(b" ")[0])["event"]
        for line in (tmp_path / f"{name}.log").read_bytes().splitlines()
    ]
    assert events == ["policy-changed", "answered", "refused", "answered"]


def test_what_is_not_logged_is_not_answered(parties, world, container, tmp_path: Path) -> None:
    warrant = world.warrant("judge", "police")
    (tmp_path / "w.json").write_bytes(warrant.document.encode())
    (tmp_path / "request.zip").write_bytes(write_request([container]))
    (tmp_path / "judge.log").mkdir()
    code, output, _ = _answer(parties, tmp_path, "judge")
    assert code == 1
    assert not output.exists()


def test_an_altered_request_gets_nothing(
    parties, world, container, tally, tmp_path: Path, capsys
) -> None:
    warrant = world.warrant("judge", "police")
    (tmp_path / "w.json").write_bytes(warrant.document.encode())
    stripped = strip(container)
    header = container.header
    other_camera = stripped.replace(header.camera.encode(), b"cam2")
    for name, data in {
        "flipped": stripped[:-40] + bytes([stripped[-40] ^ 1]) + stripped[-39:],
        "edited": other_camera,
        "cut": stripped[:-1],
    }.items():
        (tmp_path / "request.zip").write_bytes(write_zip({f"{header.id}.sealed": data}))
        code, output, log = _answer(parties, tmp_path, "judge")
        assert code == 2, name
        tally.add("an altered request, through the command line", output.exists())
        assert not log.exists()
    assert "altered" in capsys.readouterr().err


def _asked_for(parties, shot, origin, tmp_path: Path) -> tuple[str, list[str]]:
    """Seal a shot, sign a warrant for it, and return the request and the options of its answers."""
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(dataclasses.replace(shot, utc=format_time(utc_now())), origin)
    policy, warrant = ["--policy", str(parties.policy)], str(tmp_path / "w.json")
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub), *policy]
    new += ["--from", format_time(utc_now() - HOUR), "--to", format_time(utc_now() + HOUR)]
    assert main([*new, "--investigator", recipient, "--expires", "60d", "-o", warrant]) == 0
    for name in ("judge", "police"):
        key = ["--key", str(parties.key(name))]
        assert main(["warrant", "sign", warrant, *policy, *key]) == 0
    request = str(tmp_path / "request.zip")
    under = ["--warrant", warrant, *policy]
    assert main(["open", str(vault), *under, "--request", request]) == 0
    return request, under


def test_a_key_that_is_over_its_time_answers_nothing_although_it_is_there(
    fresh_parties, shot, origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Day 40 of 30, and nobody has run `custodian rotate`."""
    parties = fresh_parties
    request, under = _asked_for(parties, shot, origin, tmp_path)
    later = utc_now() + timedelta(days=40)
    for module in ("answering", "custodian_cases"):
        monkeypatch.setattr(f"sealshot.runtime.cli.commands.{module}.utc_now", lambda: later)
    capsys.readouterr()
    ask = ["custodian", "answer", request, *under, "--keys", str(parties.custodian)]
    assert main([*ask, "-o", str(tmp_path / "c.answer")]) == 2
    assert "refused (overdue)" in capsys.readouterr().err
    assert list((parties.custodian / "epochs").glob("*.key"))


def test_an_authority_gives_no_share_of_what_is_over_its_time(
    fresh_parties, shot, origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    parties = fresh_parties
    request, under = _asked_for(parties, shot, origin, tmp_path)
    ask = ["authority", "answer", request, *under, "--key", str(parties.key("judge"))]
    ask += ["-o", str(tmp_path / "j.answer")]
    begins, now = format_time(utc_now() - HOUR), utc_now()

    def hold(name: str, *signers: str, days: int = 60) -> list[str]:
        path = str(tmp_path / name)
        new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub), *under[2:]]
        new += ["--from", begins, "--to", format_time(now + HOUR), "--purpose", "hold"]
        recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
        until = ["--until", format_time(now + timedelta(days=days))]
        assert main([*new, *until, "--investigator", recipient, "-o", path]) == 0
        for signer in signers:
            key = ["--key", str(parties.key(signer))]
            assert main(["warrant", "sign", path, *under[2:], *key]) == 0
        return ["--hold", path]

    good = hold("good.json", "judge", "police")
    refused = {
        "refused (overdue)": [],
        "signed by 1 of the 2": hold("alone.json", "judge"),
        "the hold is until": hold("short.json", "judge", "police", days=35),
        "is to open shots": ["--hold", under[1]],
    }
    later = now + timedelta(days=40)
    for module in ("answering", "authority"):
        monkeypatch.setattr(f"sealshot.runtime.cli.commands.{module}.utc_now", lambda: later)
    for why, options in refused.items():
        capsys.readouterr()
        assert main([*ask, *options]) == 2
        assert why in capsys.readouterr().err
        (tmp_path / "j.answer").unlink(missing_ok=True)
    assert main([*ask, *good]) == 0
