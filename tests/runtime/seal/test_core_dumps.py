"""A process that holds plain shots is never written to disk by a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import ctypes, os, resource, sys
if sys.argv[1] == "off":
    from sealshot.runtime.seal.memory import disable_core_dumps
    disable_core_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
os.abort()
"""


def _crash(argument: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, argument], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == -6
    return done.stdout.strip()


def test_core_dumps_are_off(tmp_path: Path) -> None:
    assert _crash("off", tmp_path) == "(0, 0) 0"
    assert not list(tmp_path.iterdir())
    assert _crash("on", tmp_path).endswith(" 1")  # the control: dumpable before
