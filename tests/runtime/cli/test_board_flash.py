"""`sealshot board flash`, with a stand-in for openFPGALoader that says what version 0.10 says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.engines.bitstream import BITSTREAM, REPORT

DETECTED = (
    "index 0:\n\tidcode 0x41113043\n\tmanufacturer lattice\n\tfamily ECP5\n\tmodel  LFE5U-85\n"
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / BITSTREAM).write_bytes(b"bits")
    report = {
        "part": "LFE5U-85F-6BG381C",
        "bitstream_sha256": hashlib.sha256(b"bits").hexdigest(),
    }
    (folder / REPORT).write_text(json.dumps(report))
    return folder


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a stand-in that notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "detected").write_text(DETECTED)
    program = folder / "openFPGALoader"
    program.write_text(
        f"""#!/bin/sh
cd {folder}
echo "$@" >> calls
case "$*" in *--detect*) cat detected; test ! -e no-board; exit;; esac
test ! -e broken || {{ printf 'write to flash\\nFail to write\\n'; exit 1; }}
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ([], "--write-flash"),
        (["--check"], "--write-flash --verify"),
        (["--sram"], "--write-sram"),
    ],
)
def test_a_bitstream_is_written_into_the_part_that_it_is_for(
    built: Path, loader: Path, options: list[str], call: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "flash", str(built), *options]) == 0
    assert (loader / "calls").read_text().splitlines() == [
        "--board ulx3s --detect",
        f"--board ulx3s {call} {built / BITSTREAM}",
    ]
    assert "LFE5U-85F" in capsys.readouterr().out


def test_another_part_is_refused_and_nothing_written(
    built: Path, loader: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (loader / "detected").write_text(DETECTED.replace("0x41113043", "0x41112043"))
    assert main(["board", "flash", str(built)]) == 2
    assert "the board has a LFE5U-45F" in capsys.readouterr().err
    assert len((loader / "calls").read_text().splitlines()) == 1


def test_no_board_is_told(built: Path, loader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (loader / "detected").write_text("JTAG init failed with: unable to open ftdi device\n")
    (loader / "no-board").touch()
    assert main(["board", "flash", str(built)]) == 2
    assert "unable to open ftdi device" in capsys.readouterr().err


def test_a_write_that_fails_is_no_success(
    built: Path, loader: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (loader / "broken").touch()
    assert main(["board", "flash", str(built)]) == 1
    assert "Fail to write" in capsys.readouterr().err


def test_a_damaged_bitstream_is_refused(
    built: Path, loader: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / BITSTREAM).write_bytes(b"bitz")
    assert main(["board", "flash", str(built)]) == 2
    assert "is not the one that" in capsys.readouterr().err
    assert not (loader / "calls").exists()


@pytest.mark.parametrize("argv", [["nowhere"], ["nowhere", "--check", "--sram"]])
def test_what_cannot_be_is_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "flash", *argv]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_tool_that_is_missing_is_named(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(built))
    assert main(["board", "flash", str(built)]) == 2
    assert "openFPGALoader is not installed" in capsys.readouterr().err
