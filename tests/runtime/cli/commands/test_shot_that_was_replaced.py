"""A shot that was replaced under its name by whoever stole the camera's key is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.payload import pack
from sealshot.runtime.seal.quorum import seal_to_quorum
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG


@pytest.fixture
def replaced(parties, shot, origin, tmp_path: Path) -> tuple[Path, str]:
    """A vault of two shots, one of which is a forgery under the same id."""
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        now = replace(shot, utc=format_time(utc_now()))
        keeper.put(now, origin)
        victim = keeper.put(now, origin)
    checkpoint = (vault / f"{LOG}.checkpoint").read_bytes()
    (tmp_path / "kept.checkpoint").write_bytes(checkpoint)
    camera = read_camera(parties.camera_policy)
    keys = EpochKeys(camera.policy, None, parties.camera_policy.parent)
    header = read_container((vault / victim).read_bytes()).header
    forged = pack(replace(now, image=shot.image[::-1]), origin)
    key = keys.get(header.epoch)
    assert key is not None
    (vault / victim).write_bytes(
        seal_to_quorum(forged, camera, key, utc_now(), utc_now(), header.id)
    )
    return vault, victim


def test_verify_names_it(replaced, parties, capsys: pytest.CaptureFixture[str]) -> None:
    vault, victim = replaced
    assert main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)]) == 1
    shown = capsys.readouterr().out
    assert victim in shown
    assert "not the shot that was logged" in shown
    assert "wrong: 1 of 2" in shown


def test_the_walk_of_a_warrant_refuses_it(
    replaced, parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault, victim = replaced
    policy, warrant = ["--policy", str(parties.policy)], str(tmp_path / "w.json")
    hour = timedelta(hours=1)
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(utc_now() - hour), "--to", format_time(utc_now() + hour)]
    assert main([*new, "--investigator", recipient, *policy, "-o", warrant]) == 0
    under = ["--warrant", warrant, *policy]
    for name in ("judge", "police"):
        key = ["--key", str(parties.key(name))]
        assert main(["warrant", "sign", warrant, *policy, *key]) == 0
    request = str(tmp_path / "request.zip")
    assert main(["open", str(vault), *under, "--request", request]) == 0
    answers = []
    for name in ("judge", "police", "custodian"):
        own = ["--key", str(parties.key(name))]
        role = "authority"
        if name == "custodian":
            role, own = "custodian", ["--keys", str(parties.custodian)]
        file = str(tmp_path / f"{name}.answer")
        log = ["--log", str(tmp_path / f"{name}.log")]
        assert main([role, "answer", request, *under, *own, *log, "-o", file]) == 0
        answers += ["--answer", file]
    capsys.readouterr()
    argv = ["open", str(vault), *under, "--identity", str(parties.investigator), *answers]
    kept = ["--checkpoint", str(tmp_path / "kept.checkpoint")]
    assert main([*argv, *kept, "-o", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert victim in shown
    assert "not the shot that the log of its camera has" in shown
    assert "1 of 2 opened" in shown
    assert not list((tmp_path / "out").glob(f"{Path(victim).stem}*"))
