"""What stands in names never drives the terminal; no command leaves a core dump or an open door."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main

NAMES = ["\x1b[2J\x1b]0;owned\x07", "a\rb", "\u202egpj.exe", "\x9b31m"]


@pytest.mark.parametrize("name", NAMES)
def test_no_control_character_reaches_the_terminal(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = tmp_path / name
    (vault / "2026-11-21").mkdir(parents=True)
    (vault / "2026-11-21" / f"{name}.age").write_bytes(b"x")
    identity = tmp_path / "me.key"
    assert main(["keys", "new", str(identity)]) == 0
    main(["open", str(vault), "--identity", str(identity), "-o", str(tmp_path / "out")])
    main(["vault", "list", str(vault)])
    main(["vault", "list", str(tmp_path / f"absent{name}")])
    main(["keys", "show", str(tmp_path / f"absent{name}")])
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert "\N{REPLACEMENT CHARACTER}" in shown.err


SCRIPT = """
import ctypes, os, resource, sys
os.umask(0)
from sealshot.runtime.cli.main import main
main(sys.argv[1:])
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3), oct(os.umask(0)))
"""


@pytest.mark.parametrize(
    "command", [["authority", "new", "j.key"], ["custodian", "new", "c"], ["keys", "new", "k"]]
)
def test_every_command_is_without_core_dumps_and_writes_for_its_owner_alone(
    command: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "(0, 0) 0 0o22"
    for path in tmp_path.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022, path
        if path.suffix == ".key":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "me.key"
    assert main(["keys", "new", str(key)]) == 0
    assert main(["keys", "show", str(key)]) == 0
    assert "chmod" not in capsys.readouterr().err
    key.chmod(0o644)
    assert main(["keys", "show", str(key)]) == 0
    assert "chmod 600" in capsys.readouterr().err
