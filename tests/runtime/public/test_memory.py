"""What pictures took is given back, though others of that size are still there."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PICTURES = """
import sys
import numpy as np
from sealshot.runtime.public.memory import give_back_pictures
if sys.argv[1] == "given":
    give_back_pictures()
np.ones(6 << 20, np.uint8)  # glibc learns the size
gone, kept = [], []
for _ in range(20):
    gone.append(np.ones(6 << 20, np.uint8))
    kept.append(np.ones(3 << 20, np.uint8))
del gone
status = dict(line.split(":") for line in open("/proc/self/status"))
print(int(status["VmRSS"].split()[0]) / 1e3)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_what_is_gone_leaves_no_gaps_among_what_waits() -> None:
    assert taken_mb("given") < taken_mb("kept") - 90


def taken_mb(how: str) -> float:
    command = [sys.executable, "-c", PICTURES, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)
