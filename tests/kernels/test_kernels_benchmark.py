"""`sealshot bench kernels`: its logic on the emulated device, and what it says without a GPU."""

from __future__ import annotations

import ctypes
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sealshot.benchmarks.speed.kernels import command as benchmark
from sealshot.benchmarks.speed.kernels import rivals as kernel_rivals
from sealshot.benchmarks.speed.kernels import timing as kernel_timing
from sealshot.benchmarks.speed.kernels.errors import random_gaussians
from sealshot.kernels import driver, reference
from sealshot.kernels.compiler import NAMES, find_nvcc
from sealshot.kernels.errors import NoDeviceError
from sealshot.kernels.resources import Resources, count_loads, read_report
from sealshot.runtime.errors import InputError, SealshotError


def test_without_a_gpu_nothing_is_a_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> ctypes.CDLL:
        raise NoDeviceError("there is no CUDA driver on this machine")

    monkeypatch.setattr(driver, "_library", missing)
    file = tmp_path / "kernels.json"
    assert benchmark.main(["-o", str(file)]) == 1
    assert "not measured. no GPU" in capsys.readouterr().out
    fields = json.loads(file.read_text())
    assert fields["why_not"] == "no GPU: there is no CUDA driver on this machine"
    assert set(fields) == {"kind", "why_not", "environment"}


def test_every_figure_is_there(
    emulation: ctypes.CDLL,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A dry run: of the emulated device no figure means anything but the errors."""
    monkeypatch.setattr("sealshot.benchmarks.speed.kernels.errors.SHAPES", ((2, 3, 65),))
    monkeypatch.setattr("sealshot.benchmarks.speed.kernels.errors.RANKED", 20)
    monkeypatch.setattr(kernel_timing, "LAUNCHES", 1)
    monkeypatch.setattr(kernel_timing, "LATENCY_FACES", (1, 2))
    monkeypatch.setattr(kernel_timing, "MOST_BUFFERS", 2)
    monkeypatch.setattr(benchmark, "LATENCY_FACES", (1, 2))
    file = tmp_path / "kernels.json"
    assert benchmark.main(["--items", "2", "--rounds", "1", "-o", str(file)]) == 0
    fields = json.loads(file.read_text())
    assert fields["device"] == "emulated on the host"
    assert all(row["relative_error"] < 1e-5 for row in fields["errors"] if "16" not in row["types"])
    (ranked,) = (row for row in fields["errors"] if row["spearman"] is not None)
    assert ranked["spearman"] >= 0.9999
    assert {(row["name"], row["type"]) for row in fields["bandwidth"]} == {
        (name, type) for name in ("ours", "copy on the device") for type in ("float16", "float32")
    }
    for row in fields["bandwidth"]:
        assert row["microseconds"] > 0
        assert (row["slower_than_ours"] == 1) or row["name"] != "ours"
        assert (row["to_copy"] == 1) == (row["name"] == "copy on the device")
    assert [row["faces"] for row in fields["latency"]] == [1, 2]
    assert fields["no_rivals"]
    assert "track_argmax" in fields["registers"]
    assert "copy on the device" in capsys.readouterr().out


def test_bytes_count_each_input_once(emulation: ctypes.CDLL) -> None:
    buffers = kernel_timing.likelihood_buffers(3, 10, 4096, "float16")
    assert buffers[0].nbytes == 3 * 4096 + 2 * 3 * 10 * 4096 * 2 + 3 * 4
    assert len(buffers) == kernel_timing.MOST_BUFFERS


def test_a_rival_computes_the_same() -> None:
    torch = pytest.importorskip("torch")
    arrays = random_gaussians(3, 4, 100, 0)
    got = kernel_rivals.eager(*map(torch.from_numpy, arrays)).numpy()
    assert np.allclose(got, reference.rp_likelihood(*arrays), rtol=1e-5)


REPORT = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'rp_likelihood_u8_f16' for 'sm_90'
ptxas info    : Function properties for rp_likelihood_u8_f16
    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers, 1024 bytes smem, 408 bytes cmem[0]
ptxas info    : Compiling entry function 'track_argmax' for 'sm_90'
ptxas info    : Function properties for track_argmax
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 16 registers, used 0 barriers
"""


def test_the_assemblers_report_is_read() -> None:
    assert read_report(REPORT, 90) == [
        Resources("rp_likelihood_u8_f16", 90, 64, 28, 8, 1024, 0, ""),
        Resources("track_argmax", 90, 16, 0, 0, 0, 0, ""),
    ]


def test_loads_are_counted_for_each_kernel() -> None:
    sass = (
        "Function : a\n LDG.E.EF.128 R4\n LDG.E R5\n LDG.E.128.CONSTANT R6\nFunction : b\n LDG.E R1"
    )
    assert count_loads(sass, r"Function : (\w+)", r"\bLDG\.\S*128\b") == {"a": 2}


@pytest.mark.parametrize(
    ("kernel", "spills", "stack", "loads", "fault"),
    [
        ("rp_likelihood_u8_f16", 0, 0, 6, ""),
        ("rp_likelihood_u8_f16", 0, 0, 0, "no 128-bit loads"),
        ("rp_likelihood_u8_f16", 8, 0, 6, "spills 8 bytes"),
        ("track_argmax", 0, 16, 0, "stack 16 bytes"),
        ("track_argmax", 0, 0, 0, ""),
    ],
)
def test_faults(kernel: str, spills: int, stack: int, loads: int, fault: str) -> None:
    assert fault in Resources(kernel, 90, 64, spills, stack, 0, loads, "PTX").fault()
    assert bool(fault) == bool(Resources(kernel, 90, 64, spills, stack, 0, loads, "PTX").fault())


@pytest.mark.skipif(find_nvcc() is None, reason="no nvcc to compile the kernels")
def test_the_compiler_leaves_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "resources.json"
    assert benchmark.main(["--compile", "90", "-o", str(file)]) == 0
    found = json.loads(file.read_text())["kernels"]
    assert {name for name in NAMES if any(f["kernel"].startswith(name) for f in found)} == {*NAMES}
    assert all(f["registers"] <= 64 for f in found)
    assert "rp_likelihood_u8_f16" in capsys.readouterr().out


def test_compiling_without_nvcc_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "find_nvcc", lambda: None)
    with pytest.raises(SealshotError, match="no nvcc"):
        benchmark.main(["--compile", "90"])


@pytest.mark.parametrize("targets", ["sm_90", "90,", "9.0"])
def test_what_is_no_gpu_is_refused(monkeypatch: pytest.MonkeyPatch, targets: str) -> None:
    monkeypatch.setattr(benchmark, "find_nvcc", lambda: Path(shutil.which("true") or "true"))
    with pytest.raises(InputError, match="no list of GPUs"):
        benchmark.main(["--compile", targets])
