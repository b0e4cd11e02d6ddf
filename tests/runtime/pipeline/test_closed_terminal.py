"""A terminal that is closed costs nobody in view the shot."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("camera", [True], indirect=True)
def test_closing_the_terminal_seals_who_is_in_view(camera, identity, tmp_path: Path) -> None:
    vault, summary = tmp_path / "vault", tmp_path / "summary.json"
    terminal, inside = pty.openpty()
    with summary.open("wb") as out:
        run = subprocess.Popen(
            [
                *(sys.executable, "-m", "sealshot", "run", camera.address, "--json"),
                *("--vault", vault, "--to", str(identity.recipient)),
            ],
            stdin=inside,
            stdout=out,
            stderr=inside,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(inside)
    shown, limit = "", time.monotonic() + 60
    while "2 people" not in shown and time.monotonic() < limit:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    assert "2 people" in shown
    assert not list(vault.glob("*/*.age"))  # both are in view: nothing is due
    os.close(terminal)
    assert run.wait(30) == 0
    told = json.loads(summary.read_text())
    assert (told["interrupted"], told["people_seen"]) == (True, 2)
    assert len(list(vault.glob("*/*.age"))) == 2
