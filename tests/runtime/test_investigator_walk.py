"""The walk of the README, from keys to picture: each party is a process in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.seal.times import format_time, utc_now

DAY = timedelta(days=1)


def sealshot(folder: Path, *arguments: object, code: int = 0) -> str:
    """Run the program in the folder of one party; return its output, errors included."""
    done = subprocess.run(
        [sys.executable, "-m", "sealshot", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def machines(tmp_path: Path) -> dict[str, Path]:
    """One folder a machine, and one for what is sent between them."""
    names = ("judge", "police", "ombudsman", "custodian", "camera", "investigator", "sent")
    for name in names:
        (tmp_path / name).mkdir()
    return {name: tmp_path / name for name in names}


def test_from_warrant_to_picture(machines: dict[str, Path], demo) -> None:
    sent = machines["sent"]
    authorities = ("judge", "police", "ombudsman")
    for name in authorities:
        sealshot(machines[name], "authority", "new", f"{name}.key")
        (machines[name] / f"{name}.pub").rename(sent / f"{name}.pub")
    sealshot(machines["custodian"], "custodian", "new", "keys", "--name", "custodian")
    (machines["custodian"] / "keys" / "custodian.pub").rename(sent / "custodian.pub")
    sealshot(
        sent,
        *("policy", "new", *(f"{name}.pub" for name in authorities), "--quorum", 2),
        *("--custodian", "custodian.pub", "--retention", "30d", "--epoch-keys", "epochs"),
        *("-o", "policy.toml"),
    )
    policy = ("--policy", sent / "policy.toml")
    sealshot(machines["custodian"], "custodian", "rotate", "keys", *policy, "--to", sent / "epochs")

    sealshot(machines["camera"], "camera", "enrol", "cam1", *policy)
    sealshot(
        machines["camera"],
        *("run", demo.clip, "--policy", "cam1/policy.toml", "--vault", "vault"),
    )
    vault = machines["camera"] / "vault"
    objects = list(vault.glob("*/*.sealed"))
    assert len(objects) == 2
    public = machines["camera"] / "cam1" / "cam1.pub"
    for private in ("judge.key", "keys", "me.key"):  # nothing on the camera opens anything
        assert not (machines["camera"] / private).exists()

    investigator = machines["investigator"]
    sealshot(investigator, "keys", "new", "--post-quantum", "me.key")
    recipient = sealshot(investigator, "keys", "show", "me.key").strip()
    now = utc_now()
    sealshot(
        investigator,
        *("warrant", "new", "--case", "2026-117", "--camera", public),
        *("--from", format_time(now - DAY), "--to", format_time(now + DAY)),
        *("--investigator", recipient, *policy, "-o", sent / "w.json"),
    )
    warrant = ("--warrant", sent / "w.json", *policy)
    request = sent / "request.zip"
    refused = sealshot(investigator, "open", vault, *warrant, "--request", request, code=2)
    assert "signed by 0 of the 2" in refused
    for name in ("judge", "ombudsman"):
        sealshot(
            machines[name], "warrant", "sign", sent / "w.json", *policy, "--key", f"{name}.key"
        )
    sealshot(investigator, "open", vault, *warrant, "--request", request)
    assert request.stat().st_size < sum(path.stat().st_size for path in objects)

    for name in ("judge", "ombudsman"):
        answered = sealshot(
            machines[name],
            *("authority", "answer", request, *warrant, "--key", f"{name}.key"),
            *("-o", sent / f"{name}.answer"),
        )
        assert "2 of 2 answered" in answered
    sealshot(
        machines["custodian"],
        *("custodian", "answer", request, *warrant, "--keys", "keys"),
        *("-o", sent / "custodian.answer"),
    )
    last = ("open", vault, *warrant, "--identity", "me.key", "-o", "out", "--json")
    answers = {n: ("--answer", sent / f"{n}.answer") for n in ("judge", "ombudsman", "custodian")}
    missing = sealshot(investigator, *last, *answers["judge"], *answers["custodian"], code=2)
    assert "1 of the 2 authorities" in missing
    missing = sealshot(investigator, *last, *answers["judge"], *answers["ombudsman"], code=2)
    assert "custodian" in missing
    assert not (investigator / "out").exists()
    sealshot(investigator, *last, *(part for answer in answers.values() for part in answer))
    metadata = [json.loads(path.read_text()) for path in (investigator / "out").glob("*.json")]
    assert sorted(shot["track"] for shot in metadata) == sorted(
        {shot["track"] for shot in metadata}
    )
    assert len(list((investigator / "out").glob("*.jpg"))) == 2

    for name, log, of in (
        ("camera", "vault/log", public),
        ("judge", "judge.log", sent / "judge.pub"),
        ("custodian", "keys/log", sent / "custodian.pub"),
    ):
        assert "nothing was changed" in sealshot(machines[name], "log", "verify", log, "--of", of)
    shown = json.loads(
        sealshot(
            machines["judge"], "log", "show", "judge.log", "--of", sent / "judge.pub", "--json"
        ).rpartition("]")[0]
        + "]"
    )
    assert [entry["event"] for entry in shown] == ["policy-changed", "answered", "answered"]
    assert {entry["case"] for entry in shown[1:]} == {"2026-117"}
