"""`sealshot erc`: error-versus-reject curves of quality scores on real faces."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sealshot.benchmarks.accuracy.erc import (
    attributes,
    compare,
    degrade,
    groups,
    leak,
    mix,
    shots,
    tracks,
    walks,
)
from sealshot.benchmarks.accuracy.erc.evaluate import evaluate, starts
from sealshot.benchmarks.accuracy.erc.inputs import SHARED_USAGE, Inputs, add_inputs, load
from sealshot.benchmarks.accuracy.erc.report import Cost, Evidence, as_json, print_tables
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result, writing
from sealshot.runtime.cli.arguments import Arguments, output_folder
from sealshot.runtime.cli.terminal import note, say, say_json, warn
from sealshot.runtime.errors import InputError

DEFAULT_SCORES = ("quality", "rp", "sharpness", "size", "confidence", "random")

USAGE = f"""
usage: sealshot erc DATASET --recognizer MATCHER.onnx [--score SCORE]... [-o DIR] [options]
       sealshot erc compare --reference A --candidate B DATASET [options]
       sealshot erc degrade DATASET [--score SCORE]... [-o DIR] [options]
       sealshot erc shots DATASET... --recognizer MATCHER.onnx [--score SCORE]... [options]
       sealshot erc tracks CLIP... --gallery DIR --recognizer MATCHER.onnx [options]
       sealshot erc walks DATASET --recognizer MATCHER.onnx [--background CLIP]... [options]
       sealshot erc leak DATASET [--of GRAPH[:TENSOR]]... [--recognizer MATCHER.onnx] [options]
       sealshot erc groups DATASET [--score SCORE]... [options]
       sealshot erc attributes DATASET --attributes FILE --of NAME [options]
       sealshot erc mix DATASET -o DIR [options]

Draw error-versus-reject curves: how fast the failures of a face matcher go away when the pictures
of lowest quality are discarded. The first --score is the one in question, the others stand beside
it. The other commands (`sealshot erc compare --help` and so on explain them):

  compare     the accuracy gate for CI: has a candidate model lost accuracy against its reference?
  degrade     does a score fall when the picture gets worse?
  shots       of a person's photographs, does the score choose the one that a matcher wants?
  tracks      of each track, is the frame that the score chooses near other pictures of the person?
  walks       on rendered walks, where it is known, does the score choose the best frame?
  leak        can people be told apart by a score, or by what it is computed from?
  groups      does a score treat groups of people alike?
  attributes  is a smile, a hat or a pair of glasses preferred, of one person?
  mix         a copy of a data set, some of its pictures degraded, to draw curves of

{SHARED_USAGE}
  --score SCORE       a score to judge; may be repeated (default: {" ".join(DEFAULT_SCORES)}).
                      One of them; icao; brisque; lightqnet:FILE.pb; reconstruction:FILE.onnx;
                      told:NAME, as told:sharpness: a number that the reason of a shot tells;
                      a score graph FILE.onnx; LABEL=SCORE calls it something else
  -o, --output DIR    write the report: index.html, erc.json, curves as SVG and PNG
  --ranked-faces      also draw faces ranked by each score into DIR (THE PICTURE SHOWS FACES)
  --json              print erc.json instead of tables

examples:
  sealshot erc lfw/ --recognizer matcher.onnx --score rp --score sharpness -o report/
  sealshot erc pairs.csv --recognizer matcher.onnx --score mine.onnx --fmr 0.001 -o report/
  sealshot erc scores.npz --fnmr 0.01
"""

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "attributes": attributes.main,
    "compare": compare.main,
    "degrade": degrade.main,
    "groups": groups.main,
    "leak": leak.main,
    "mix": mix.main,
    "shots": shots.main,
    "tracks": tracks.main,
    "walks": walks.main,
}


def main(argv: list[str]) -> int:
    """Run the command, or the one below it that ``argv`` names."""
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    arguments = Arguments("erc", USAGE)
    add_inputs(arguments)
    arguments.add_argument("--score", action="append", default=[])
    arguments.add_argument("-o", "--output", type=output_folder)
    arguments.add_argument("--ranked-faces", action="store_true")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if given.ranked_faces and not given.output:
        raise InputError("--ranked-faces needs a folder to write to", hint="add -o DIR")

    inputs = load(given, tuple(given.score), DEFAULT_SCORES)
    lines = [
        evaluate(
            inputs.comparisons,
            inputs.qualities,
            start,
            replicates=given.replicates,
            seed=given.seed,
        )
        for start in starts(inputs.comparisons, given.fnmr, given.fmr)
    ]
    command = shlex.join(["sealshot", "erc", *argv])
    evidence = Evidence(
        setting=replace(inputs.setting, command=command),
        lines=tuple(map(tuple, lines)),
        costs={name: Cost(*cost) for name, cost in inputs.costs().items()},
        environment=environment(),
    )
    if given.json:
        say_json(as_json(evidence))
    else:
        print_tables(evidence)
    if given.output:
        write_report(evidence, inputs, given.output, ranked_faces=given.ranked_faces)
        say_to = note if given.json else say
        say_to(f"report: {given.output / 'index.html'}")
    return 0


def write_report(evidence: Evidence, inputs: Inputs, folder: Path, *, ranked_faces: bool) -> None:
    """Write the report into a folder, made if absent.

    Raises:
        InputError: the folder cannot be written, or faces are asked for and there are none.
    """
    from sealshot.benchmarks.accuracy.erc import (
        page,  # matplotlib is an extra
        plots,  # matplotlib is an extra
    )

    write_result(folder / "erc.json", as_json(evidence), "folder")
    with writing(folder, "folder"):
        figures = []
        for lines in evidence.lines:
            name = lines[0].start.label.lower().replace(" ", "-")
            curves = plots.draw_curves(lines, folder / f"erc-{name}")
            bands = plots.draw_bands(lines, folder / f"erc-{name}-each")
            figures.append([curves[0], bands[0]])
        page.write_page(evidence, figures, folder / "index.html")
        if ranked_faces:
            if inputs.faces is None:
                raise InputError("an .npz file holds no faces to rank", hint="drop --ranked-faces")
            plots.draw_ranked(inputs.faces, inputs.face_qualities, folder / "ranked-faces")
            warn(f"{folder / 'ranked-faces.png'} SHOWS FACES of the data set, in plain: keep it so")
