"""The bitstream of the scorer for a board: built once for an RTL, kept, and reported on.

One bitstream serves every trained net of the shape, so that it depends on the RTL alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealshot.boards import Board as Profile
from sealshot.boards import Fpga
from sealshot.kernels.rtl import floorplan
from sealshot.kernels.rtl.place import (
    TOP,
    Placement,
    design_sha256,
    layout_sha256,
    pack_bitstream,
    place,
    rtlil_top,
    synthesise,
)
from sealshot.kernels.rtl.primitives import Ecp5
from sealshot.kernels.rtl.protocol import Command
from sealshot.kernels.rtl.tools import BuildError, versions
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ, constraints
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.engines.bitstream import BITSTREAM, REPORT
from sealshot.runtime.engines.bytepipe import open_program
from sealshot.runtime.engines.fpga import SIMULATED_ANSWER_S, Board, simulation
from sealshot.runtime.engines.weight_stream import Stream
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import cache_folder, write_atomic

NEEDS = {"LUTs": 12_000, "block RAMs": 198, "multipliers": 132}
"""Of the whole top, block RAMs of 18 kbit; LUTs rounded up."""


@dataclass(frozen=True)
class Bitstream:
    """What was built."""

    bitstream: Path
    report: Path
    figures: dict[str, Any]
    """What the report holds."""


def refusal(board: Profile) -> str:
    """Return why the scorer cannot be built for a board; empty where it can."""
    fpga = board.fpga
    if fpga is None:
        return f"{board.title} has no FPGA"
    kbit = fpga.block_ram_kbit.value / 18
    there = {
        "LUTs": fpga.luts.value,
        "block RAMs": fpga.block_rams.value * kbit,
        "multipliers": fpga.multipliers.value,
    }
    for name, needed in NEEDS.items():
        if there[name] < needed:
            return f"{board.title} has {there[name]:g} {name}, and the scorer takes {needed}"
    return "" if fpga.links else f"{board.title}: {board.note}"


def must_fit(board: Profile) -> None:
    """Make sure that the scorer can be built for a board.

    Raises:
        InputError: it cannot; the fact says why.
    """
    if reason := refusal(board):
        raise InputError(reason, hint="`sealshot board list` shows the boards: ulx3s can")


def build_bitstream(board: Profile, folder: Path, seeds: Sequence[int]) -> Bitstream:
    """Write `ulx3s.bit` and `ulx3s.json`, from what was kept where the RTL is the same.

    Args:
        board: one with an FPGA that the scorer fits.
        folder: where they go.
        seeds: of place and route; the fastest is packed. With those that were tried before, no
            tool runs.

    Raises:
        InputError: the scorer cannot be built for this board, or a tool is missing.
        SealshotError: a tool failed.
    """
    must_fit(board)
    assert board.fpga is not None
    rtlil = rtlil_top(Ecp5())
    kept = cache_folder("rtl") / f"{TOP}-{design_sha256(rtlil)[:16]}-{layout_sha256()[:8]}"
    with _alone(kept):
        if not _has(kept, seeds):
            try:
                _build(board.fpga, rtlil, kept, seeds)
            except BuildError as error:
                raise InputError(
                    f"no bitstream: {error}", hint="the files of the score are whole"
                ) from error
        for name in (BITSTREAM, REPORT):
            write_atomic(folder / name, (kept / name).read_bytes())
    return Bitstream(folder / BITSTREAM, folder / REPORT, json.loads((folder / REPORT).read_text()))


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Let one process at a time build in a folder; a second one says that it waits, and waits."""
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"another export builds the bitstream in {kept}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _has(kept: Path, seeds: Sequence[int]) -> bool:
    try:
        figures = json.loads((kept / REPORT).read_text())
    except (OSError, ValueError):
        return False
    return {str(seed) for seed in seeds} <= set(figures["mhz_by_seed"])


def _build(fpga: Fpga, rtlil: str, kept: Path, seeds: Sequence[int]) -> None:
    work, tools = kept / "work", json.dumps(versions())
    known = work / "versions.json"
    if not known.exists() or known.read_text() != tools:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        note("synthesis, a minute or two")
        (work / f"{TOP}.lpf").write_text(constraints())
        floorplan.apply(synthesise(work, TOP, rtlil))
        known.write_text(tools)
    note(
        f"place and route, some five minutes for each of {len(seeds)} seed(s), twenty where it is "
        f"hard; "
        f"{work / 'nextpnr-ecp5.log'} says how far it is"
    )
    placement = place(work, TOP, CLOCK_MHZ, seeds)
    if placement.best.mhz < placement.clock_mhz:
        raise BuildError(
            f"no seed reaches the clock of {placement.clock_mhz:g} MHz; the best is "
            f"{placement.best.mhz:g}"
        )
    bitstream = pack_bitstream(work, placement.best.config)
    figures = _figures(fpga, placement, bitstream.read_bytes(), cycles_of_a_face())
    shutil.copy2(bitstream, kept / BITSTREAM)
    write_atomic(kept / REPORT, (json.dumps(figures, indent=1) + "\n").encode())


def _figures(fpga: Fpga, placement: Placement, bitstream: bytes, cycles: int) -> dict[str, Any]:
    return {
        "part": fpga.part.value,
        "design_sha256": placement.design_sha256,
        "layout_sha256": layout_sha256(),
        "bitstream_sha256": hashlib.sha256(bitstream).hexdigest(),
        "bitstream_bytes": len(bitstream),
        "clock_mhz": placement.clock_mhz,
        "mhz_by_seed": {str(one.seed): one.mhz for one in placement.routed},
        "router_by_seed": {str(one.seed): one.router for one in placement.routed},
        "packed_seed": placement.best.seed,
        "cycles_per_face": cycles,
        "faces_per_s": round(1e6 * placement.clock_mhz / cycles, 1),
        "used": {name: asdict(used) for name, used in placement.used.items()},
        "versions": placement.versions,
    }


def cycles_of_a_face() -> int:
    """Return what the RTL counts in simulation, which depends on no weight.

    Raises:
        InputError: a tool that builds the simulation is missing, or failed.
    """
    stream = Stream(np.zeros((1, 128), np.uint8), np.zeros((1, 22), np.uint8), 1.0)
    program = simulation()
    board = Board(lambda: open_program(program), stream, "sim", SIMULATED_ANSWER_S)
    try:
        board.score(np.zeros((1, 1, 64, 64), np.uint8))
        return int.from_bytes(board.ask(Command.HELLO)[9:13], "little")
    finally:
        board.close()


def tell(built: Bitstream) -> None:
    """Print what was built."""
    figures = built.figures
    rows = [
        (
            name,
            str(used["used"]),
            str(used["there_are"]),
            f"{100 * used['used'] / used['there_are']:.0f}",
        )
        for name, used in figures["used"].items()
    ]
    table(("cells", ">used", ">of", ">%"), rows)
    by_seed = ", ".join(
        f"{seed}: {mhz:.1f} ({figures['router_by_seed'][seed]})"
        for seed, mhz in figures["mhz_by_seed"].items()
    )
    say(f"highest clock by seed, MHz: {by_seed}")
    say(
        f"{built.bitstream}: {figures['part']} at {figures['clock_mhz']:g} MHz, "
        f"{figures['cycles_per_face']} cycles and so {figures['faces_per_s']:g} faces/s at most"
    )
