"""A camera that is enrolled once more under its name, since its key was stolen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.camera import read_camera, read_keys
from sealshot.runtime.cli.commands.parties import single_identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.container import Container, read_container
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_hour, parse_time, utc_now
from sealshot.runtime.seal.warrant import RefusedError, Warrant, new_warrant, parse_warrant
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG

H = timedelta(hours=1)


def sealing(policy: Path) -> Sealing:
    return Sealing(camera=read_camera(policy), epoch_keys=read_keys(policy))


@pytest.fixture
def again(copied_parties, tmp_path: Path) -> Path:
    """The folder of the new key, which the camera has from three hours before on."""
    stolen = f"{format_hour(utc_now() - 3 * H)}:00:00Z"
    new = tmp_path / "again"
    enrol = ["camera", "enrol", str(new), "--policy", str(copied_parties.policy), "--again"]
    assert main([*enrol, str(copied_parties.camera_pub), "--until", stolen]) == 0
    return new


@pytest.fixture
def warrant(copied_parties, again: Path) -> Warrant:
    now = utc_now().replace(microsecond=0)
    cameras = [read_party(again / "cam1.pub", "camera")]
    me = single_identity(copied_parties.investigator).recipient
    period = (parse_time("2020-01-01"), parse_time("2999-01-01"))
    policy = read_policy(copied_parties.policy)
    return new_warrant("7", "open", policy, cameras, period, (now, now + H), me)


def test_one_warrant_is_for_what_both_keys_sealed(
    copied_parties, again, warrant, tmp_path, shot, origin
) -> None:
    policy = read_policy(copied_parties.policy)

    def sealed(by: Path) -> Container:
        vault = tmp_path / f"vault of {by.parent.name}"
        with Keeper(vault, sealing(by)) as keeper:
            return read_container((vault / keeper.put(shot, origin)).read_bytes())

    now = sealed(again / "policy.toml")
    check_scope(warrant, now, policy)
    assert now.header.camera == "cam1"
    before = sealed(copied_parties.camera_policy)
    header = before.header
    hour = warrant.cameras[0].until
    check_scope(warrant, replace(before, header=replace(header, hour=hour)), policy)
    late = replace(before, header=replace(header, hour="2999-01-01T00"))
    with pytest.raises(RefusedError, match="signed by a former key of the camera 'cam1'") as caught:
        check_scope(warrant, late, policy)
    assert caught.value.reason == "former-key"


def test_a_warrant_holds_both_keys_and_no_camera_twice(warrant, again) -> None:
    assert [bool(one.until) for one in warrant.cameras] == [True, False]
    assert warrant.cameras == read_party(again / "cam1.pub", "camera").under_each_key
    body = warrant.document.body
    former, today = body["cameras"]
    for cameras in ([today, today], [today, {**former, "until": "x"}], [], [{**today, "more": 1}]):
        altered = replace(warrant.document, body=body | {"cameras": cameras})
        with pytest.raises(SealshotError):
            parse_warrant(altered.encode())
    unmarked = {name: former[name] for name in ("name", "key")}
    with pytest.raises(SealshotError, match="or one twice"):
        parse_warrant(
            replace(warrant.document, body=body | {"cameras": [unmarked, today]}).encode()
        )


def test_its_public_file_is_signed_and_chains(again, tmp_path, copied_parties, capsys) -> None:
    public = again / "cam1.pub"
    third = tmp_path / "third"
    enrol = ["camera", "enrol", str(third), "--policy", str(copied_parties.policy)]
    assert main([*enrol, "--again", str(public)]) == 0
    party = read_party(third / "cam1.pub", "camera")
    assert [one.verify_key for one in party.former] == [
        read_party(copied_parties.camera_pub, "camera").verify_key,
        read_party(public, "camera").verify_key,
    ]
    text = public.read_text()
    public.write_text(text.replace(party.former[0].until, "2999-01-01T00"))
    capsys.readouterr()
    assert main([*enrol[:2], str(tmp_path / "x"), *enrol[3:], "--again", str(public)]) == 2
    assert "is not signed by the key in it" in capsys.readouterr().err


def test_old_and_new_vault_are_verified_with_one_file(
    copied_parties, again, tmp_path, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for vault, policy in ((old, copied_parties.camera_policy), (new, again / "policy.toml")):
        with Keeper(vault, sealing(policy)) as keeper:
            keeper.put(shot, origin)
    public = ["--camera", str(again / "cam1.pub")]
    assert main(["vault", "verify", str(new), *public]) == 0
    capsys.readouterr()
    assert main(["vault", "verify", str(old), *public]) == 1  # a thief's: three hours too late
    assert "signed by a former key of the camera, good until" in capsys.readouterr().out
    fresh = tmp_path / "fresh"
    policy = ["--policy", str(copied_parties.policy)]
    enrol = ["camera", "enrol", str(fresh), *policy, "--again", str(copied_parties.camera_pub)]
    assert main(enrol) == 0
    assert main(["vault", "verify", str(old), "--camera", str(fresh / "cam1.pub")]) == 0
    with pytest.raises(SealshotError, match="not signed by that key") as caught:
        Keeper(old, sealing(again / "policy.toml"))
    assert "begins a new vault" in caught.value.hint


def test_a_report_tells_of_both_logs(
    copied_parties, again, tmp_path, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = []
    for name, policy in (("old", copied_parties.camera_policy), ("new", again / "policy.toml")):
        with Keeper(tmp_path / name, sealing(policy)) as keeper:
            keeper.put(shot, origin)
        logs.append(str(tmp_path / name / LOG))
    given = ["--policy", str(copied_parties.policy), "--camera", str(again / "cam1.pub")]
    capsys.readouterr()
    assert main(["report", *logs, *given, "--json"]) == 0
    cameras = json.loads(capsys.readouterr().out)["cameras"]
    assert {name: one["sealed"] for name, one in cameras.items()} == {
        "cam1 (former)": 1,
        "cam1": 1,
    }


WRONG = {
    "a new name": (["--name", "cam2"], "keeps its name"),
    "a time to come": (["--until", "2999-01-01"], "is to come"),
    "no time": (["--until", "soon"], "soon"),
}


@pytest.mark.parametrize(("options", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be(
    options: list[str], told: str, copied_parties, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol = ["camera", "enrol", str(tmp_path / "new"), "--policy", str(copied_parties.policy)]
    assert main([*enrol, "--again", str(copied_parties.camera_pub), *options]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
