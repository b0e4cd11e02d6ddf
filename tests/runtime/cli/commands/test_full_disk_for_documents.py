"""A disk that is full while keys and documents are written: exit code 1, and nothing is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands.parties import single_identity
from sealshot.runtime.cli.main import main

COMMANDS = {
    "an identity": ["keys", "new", "me.key"],
    "an authority": ["authority", "new", "judge2.key"],
    "a custodian": ["custodian", "new", "custodian2"],
    "a camera": ["camera", "enrol", "cam2", "--policy", "POLICY"],
    "a warrant": [
        "warrant", "new", "--case", "1", "--camera", "CAMERA", "--from", "2026-11-21", "--to",
        "2026-11-22", "--investigator", "RECIPIENT", "--policy", "POLICY", "-o", "w.json",
    ],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 1), (errno.EDQUOT, 1), (errno.EIO, 1), (errno.EROFS, 2)]
)
def test_a_disk_that_is_full_is_no_wrong_input(
    command: list[str],
    number: int,
    code: int,
    parties,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {
        "POLICY": str(parties.policy),
        "CAMERA": str(parties.camera_pub),
        "RECIPIENT": str(single_identity(parties.investigator).recipient),
    }
    monkeypatch.chdir(tmp_path)
    real = os.fsync

    def full(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_file():
            raise OSError(number, os.strerror(number))
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    assert main([given.get(word, word) for word in command]) == code
    error, hint = capsys.readouterr().err.splitlines()
    assert os.strerror(number) in error
    assert hint.startswith("hint: ")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_made_durable_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As CIFS and some FUSE do: EINVAL for folders, never for files."""
    real = os.fsync

    def refuse_folders(fd: int) -> None:
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(fd)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    for name in ("a.key", "b.key"):
        assert main(["keys", "new", str(tmp_path / name)]) == 0
    told = [record for record in caplog.records if "durable" in record.getMessage()]
    assert len(told) == 1
