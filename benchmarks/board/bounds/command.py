"""`sealshot board project`: what boards can reach at most on a score, and how far this one gets."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from sealshot.benchmarks.board.bounds.roofs import PRECISIONS, Bound, bound, measured_roofs, roofs
from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.graph_cost import Layer, read_layers
from sealshot.boards import boards, detect
from sealshot.runtime.cli.arguments import Arguments, output_folder, positive_int
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.processors import processors
from sealshot.runtime.sources.board import find_board
from sealshot.runtime.weights import DEFAULT_SCORE, SCORES, score_graph
from sealshot.runtime.weights.forms import forms

if TYPE_CHECKING:  # onnx, which it needs, is an extra
    from sealshot.benchmarks.board.bounds.peaks import Peaks

USAGE = f"""
usage: sealshot board project [BOARD...] [options]

Say what boards can reach at most on a score, by roofline: multiply-accumulates and bytes of the
graph against the arithmetic and the memory of the board. A bound, not a forecast: nothing real
reaches it. The machine at hand is measured, so that you see how far from its bound it stays.
BOARD is a name of `sealshot board list`, or auto; of boards that are named each power mode is
shown. Without one, all boards at their highest clocks.
{needs("bench")}

  --score NAME        {", ".join(SCORES)} (default {DEFAULT_SCORE}), or a score graph FILE.onnx
  --precision LIST    some of {",".join(PRECISIONS)} (default all)
  --batch N           crops in one pass (default 16)
  --threads N         threads of the machine at hand (default: one a core)
  --rounds N          rounds of its measurement (default 5); 0 measures nothing
  --layers            print the layers too
  -o, --output DIR    write projection.json, and a roofline a precision as SVG and PNG
  --json              print the figures as JSON

example:
  sealshot board project orin-nano-8gb agx-orin-64gb --score rp --precision int8 -o roofs/
"""


@dataclass(frozen=True)
class Check:
    """The machine at hand: what the bound says, and what was measured."""

    bound: Bound
    peaks: Peaks
    model: str
    faces_per_s: float
    """Median of the rounds."""
    faces_per_s_best: float
    share: float
    """Best measured over bound: above 1 the bound would be wrong."""
    rounds: int


@dataclass(frozen=True)
class Projection:
    """All bounds of one score."""

    score: str
    model_sha256: str
    macs_per_face: int
    """Of the model as trained: the fewest that any of its forms does; what the bounds rest on."""
    graph_macs_per_face: int
    """Of the graph that ships, which may do more where that is faster."""
    weights: int
    batch: int
    bounds: tuple[Bound, ...]
    missing: tuple[str, ...]
    """Boards without a rate for a precision, in words."""
    checks: tuple[Check, ...]
    """The machine at hand, each form of the score that it runs; empty where not measured."""
    environment: Environment


def main(argv: list[str]) -> int:
    """Run `sealshot board project`."""
    arguments = Arguments("board project", USAGE)
    add = arguments.add_argument
    add("boards", nargs="*", metavar="BOARD")
    add("--score", default=DEFAULT_SCORE)
    add("--precision", type=_precisions, default=PRECISIONS)
    add("--batch", type=positive_int, default=16)
    add("--threads", type=positive_int, default=processors())
    add("--rounds", type=int, default=5)
    add("--layers", action="store_true")
    add("-o", "--output", type=output_folder)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    for name in given.boards:
        find_board(name)  # a wrong name is told before anything is measured
    model = score_graph(given.score)
    layers = read_layers(model, given.batch)
    checks: tuple[Check, ...] = ()
    if given.rounds > 0:
        checks = measure(model, layers, given.batch, given.threads, given.rounds)
    projection = project(model, layers, given.batch, given.boards, given.precision, checks)
    if given.json:
        say_json(asdict(projection))
    else:
        if given.layers:
            _print_layers(layers, given.batch)
        _print(projection)
    if given.output:
        from sealshot.benchmarks.board.bounds.picture import draw_roofline

        write_result(given.output / "projection.json", asdict(projection))
        for precision in given.precision:
            draw_roofline(projection, layers, precision, given.output / f"roofline-{precision}")
        note(f"wrote {given.output}")
    return 0


def project(
    model: Path,
    layers: Sequence[Layer],
    batch: int,
    names: Sequence[str],
    precisions: Sequence[str],
    checks: tuple[Check, ...] = (),
) -> Projection:
    """Return the bounds of a score on boards.

    Args:
        model: the score graph that ``layers`` were read from.
        layers: at ``batch``.
        batch: crops in one pass.
        names: of boards, with all their power modes; none: all boards at their highest clocks.
        precisions: which ones.
        checks: of the machine at hand.

    Raises:
        InputError: there is no such board.
    """
    chosen = [find_board(name) for name in names] or list(boards().values())
    bounds, missing, fewest = [], [], load_manifest(model).macs_per_face
    for board in chosen:
        for precision in precisions:
            found = roofs(board, precision, all_modes=bool(names))
            bounds += [bound(layers, batch, roof, fewest) for roof in found]
            if not found and (names or board.kind != "cpu"):
                missing.append(f"{board.name}: no {precision} rate is known")
    if checks:
        mine = measured_roofs(checks[0].bound.roof.board, checks[0].peaks)
        bounds += [bound(layers, batch, mine[p], fewest) for p in precisions if p in mine]
    return Projection(
        score=model.stem,
        model_sha256=load_manifest(model).sha256,
        macs_per_face=fewest,
        graph_macs_per_face=sum(layer.macs for layer in layers) // batch,
        weights=sum(layer.weights for layer in layers),
        batch=batch,
        bounds=tuple(bounds),
        missing=tuple(missing),
        checks=checks,
        environment=environment(("onnx",)),
    )


def measure(
    model: Path, layers: Sequence[Layer], batch: int, threads: int, rounds: int
) -> tuple[Check, ...]:
    """Measure the peaks of this machine and the score on it, in turn: a busy machine slows both.

    Args:
        model: the score graph; its int8 form is measured too, where there is one.
        layers: of it, at ``batch``.
        batch: crops in one pass.
        threads: for all.
        rounds: at least 1.
    """
    manifest = load_manifest(model)
    files = {p: f for p, f in forms(model).items() if p != "fp16"} or {manifest.precision: model}
    sessions = {p: open_session(file, threads=threads) for p, file in files.items()}
    crops = np.random.default_rng(0).integers(0, 256, (batch, 1, 64, 64)).astype(np.uint8)
    from sealshot.benchmarks.board.bounds.peaks import PeakMeter

    meter = PeakMeter(threads)
    rates: dict[str, list[float]] = {precision: [] for precision in sessions}
    with progress("measuring this machine", rounds) as bar:
        for turn in range(rounds):
            peaks = meter.round()
            for precision, session in sessions.items():
                session.run(None, {"crops": crops})
                start, passes = time.perf_counter(), 0
                while passes < 3 or time.perf_counter() - start < 0.3:
                    session.run(None, {"crops": crops})
                    passes += 1
                rates[precision].append(passes * batch / (time.perf_counter() - start))
            bar.update(turn + 1)
    mine = measured_roofs(detect().board or "this machine", peaks)
    checks = []
    for precision, measured in rates.items():  # fp16 files run in fp32 on a processor
        limit = bound(
            layers, batch, mine["int8" if precision == "int8" else "fp32"], manifest.macs_per_face
        )
        checks.append(
            Check(
                bound=limit,
                peaks=peaks,
                model=files[precision].name,
                faces_per_s=median(measured),
                faces_per_s_best=max(measured),
                share=max(measured) / limit.faces_per_s,
                rounds=rounds,
            )
        )
    return tuple(checks)


def _precisions(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(PRECISIONS):
        raise argparse.ArgumentTypeError(f"'{text}' is not some of {','.join(PRECISIONS)}")
    return names


def _print_layers(layers: Sequence[Layer], batch: int) -> None:
    table(
        ("layer", "kind", ">MMACs/face", ">weights", ">in/face", ">out/face", ">op/B, fp32, int8"),
        (
            (
                layer.name,
                layer.kind,
                f"{layer.macs / batch / 1e6:.2f}",
                f"{layer.weights:,}",
                f"{layer.inputs // batch:,}",
                f"{layer.outputs // batch:,}",
                f"{layer.intensity('fp32'):.1f}, {layer.intensity('int8'):.1f}",
            )
            for layer in layers
        ),
    )
    say()


def _print(projection: Projection) -> None:
    say(
        f"{projection.score}: {projection.macs_per_face / 1e6:.1f} MMACs a face, "
        f"{projection.weights / 1e6:.2f} M weights, batch {projection.batch}. "
        "Upper bounds, not forecasts."
    )
    table(
        (
            "board",
            "power mode",
            "precision",
            ">TOP/s",
            ">GB/s",
            ">faces/s at most",
            "bound by",
            ">at most, layer by layer",
            ">W",
            ">mJ/face at that W, at least",
            "rates",
        ),
        (_row(line) for line in projection.bounds),
    )
    for sentence in projection.missing:
        note(sentence)
    for check in projection.checks:
        say(
            f"checked here, {check.model}, {check.peaks.threads} thread(s): at most "
            f"{check.bound.faces_per_s:.0f} faces/s, layer by layer "
            f"{check.bound.faces_per_s_by_layer:.0f}; measured {check.faces_per_s:.0f} "
            f"(best {check.faces_per_s_best:.0f}): {100 * check.share:.0f} % of the bound"
        )
    note(
        "layer by layer: if what goes in and out of each layer passes through memory. mJ/face: if "
        "the board draws the whole budget of its mode. fp32 is without TF32; int8 without sparsity"
    )


def _row(line: Bound) -> tuple[str, ...]:
    roof = line.roof
    return (
        roof.board,
        roof.mode,
        roof.precision,
        f"{roof.tops:.3g}",
        f"{roof.memory_gb_s:.4g}",
        f"{line.faces_per_s:,.0f}",
        line.limit,
        f"{line.faces_per_s_by_layer:,.0f}",
        f"{roof.watts:g}" if roof.watts else "–",
        f"{1e3 * line.joules_at_budget:.3g}" if line.joules_at_budget else "–",
        roof.basis,
    )
