"""The kernels' tests once more, on a host build that sees every access out of bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SLOW = "17- or 33 or ranks or long_rows or 2-100 or missing_barrier or any_batches or extreme"
BEYOND = """
import ctypes, sys
from ctypes import c_int, c_void_p
library = ctypes.CDLL(sys.argv[1])
import numpy as np
from sealshot.kernels import driver
driver._library = lambda: library
from sealshot.kernels.driver import Module
from sealshot.kernels.memory import DeviceArray
arrays = [DeviceArray.zeros((n,), d) for n, d in ((64, "u1"), (64, "f4"), (64, "f4"), (1, "f4"))]
pixels = int(sys.argv[2])
args = [*(c_void_p(a.ptr) for a in arrays), c_void_p(0), *map(c_int, (1, pixels, 1))]
Module(b"").kernel("rp_likelihood_u8_f32").launch(1, 256, args, None)
print("done", arrays[3].get()[0])
"""


@pytest.fixture(scope="module")
def sanitized(build_emulation: Callable[[bool], Path]) -> dict[str, str]:
    """The environment of a process that loads the sanitized build."""
    library = build_emulation(True)
    preload = (
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")  # the latter for OpenCV's exceptions
    )
    return os.environ | {
        "LD_PRELOAD": ":".join(preload),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "EMULATION_LIBRARY": str(library),
    }


def test_no_kernel_reads_or_writes_out_of_bounds(sanitized: dict[str, str], tmp_path: Path) -> None:
    """Views end with their allocation, so one element too many is seen."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider"),
            *("--basetemp", str(tmp_path / "tests"), "-k", f"emulation and not ({SLOW})"),
            str(HERE / "test_rp_likelihood.py"),
            str(HERE / "test_crop_kernel.py"),
            str(HERE / "test_latents_and_argmax.py"),
        ],
        env=sanitized,
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize(("pixels", "sees"), [(64, ""), (65, "heap-buffer-overflow")])
def test_one_pixel_too_many_is_seen(sanitized: dict[str, str], pixels: int, sees: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEYOND, sanitized["EMULATION_LIBRARY"], str(pixels)],
        env=sanitized,
        capture_output=True,
        text=True,
    )
    if sees:
        assert sees in done.stderr
        assert done.returncode != 0
    else:
        assert (done.returncode, done.stdout[:4]) == (0, "done"), done.stderr[-2000:]
