"""A recording has the time that its file says, or that is given, never that of the run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sealshot.runtime.cli.main import main


def known(
    source: Path, folder: Path, identity, identity_file, *options: str
) -> list[dict[str, object]]:
    """What is inside the seals of a run."""
    vault, out = folder / "vault", folder / "out"
    argv = ["run", str(source), "--to", str(identity.recipient), "--vault", str(vault)]
    assert main([*argv, *options]) == 0
    assert main(["open", str(vault), "--identity", str(identity_file), "-o", str(out)]) == 0
    return [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]


def test_what_the_file_says_or_what_is_given_or_that_nobody_knows(
    demo, identity, identity_file, tmp_path: Path
) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("`ffmpeg` is not installed (apt-get install ffmpeg)")
    dated = tmp_path / "dated.mp4"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", demo.clip, "-t", "4", "-c:v", "mpeg4", "-q:v", "2"),
            *("-metadata", "creation_time=2025-03-09T10:20:30Z", str(dated)),
        ],
        check=True,
        timeout=120,
    )
    shots = known(dated, tmp_path / "1", identity, identity_file)
    assert shots
    for shot in shots:
        assert shot["clock"] == "container"
        second = 30 + float(shot["time_s"])  # type: ignore[arg-type]
        assert shot["utc"] == f"2025-03-09T10:20:{second:06.3f}Z"
    given = ["--start-time", "2024-12-31T23:59:59Z", "--stop-after", "4"]
    shots = known(dated, tmp_path / "2", identity, identity_file, *given)
    assert {shot["clock"] for shot in shots} == {"given"}
    assert {str(shot["utc"])[:17] for shot in shots} <= {"2024-12-31T23:59:", "2025-01-01T00:00:"}


@pytest.mark.parametrize("text", ["yesterday", "1999-12-31", "2026-13-01"])
def test_a_start_that_is_no_time(text: str, tmp_path: Path, capsys) -> None:
    argv = ["run", "clip.mp4", "--to", "age1", "--vault", str(tmp_path), "--start-time", text]
    assert main(argv) == 2
    assert "error: " in capsys.readouterr().err
