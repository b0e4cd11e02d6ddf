"""`sealshot board`: the boards that sealshot knows, and the one that it runs on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sealshot.boards import Board, Fact, PowerMode, boards, detect
from sealshot.runtime.cli.arguments import Arguments, in_modules, run_action
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.board import find_board

USAGE = """
usage: sealshot board list [--json]
       sealshot board show NAME [--json]
       sealshot board detect [--root DIR] [--json]
       sealshot board project [BOARD...] [options]
       sealshot board check -o DIR [options]
       sealshot board flash DIR [--check]

list      The boards that have a profile.
show      All that a profile says, who says so, and whether that was checked. NAME may be auto.
detect    Which board this is, by device tree, Jetson Linux, power modes and GPUs.
project   What the boards can reach at most on a score: a bound, not a measurement.
check     Prove this board: environment, engines, numerics, accuracy, throughput, energy.
flash     Write the scorer's bitstream into an FPGA board, through openFPGALoader.

  --root DIR   look at a recorded tree of files instead of this system's
  --json       print for machines

examples:
  sealshot board show orin-nano-8gb
  sealshot board detect --json
  sealshot board project orin-nano-8gb agx-orin-64gb --score rp --precision int8
"""

UNITS = {
    "cuda_cores": "CUDA cores",
    "gpu_sms": "streaming multiprocessors",
    "gpu_mhz": "MHz, GPU",
    "fp32_tflops": "TFLOP/s, fp32",
    "fp16_tflops": "TFLOP/s, fp16, dense",
    "int8_tops": "TOP/s, int8, dense",
    "memory_gb_s": "GB/s, memory",
    "memory_gb": "GB of memory",
    "dla": "DLAs",
    "sm": "compute capability",
    "idle_w": "W, at rest",
    "part": "part",
    "luts": "LUTs",
    "block_rams": "block RAMs",
    "block_ram_kbit": "kbit, a block RAM",
    "multipliers": "multipliers of 18 bits or more",
}
LAZY = {
    "project": "sealshot.benchmarks.board.bounds.command",
    "check": "sealshot.benchmarks.board.check.command",
    "flash": "sealshot.runtime.cli.commands.flash",
}


def main(argv: list[str]) -> int:
    """Run `sealshot board`."""
    actions = {"list": _list, "show": _show, "detect": _detect}
    # a camera has no benchmarks to load
    return run_action("board", USAGE, actions | in_modules(LAZY), argv)


def _list(argv: list[str]) -> int:
    arguments = Arguments("board list", USAGE)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    known = boards()
    if given.json:
        say_json([{"name": b.name, "title": b.title, "kind": b.kind} for b in known.values()])
        return 0
    heads = (
        "name",
        "board",
        ">SM",
        ">GB/s",
        ">fp32 TFLOP/s",
        ">int8 TOP/s",
        ">W",
        "checked on one",
    )
    table(heads, [_row(board) for board in known.values()])
    note("rates are dense and at the highest clocks; `sealshot board show NAME` names the sources")
    return 0


def _row(board: Board) -> tuple[str, ...]:
    compute = board.compute
    rates = (compute.sm, compute.memory_gb_s, compute.fp32_tflops, compute.int8_tops)
    watts = [mode.watts for mode in board.power_modes if mode.watts]
    power = "-".join(f"{watt:g}" for watt in sorted({min(watts), max(watts)})) if watts else ""
    cells = (_value(rate) if rate else "" for rate in rates)
    return board.name, board.title, *cells, power, board.on_board or "never"


def _show(argv: list[str]) -> int:
    arguments = Arguments("board show", USAGE)
    arguments.add_argument("name")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    board = find_board(given.name)
    if given.json:
        say_json(asdict(board))
        return 0
    say(f"{board.title} ({board.kind}, {board.architecture})")
    if board.note:
        say(board.note)
    table(("fact", "value", "checked", "source"), _facts(board))
    for kind in ("csi", "rtsp", "v4l2"):
        pipeline: Fact[str] | None = getattr(board.camera, kind)
        if pipeline is not None:
            say(f"\n{kind} camera ({pipeline.source}):\n  {pipeline.value}")
    checked = f"checked on such a board on {board.on_board}" if board.on_board else ""
    note(checked or "never checked on such a board: `sealshot board check` does it there")
    return 0


def _facts(board: Board) -> Iterator[tuple[str, str, str, str]]:
    for field in fields(board.compute):
        fact: Fact[Any] | None = getattr(board.compute, field.name)
        if fact is not None:
            yield UNITS[field.name], _value(fact), _yes(fact.verified), fact.source
    if board.fpga is not None:
        for name in ("part", "luts", "block_rams", "block_ram_kbit", "multipliers"):
            fact = getattr(board.fpga, name)
            yield UNITS[name], _value(fact), _yes(fact.verified), fact.source
        yield "links that a bitstream serves", ", ".join(board.fpga.links) or "none", "", ""
    for software in board.software:
        text = (
            f"L4T {', '.join(software.l4t)}; CUDA {software.cuda}, TensorRT {software.tensorrt}, "
            f"Python {software.python}"
        )
        yield f"JetPack {software.jetpack}", text, _yes(software.verified), software.source
    for mode in board.power_modes:
        number = "" if mode.id is None else f" (ID {mode.id})"
        yield f"power mode {mode.name}{number}", _caps(mode), _yes(mode.verified), mode.source
    for rail in board.rails:
        what = "all that the module draws" if rail.total else "a part"
        yield f"power rail {rail.label}", what, _yes(rail.verified), rail.source


def _caps(mode: PowerMode) -> str:
    caps = (
        (mode.watts, "W"),
        (mode.gpu_mhz, "MHz GPU"),
        (mode.gpu_sms, "SMs"),
        (mode.memory_gb_s, "GB/s"),
    )
    return ", ".join(f"{cap:g} {unit}" for cap, unit in caps if cap) or "no caps known"


def _value(fact: Fact[Any]) -> str:
    return f"{fact.value:g}" if isinstance(fact.value, int | float) else str(fact.value)


def _yes(verified: bool) -> str:
    return "yes" if verified else "no"


def _detect(argv: list[str]) -> int:
    arguments = Arguments("board detect", USAGE)
    arguments.add_argument("--root", type=Path, default=Path("/"))
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if not given.root.is_dir():
        raise InputError(f"there is no folder {given.root}", hint="name the top of a tree")
    found = detect(given.root)
    if given.json:
        say_json(asdict(found))
        return 0
    mode = found.power_mode
    rows = {
        "board": found.board or "not known",
        "why": found.why,
        "model": found.model,
        "compatible": ", ".join(found.compatible),
        "architecture": found.architecture,
        "processor": found.processor,
        "GPUs": ", ".join(found.gpus),
        "Jetson Linux": found.l4t,
        "JetPack": found.jetpack,
        "power mode": f"{mode.name or 'unnamed'} (ID {mode.id})" if mode else "",
        "power modes": ", ".join(f"{m.id} {m.name}" for m in found.power_modes),
    }
    table(("what", "value"), [(what, value or "–") for what, value in rows.items()])
    return 0
