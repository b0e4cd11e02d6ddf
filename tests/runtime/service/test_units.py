"""The units that ship: systemd takes them, they are hardened, and they fit the service."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.service import UNITS
from sealshot.runtime.service.notify import Notify
from sealshot.runtime.service.service import STOP_S, STUCK_STARTING_S

NAMES = sorted(file.name for file in UNITS.iterdir())
SERVICES = [name for name in NAMES if name.endswith(".service")]
with_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")


def said(name: str, capsys) -> str:
    assert main(["serve", "--unit", name]) == 0
    return capsys.readouterr().out


@with_systemd
def test_systemd_takes_the_units(tmp_path, capsys) -> None:
    for name in NAMES:
        text = said(name, capsys)
        program = text.partition("ExecStart=")[2].split()
        assert not program or program[0].endswith("/sealshot")
        (tmp_path / name).write_text(
            text.replace(f"={program[0]}", "=/bin/true") if program else text
        )
    files = [tmp_path / name for name in NAMES]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@with_systemd
@pytest.mark.parametrize(
    ("name", "most"), [("sealshot.service", 15), ("sealshot-rotate.service", 5)]
)
def test_the_units_are_hardened(name, most, tmp_path) -> None:
    file = tmp_path / name
    file.write_text((UNITS / name).read_text().replace("@SEALSHOT@", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", file],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_systemd_waits_for_longer_than_the_service_does() -> None:
    unit = RawConfigParser(strict=False, allow_no_value=True)
    unit.read(UNITS / "sealshot.service")
    service = unit["Service"]
    assert float(service["TimeoutStopSec"]) > STOP_S
    assert float(service["WatchdogSec"]) > STOP_S  # a reload waits for cameras that go
    assert float(service["TimeoutStartSec"].removesuffix("min")) * 60 > STUCK_STARTING_S
    assert service["RestartPreventExitStatus"] == "2"
    assert "ProcSubset" not in service  # hides the boot id, and the processor from ONNX Runtime


def test_an_unknown_unit_is_told(capsys) -> None:
    assert main(["serve", "--unit", "sealshot.socket"]) == 2
    assert "sealshot.service" in capsys.readouterr().err


@pytest.fixture
def manager(tmp_path, monkeypatch) -> socket.socket:
    """What systemd is to a service: a socket."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.settimeout(0.2)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "3000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    return listening


def test_systemd_is_told(manager, monkeypatch) -> None:
    notify = Notify()
    notify.ready("2 of 2 cameras")
    assert manager.recv(999) == b"READY=1\nSTATUS=2 of 2 cameras"
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    notify.feed()
    notify.feed()  # not again at once
    assert manager.recv(999) == b"WATCHDOG=1"
    with pytest.raises(TimeoutError):
        manager.recv(999)


def test_a_watchdog_of_another_process_is_not_fed(manager, monkeypatch) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Notify().feed_every_s == float("inf")


def test_in_the_journal_lines_have_levels(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        status = os.fstat(out.fileno())
        env = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        subprocess.run(
            [sys.executable, "-m", "sealshot", "status", "--state", "none"], stderr=out, env=env
        )
    assert [line[:9] for line in log.read_text().splitlines()] == ["<3>error:", "<3>hint: "]
