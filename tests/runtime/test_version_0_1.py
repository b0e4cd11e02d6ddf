"""What sealshot 0.1 wrote still opens, verifies and goes on; what a newer one writes is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main

ANSWERS = ("judge", "police", "custodian")
DAY = "2026-11-28"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    shutil.copytree(Path(__file__).parents[1] / "data" / "vault-0.1", folder)
    for key in folder.rglob("*.key"):
        key.chmod(0o600)
    return folder


def opened(folder: Path) -> dict[int, dict[str, object]]:
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert all((folder / f"{path.stem}.jpg").stat().st_size for path in folder.glob("*.json"))
    return {shot["track"]: shot for shot in found}


def test_the_vault_and_each_log_verify(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = str(old / "cam1" / "policy.toml")
    assert main(["vault", "verify", str(old / "vault"), "--policy", policy]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    for log, public in (
        ("vault/log", "cam1/cam1.pub"),
        ("custodian/log", "custodian/custodian.pub"),
        ("judge.log", "judge.pub"),
    ):
        assert main(["log", "verify", str(old / log), "--of", str(old / public)]) == 0
        assert main(["log", "show", str(old / log), "--of", str(old / public)]) == 0
    shown = capsys.readouterr().out
    assert "a better shot of the person" in shown
    assert "2126-01-01T00:00:00Z" in shown


def test_its_answers_open_its_shots(old: Path, tmp_path: Path) -> None:
    answers = [arg for name in ANSWERS for arg in ("--answer", str(old / f"{name}.answer"))]
    argv = ["open", str(old / "vault"), "--warrant", str(old / "open.json")]
    argv += ["--policy", str(old / "policy.toml"), "--identity", str(old / "me.key")]
    assert main([*argv, *answers, "-o", str(tmp_path / "out")]) == 0
    assert opened(tmp_path / "out").keys() == {2, 3}


def test_its_parties_answer_today(old: Path, tmp_path: Path) -> None:
    policy = ["--warrant", str(old / "open.json"), "--policy", str(old / "policy.toml")]
    request = str(tmp_path / "request.zip")
    assert main(["open", str(old / "vault"), *policy, "--request", request]) == 0
    answers = []
    for name in ANSWERS:
        path = str(tmp_path / f"{name}.answer")
        answers += ["--answer", path]
        keys = ["--keys", str(old / name)] if name == "custodian" else None
        role = "custodian" if keys else "authority"
        own = keys or ["--key", str(old / f"{name}.key")]
        assert main([role, "answer", request, *policy, *own, "-o", path]) == 2  # replayed: logged
        Path(path).unlink()
        assert main([role, "answer", request, *policy, *own, "-o", path, "--again"]) == 0
    out = str(tmp_path / "out")
    argv = ["open", str(old / "vault"), *policy, "--identity", str(old / "me.key"), *answers]
    assert main([*argv, "-o", out]) == 0
    assert opened(Path(out)).keys() == {2, 3}


def test_a_shot_to_one_key_opens(old: Path, tmp_path: Path) -> None:
    argv = ["open", str(old / "alone"), "--identity", str(old / "me.key")]
    assert main([*argv, "-o", str(tmp_path / "out")]) == 0
    assert opened(tmp_path / "out").keys() == {4}


def test_its_policy_and_keys_are_read(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", str(old / "policy.toml")]) == 0
    digest = "5ac4c17a1346bc38c916a21ba77cb9e02bc957c4b2bac994480eb8d8ea5f8da6"
    assert digest in capsys.readouterr().out
    assert main(["keys", "show", str(old / "me.key")]) == 0
    assert capsys.readouterr().out.startswith("age1")
    check = ["warrant", "check", str(old / "hold.json")]
    assert main([*check, "--policy", str(old / "policy.toml")]) == 0


def test_its_holds_and_its_log_go_on(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A purge by today's program leaves what a hold of 0.1 keeps, and adds to the log."""
    policy = str(old / "cam1" / "policy.toml")
    assert main(["vault", "purge", str(old / "vault"), "--policy", policy, "--clock-is-right"]) == 0
    assert len(list((old / "vault" / DAY).iterdir())) == 2
    capsys.readouterr()
    assert main(["vault", "verify", str(old / "vault"), "--policy", policy, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["log_entries"] >= 5
