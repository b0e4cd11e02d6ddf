"""`sealshot demo` where the disk has no room for its clip."""

import resource
import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", [0, 300_000], ids=["none", "a part"])
def test_nothing_is_left_of_a_clip_that_has_no_room(tmp_path, room):
    ended = subprocess.run(
        [sys.executable, "-m", "sealshot", "demo", "-o", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        check=False,
    )
    assert ended.returncode == 1
    assert "error: cannot write all of demo/clip.avi\nhint: " in ended.stderr
    assert list(tmp_path.iterdir()) == []
