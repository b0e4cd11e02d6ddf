"""Who steals a camera tomorrow cannot make shots of today: what each command says of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.archive import read_zip
from sealshot.runtime.seal.container import HEADER, SIGNATURE, SUMS, read_container, write_container
from sealshot.runtime.seal.day_keys import DAYS, KEY, DayKeys
from sealshot.runtime.seal.times import epoch_of, format_time, utc_now
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault.keeper import Keeper

D = timedelta(days=1)


@pytest.fixture
def stolen(
    copied_parties, shot, origin, tmp_path: Path, steady_clock, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """A vault of a shot of today and one of tomorrow, when a thief puts a third, of today."""
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)
    clock, vault = steady_clock(utc_now()), tmp_path / "vault"
    with Keeper(vault, copied_parties.sealing(), clock) as keeper:
        honest = keeper.put(replace(shot, utc=format_time(utc_now())), origin)
        clock.true += D
        keeper.tick()
        keeper.put(shot, origin)
    keys = DayKeys(copied_parties.camera_policy.parent)
    assert keys.day == epoch_of(utc_now() + D, "day")
    container = read_container((vault / honest).read_bytes())
    parts = {n: p for n, p in container.parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    header = replace(container.header, id="f" * 32)
    forged = f"{header.epoch}/{header.id}.sealed"
    (vault / forged).write_bytes(write_container(header, parts, keys))
    return vault, forged


def test_a_new_camera_has_a_key_a_day(copied_parties) -> None:
    folder = copied_parties.camera_policy.parent
    assert isinstance(read_camera(copied_parties.camera_policy).key, DayKeys)
    assert {KEY, DAYS} < {path.name for path in folder.iterdir()}
    assert (folder / KEY).stat().st_mode & 0o077 == 0
    assert "SEALSHOT-SIGNING-KEY" not in (folder / DAYS).read_text()


def test_verify_names_it(stolen, copied_parties, capsys: pytest.CaptureFixture[str]) -> None:
    vault, forged = stolen
    verify = ["vault", "verify", str(vault), "--policy", str(copied_parties.camera_policy)]
    capsys.readouterr()
    assert main(verify) == 1
    told = capsys.readouterr()
    assert forged in told.out
    today = epoch_of(utc_now(), "day")
    assert f"says that it was sealed in the hour {today}T" in told.out
    assert f"is signed by the camera's key of {epoch_of(utc_now() + D, 'day')}" in told.out
    assert f"signed by the camera's keys of 2 days, {today} to " in told.err
    (vault / forged).unlink()
    assert main(verify) == 0


def test_what_a_thief_seals_as_taken_before_is_told(
    copied_parties, shot, origin, tmp_path: Path, steady_clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, vault, parties = steady_clock(utc_now()), tmp_path / "vault", copied_parties
    clock.true += 2 * D
    with Keeper(vault, parties.sealing(), clock) as keeper:
        keeper.put(shot, replace(origin, started=utc_now(), clock="system"))
    policy, warrant = ["--policy", str(parties.policy)], str(tmp_path / "w.json")
    under = ["--warrant", warrant, *policy]
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(utc_now() - D), "--to", format_time(utc_now() + D)]
    assert main([*new, "--investigator", recipient, *policy, "-o", warrant]) == 0
    request, case, answers = str(tmp_path / "request.zip"), str(tmp_path / "case.zip"), []
    keys = {name: ["authority", "--key", str(parties.key(name))] for name in ("judge", "police")}
    for _, *key in keys.values():
        assert main(["warrant", "sign", warrant, *policy, *key]) == 0
    assert main(["open", str(vault), *under, "--request", request]) == 0
    keys["custodian"] = ["custodian", "--keys", str(parties.custodian)]
    for name, (role, *key) in keys.items():
        answers += ["--answer", str(tmp_path / name)]
        assert main([role, "answer", request, *under, *key, "-o", answers[-1]]) == 0
    given = [str(vault), *under, *answers, "--identity", str(parties.investigator)]
    capsys.readouterr()
    assert main(["open", *given, "-o", str(tmp_path / "out")]) == 0
    assert main(["evidence", "export", *given, "-o", case]) == 0
    assert main(["evidence", "verify", case, *policy, "--camera", str(parties.camera_pub)]) == 0
    assert capsys.readouterr().err.count("1 shot sealed more than a day after the time of") == 2


def test_nobody_is_asked_to_open_it(
    stolen, copied_parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault, forged = stolen
    policy, warrant = ["--policy", str(copied_parties.policy)], str(tmp_path / "w.json")
    recipient = copied_parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(copied_parties.camera_pub)]
    new += ["--from", format_time(utc_now() - D), "--to", format_time(utc_now() + D)]
    assert main([*new, "--investigator", recipient, *policy, "-o", warrant]) == 0
    for name in ("judge", "police"):
        key = ["--key", str(copied_parties.key(name))]
        assert main(["warrant", "sign", warrant, *policy, *key]) == 0
    capsys.readouterr()
    request = tmp_path / "request.zip"
    argv = ["open", str(vault), "--warrant", warrant, *policy, "--request", str(request)]
    assert main(argv) != 0
    told = capsys.readouterr().err
    assert f"{forged}: it says that it was sealed in the hour" in told
    assert "whoever stole the camera may have made it" in told
    assert Path(forged).name not in read_zip(request.read_bytes(), limit=9)
