"""`import sealshot` from the outside: the examples run, and the import is light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sealshot
from sealshot.runtime import api
from sealshot.runtime.demo.clip import PORTRAIT

EXAMPLES = Path(api.__file__).parent / "examples"


def run(example: str, *argv: object) -> list[str]:
    """Run an example as a program; return the lines that it printed."""
    command = [sys.executable, EXAMPLES / f"{example}.py", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_watch_a_video(demo) -> None:
    first, second, last = run("watch_a_video", demo.clip)
    assert first.endswith("s: person 1")
    assert second.endswith("s: person 2")
    assert float(first.split()[0]) < float(second.split()[0])
    assert last == "175 frames"


def test_score_faces(tmp_path: Path) -> None:
    import cv2

    sharp = cv2.imread(str(PORTRAIT))
    blurred = tmp_path / "blurred.png"
    cv2.imwrite(str(blurred), cv2.GaussianBlur(sharp, (0, 0), 3))
    best, worst = run("score_faces", blurred, PORTRAIT)
    assert best.endswith(str(PORTRAIT))
    assert worst.endswith(str(blurred))
    assert float(best.split()[0]) > float(worst.split()[0])


def test_open_shots(demo, tmp_path: Path) -> None:
    lines = run("open_shots", demo.folder / "vault", demo.key, tmp_path / "out")
    assert len(lines) == 2
    assert all("highest score of" in line for line in lines)
    assert all("; told, but not counted by itself: sharpness " in line for line in lines)
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert pictures == {p.name: p.read_bytes() for p in (demo.folder / "opened").glob("*.jpg")}


def test_a_shot_for_somebody_else_is_refused(demo, tmp_path: Path) -> None:
    from sealshot.runtime.age.x25519 import X25519Identity
    from sealshot.runtime.seal.keys import write_identity

    write_identity(tmp_path / "other.key", X25519Identity.generate())
    sealed = next((demo.folder / "vault").glob("*/*.age"))
    with pytest.raises(sealshot.InputError):
        sealshot.open_shot(sealed, tmp_path / "other.key")


def test_what_is_promised_is_there() -> None:
    assert sealshot.__all__ == api.__all__
    assert all(getattr(sealshot, name) is getattr(api, name) for name in api.__all__)
    assert all(getattr(sealshot, name).__doc__ for name in api.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'wach'"):
        sealshot.wach  # noqa: B018


def test_the_import_loads_nothing_heavy() -> None:
    code = "import sealshot, sys; print([m for m in ('numpy', 'cv2', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
