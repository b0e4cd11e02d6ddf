"""`sealshot vault`: lists and counts without a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.vault.store import Vault


def test_list_for_people_and_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Vault(tmp_path) as store:
        ids = [store.store(bytes(size)) for size in (1200, 34)]
    assert main(["vault", "list", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert all(object_id in shown.out for object_id in ids)
    assert "1,200" in shown.out
    assert shown.err == "2 objects, 1,234 bytes\n"
    assert main(["vault", "list", str(tmp_path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["id"]: one["bytes"] for one in listed} == dict(zip(ids, (1200, 34), strict=True))
    assert all(one["sealed_at"].endswith("Z") for one in listed)


def test_an_empty_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vault", "list", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_stats_of_an_empty_and_an_absent_vault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vault", "stats", str(tmp_path), "--json"]) == 0
    stats = json.loads(capsys.readouterr().out)
    assert (stats["shots"], stats["oldest"], stats["quota_share"]) == (0, None, None)
    assert main(["vault", "stats", str(tmp_path / "absent")]) == 2
    assert main(["vault", "verify", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("cannot read the vault") == 2


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["list", "absent"], "cannot read the vault absent"),
        (["list"], "VAULT"),
        (["open", "."], "open"),
    ],
    ids=["absent", "no vault", "other action"],
)
def test_bad_input_is_told_in_two_lines(
    argv: list[str], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vault", *argv]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert fact in error
    assert hint.startswith("hint: ")
