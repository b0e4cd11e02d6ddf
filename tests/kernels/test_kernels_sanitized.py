"""The kernels' tests once more, on a host build that sees every access out of bounds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
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
args = [*(c_void_p(a.ptr) for a in arrays), c_void_p(0), *map(c_int, (1, 1, pixels, 1))]
Module(b"").kernel("rp_likelihood_u8_f32").launch(1, 256, args, None)
print("done", arrays[3].get()[0])
"""


@pytest.fixture(scope="module")
def sanitized() -> dict[str, str]:
    """The environment of a process that loads the sanitized build."""
    cxx = shutil.which("g++")
    if cxx is None:
        if os.environ.get("CI"):
            pytest.fail("no g++")
        pytest.skip("no g++")
    asan = subprocess.run(
        [cxx, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return os.environ | {
        "LD_PRELOAD": asan,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "EMULATION_SANITIZE": "1",
    }


def test_no_kernel_reads_or_writes_out_of_bounds(sanitized: dict[str, str], tmp_path: Path) -> None:
    """Views end with their allocation, so one element too many is seen."""
    chosen = "not rp_likelihood or aligned or types or split or nan or 17-10-4097"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
            *("--basetemp", tmp_path / "tests", "-k", f"emulation and ({chosen})"),
            HERE / "test_rp_likelihood.py",
            HERE / "test_crop_kernel.py",
            HERE / "test_latents_and_argmax.py",
        ],
        env=sanitized,
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize(("pixels", "sees"), [(64, ""), (65, "heap-buffer-overflow")])
def test_one_pixel_too_many_is_seen(
    sanitized: dict[str, str], tmp_path: Path, pixels: int, sees: str
) -> None:
    flags = subprocess.run(
        [
            sys.executable,
            "-c",
            "import runpy, sys; m = runpy.run_path(sys.argv[1]); "
            "print(*m['CXX_FLAGS'], *m['SANITIZE'])",
            HERE / "conftest.py",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    library = tmp_path / "libcuda.so"
    subprocess.run(["g++", *flags, "-o", library, HERE / "emulation" / "libcuda.cpp"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", BEYOND, library, str(pixels)],
        env=sanitized,
        capture_output=True,
        text=True,
    )
    assert (sees in done.stderr) if sees else (done.stdout.startswith("done")), done.stderr[-2000:]
    assert (done.returncode == 0) == (not sees)
