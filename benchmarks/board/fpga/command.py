"""`sealshot bench fpga`: the scorer's hardware against its model, its lines, what integers cost."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.kernels.rtl.build import netlist_board, top_at_its_pins
from sealshot.kernels.rtl.place import LIKELIHOOD, place, rtlil_likelihood, synthesise
from sealshot.kernels.rtl.tools import BuildError, versions
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import say, say_json, table
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.bytepipe import open_program
from sealshot.runtime.engines.fpga import SIMULATED_ANSWER_S, Board, simulation
from sealshot.runtime.engines.weight_stream import read_stream, same_graph
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import score_graph

STEPS = ("equality", "cells", "netlist", "links", "accuracy", "likelihood")
NETLIST_FACES = 2
SEEDS = (1, 2, 3)
LIKELIHOOD_MHZ = 160
USAGE = f"""
usage: sealshot bench fpga STREAM --faces DATA... [--steps LIST] [options]

Check the scorer's hardware in simulation. STREAM is a FILE.fpga of `sealshot export --engine fpga`,
with its integer graph beside it; DATA folders of face pictures, or FILE.npz with `crops`.

  equality   scores by RTL, NumPy and ONNX Runtime, of faces, black, white, noise and a
             checkerboard; and every layer's output of some
  cells      random traffic through a multiplier and block RAMs of each shape, as cells of the ECP5
             in a synthesised netlist and in their plain form
  netlist    scores of two faces, and every layer's output of one, by the synthesised netlist of the
             whole scorer, NumPy and ONNX Runtime (some five minutes, most of them to build it)
  links      faces a second over UART and SPI at their real rates, at the pins of the top
  accuracy   what the integers cost against the trained score in float32: on all faces, and of
             each track of --clips the frame that is chosen
  likelihood place and route of the likelihood unit, alone: clock by seed, cells

  --steps LIST        some of {",".join(STEPS)} (default equality,links)
  --crops N           faces compared (default 60; four hard pictures come on top)
  --every-layer N     of which every layer is compared (default 3, and a hard one)
  --clips CLIP...     whose tracks `accuracy` looks at
  --reference SCORE   the trained score that it compares with (default quality)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON

example:
  sealshot bench fpga out/quality.w8a9-stream.fpga --faces faces/ -o fpga-checks.json
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench fpga", USAGE)
    add = arguments.add_argument
    add("stream", type=Path)
    add("--faces", type=Path, nargs="+", required=True)
    add("--steps", default="equality,links")
    add("--crops", type=positive_int, default=60)
    add("--every-layer", type=positive_int, default=3)
    add("--clips", nargs="+", default=[])
    add("--reference", default="quality")
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    steps = given.steps.split(",")
    if unknown := [step for step in steps if step not in STEPS]:
        raise InputError(f"there is no step '{unknown[0]}'", hint=f"give some of {','.join(STEPS)}")
    from sealshot.export.sources import open_crops

    crops, name = open_crops(given.faces)
    chosen = np.random.default_rng(0).permutation(len(crops))[: given.crops]
    faces = crops[chosen]
    found: dict[str, Any] = {"faces": name, "stream": given.stream.name}
    try:
        if "equality" in steps:
            found["equality"] = asdict(_equality(given.stream, faces, given.every_layer))
        if "cells" in steps:
            found["cells"] = asdict(_cells())
        if "netlist" in steps:
            found["netlist"] = asdict(_netlist(given.stream, faces[:NETLIST_FACES]))
        if "links" in steps:
            found["links"] = _links(faces[:6])
        if "accuracy" in steps:
            found["accuracy"] = asdict(_accuracy(given.reference, given.stream, crops, given.clips))
        if "likelihood" in steps:
            found["likelihood"] = _likelihood()
    except BuildError as error:
        raise InputError(f"the simulation cannot be built: {error}", hint="see above") from error
    result = found | {"versions": versions(), "environment": asdict(environment())}
    if given.output:
        write_result(given.output, result)
    if given.json:
        say_json(result)
    else:
        _print(found)
    compared = (found.get(step, {}) for step in ("equality", "cells", "netlist"))
    return int(any(n for one in compared for name, n in one.items() if name.endswith("apart")))


def hard_pictures() -> NDArray[np.uint8]:
    """Return black, white, noise and a checkerboard, ``uint8 [4, 1, 64, 64]``."""
    y, x = np.mgrid[:CROP_PX, :CROP_PX]
    noise = np.random.default_rng(0).integers(0, 256, (CROP_PX, CROP_PX))
    pictures = [0 * noise, 0 * noise + 255, noise, 255 * ((y + x) % 2)]
    return np.stack(pictures).astype(np.uint8)[:, None]


def _equality(stream: Path, faces: NDArray[np.uint8], every_layer: int) -> Any:
    hard = hard_pictures()
    layers = np.concatenate([faces[:every_layer], hard[2:3]])
    return _compared(simulation(), stream, np.concatenate([faces, hard]), layers)


def _netlist(stream: Path, faces: NDArray[np.uint8]) -> Any:
    with tempfile.TemporaryDirectory(prefix="sealshot-netlist-") as folder:
        return _compared(netlist_board(Path(folder)), stream, faces, faces[:1])


def _compared(
    program: Path, stream: Path, crops: NDArray[np.uint8], every_layer: NDArray[np.uint8]
) -> Any:
    from sealshot.benchmarks.board.fpga.equality import compare  # it needs onnx and amaranth

    board = Board(lambda: open_program(program), read_stream(stream), "sim", SIMULATED_ANSWER_S)
    try:
        return compare(board, stream, crops, every_layer)
    finally:
        board.close()


def _cells() -> Any:
    from sealshot.benchmarks.board.fpga.cells import compare_cells

    return compare_cells()


def _links(faces: NDArray[np.uint8]) -> list[dict[str, Any]]:
    from sealshot.benchmarks.board.fpga.links import rates

    with tempfile.TemporaryDirectory(prefix="sealshot-pins-") as folder:
        return [asdict(rate) for rate in rates(top_at_its_pins(Path(folder)), faces)]


def _accuracy(reference: str, stream: Path, crops: NDArray[np.uint8], clips: list[str]) -> Any:
    from sealshot.benchmarks.board.fpga.accuracy import compare_graphs
    from sealshot.benchmarks.speed.throughput.tracks import follow

    footage = [follow(clip) for clip in clips]
    return compare_graphs(score_graph(reference), same_graph(stream), crops, footage)


def _likelihood() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sealshot-likelihood-") as scratch:
        folder = Path(scratch)
        synthesise(folder, LIKELIHOOD, rtlil_likelihood())
        placed = place(folder, LIKELIHOOD, LIKELIHOOD_MHZ, SEEDS)
    return {
        "design_sha256": placed.design_sha256,
        "mhz_by_seed": {str(one.seed): one.mhz for one in placed.routed},
        "used": {name: asdict(used) for name, used in placed.used.items()},
    }


def _print(found: dict[str, Any]) -> None:
    for step, what in (("equality", "RTL"), ("netlist", "the netlist")):
        if equality := found.get(step):
            say(
                f"{equality['crops']} crops by {what}, NumPy and ONNX Runtime: "
                f"{equality['scores_apart']} scores apart; every layer of {equality['layers_of']}: "
                f"{equality['layers_apart']} layers apart"
            )
    if cells := found.get("cells"):
        say(
            f"cells of the ECP5 and their plain form, {cells['cycles']} cycles: "
            f"{cells['signatures_apart']} of {cells['signatures']} signatures apart"
        )
    if accuracy := found.get("accuracy"):
        say(
            f"{accuracy['crops']} crops: Spearman {accuracy['spearman']:.5f} to float32, rms "
            f"{accuracy['rms']:.3g} of a spread of {accuracy['spread']:.3g}"
        )
        if choices := accuracy["choices"]:
            say(
                f"the same frame in {choices['same']} of {choices['tracks']} tracks; what is "
                f"chosen loses {choices['mean_loss']:.4f} in the mean, {choices['worst_loss']:.3f} "
                "at most"
            )
    if likelihood := found.get("likelihood"):
        by_seed = ", ".join(f"{s}: {mhz:.1f}" for s, mhz in likelihood["mhz_by_seed"].items())
        used = ", ".join(f"{cells['used']} {name}" for name, cells in likelihood["used"].items())
        say(f"likelihood unit: highest clock by seed, MHz: {by_seed}; {used}")
    if "links" in found:
        table(
            ("line", ">Mbit/s", "pictures", ">bytes a face", ">faces/s"),
            (
                (
                    rate["line"],
                    f"{rate['bits_per_s'] / 1e6:g}",
                    "packed" if rate["packed"] else "as they are",
                    f"{rate['bytes_per_face']:.0f}",
                    f"{rate['faces_per_s']:.1f}",
                )
                for rate in found["links"]
            ),
        )
