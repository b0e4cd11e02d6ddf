"""What the sandbox costs is measured of both processes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.speed.sandbox import run_once


@pytest.mark.parametrize("sandbox", [True, False])
def test_both_processes_count(tmp_path: Path, sandbox: bool) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(20):
        writer.write(np.full((48, 64, 3), 10 * level, np.uint8))
    writer.release()
    once = run_once(clip, sandbox)
    assert once.frames == 20
    assert once.cpu_ms > 0
    assert once.first_ms > 0
    assert once.once_mb > 10
