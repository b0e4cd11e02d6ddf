"""The benchmark of sealing: all peers are measured, and the figures say where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealshot.benchmarks import sealing


def test_costs_of_each_peer_and_payload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not sealing.shutil.which("age"):
        pytest.skip("`age` is not installed (apt-get install age)")
    monkeypatch.setattr(sealing, "PAYLOADS", {"empty": 0, "two chunks": 70_000})
    assert sealing.main(["--rounds", "2", "-o", str(tmp_path / "out.json"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "out.json").read_text())
    assert {"date", "commit", "machine", "versions", "age"} <= result.keys()
    costs = {(cost["peer"], cost["payload"]): cost for cost in result["costs"]}
    assert {("age", "empty"), ("sealshot", "empty"), ("sealshot", "two chunks")} <= costs.keys()
    for (peer, payload), cost in costs.items():
        assert cost["seal_ms"] > 0
        assert (cost["seal_ratio"] == 1) == (peer == "age")
        if peer == "sealshot":
            assert cost["extra_bytes"] == costs["age", payload]["extra_bytes"]
            assert cost["extra_bytes"] == (200 if payload == "empty" else 216)


def test_without_the_stock_program_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sealing.InputError, match="not installed"):
        sealing.main(["--rounds", "1"])
