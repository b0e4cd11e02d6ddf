"""`sealshot export`: a trained score in the precisions and forms that engines run."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from sealshot.export.golden import golden_crops
from sealshot.runtime.cli.arguments import Arguments, positive_int
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import say, say_json, table
from sealshot.runtime.engines.eyes import copy_eyes
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder, write_atomic
from sealshot.runtime.sources.board import find_board
from sealshot.runtime.weights import SCORES, score_graph
from sealshot.runtime.weights.forms import (
    GENERAL,
    PRECISIONS,
    RECIPES,
    form_suffix,
    processor_recipes,
)

CALIBRATION_CROPS = 1024
COMPARED = 256
"""Crops whose scores are compared with float64."""

LEAST_RANK = 0.99
"""Spearman correlation with float64: a form below it is not written."""


def own_recipe() -> str:
    """Return the recipe of this processor."""
    return processor_recipes()[0]


USAGE = f"""
usage: sealshot export MODEL -o DIR [--precision LIST] [--calibrate DATA...] [options]
       sealshot export MODEL.onnx --engine tensorrt [--board NAME] [-o DIR] [options]
       sealshot export MODEL --engine fpga --calibrate DATA... -o DIR [--board ulx3s] [--json]
       sealshot export deid CHECKPOINT -o FILE.onnx

Write a trained score as DIR/NAME.onnx (fp32), DIR/NAME.fp16.onnx and DIR/NAME.int8.onnx, each with
its manifest, and compare each with the trained model in float64; below a rank correlation of
{LEAST_RANK} nothing is written. MODEL is a score that ships
({", ".join(SCORES)}), a FILE.onnx of fp32, or a FILE.ckpt of `sealshot train`.
{needs("export")}
With --engine tensorrt, build the plan of a graph on this board, which needs none of it.

  -o DIR              where the files are written
  --precision LIST    {", ".join(PRECISIONS)}, with commas between (default fp32)
  --calibrate DATA    folders of face pictures, or FILE.npz with `crops`; needed for int8. All of
                      it gives the percentiles, {CALIBRATION_CROPS} of it the ranges of int8
  --calibration-crops N  (default {CALIBRATION_CROPS})
  --calibrator RULE   minmax (default), percentile, entropy
  --recipe NAME       of int8: {", ".join(RECIPES)} (default here: {own_recipe()}); cpu is right on
                      any processor; the others are written as DIR/NAME.int8-RECIPE.onnx
  --samples L         latent samples of rp; 0 or mean: the mean alone (default: the model's own)
  --pixels            also write rp up to the Gaussians of the pixels, for TensorRT with the
                      likelihood in our kernel: DIR/rp-pixels.onnx, DIR/rp-pixels.fp16.onnx
  --sensitivity       also measure int8 in each layer alone
  --json              print the figures as JSON

  --engine fpga       write DIR/NAME.w8a9.onnx, the integers that the FPGA computes, exact in
                      ONNX Runtime, and DIR/NAME.w8a9-stream.fpga, what a board is loaded with;
                      for `quality`. With --board ulx3s also DIR/ulx3s.bit and its report
                      DIR/ulx3s.json: synthesis, place and route, once for each version of the
                      hardware, which takes some ten minutes a seed
  --seeds LIST        of place and route, with commas between; the fastest is taken (default 1)
  --engine tensorrt   build a plan on the machine that will run it
  --board NAME        for tensorrt: refuse to build on any other board
  --batch LEAST:USUAL:MOST  crops at once (default 1:8:32)
  --dla CORE          build for this deep-learning accelerator
  --rebuild           build even if there is a plan

examples:
  sealshot export rp -o models/ --precision fp32,fp16,int8 --calibrate faces/
  sealshot export quality.ckpt -o models/ --precision fp32,int8 --calibrate trained/faces-a.npz
  sealshot export quality --engine fpga --calibrate faces/ --board ulx3s -o models/
  sealshot export models/rp.fp16.onnx --engine tensorrt --board orin-nano-8gb
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    if argv[:1] == ["deid"]:
        from sealshot.export.deid.command import export as export_deid

        return export_deid(argv[1:])
    arguments = Arguments("export", USAGE)
    add = arguments.add_argument
    add("model")
    add("-o", dest="out", type=Path)
    add("--precision", default="fp32")
    add("--calibrate", type=Path, nargs="+", default=[])
    add("--calibration-crops", type=positive_int, default=CALIBRATION_CROPS)
    add("--calibrator", choices=("minmax", "percentile", "entropy"), default="minmax")
    add("--recipe", choices=tuple(RECIPES))
    add("--samples", type=_samples)
    add("--pixels", action="store_true")
    add("--sensitivity", action="store_true")
    add("--json", action="store_true")
    add("--engine", choices=("onnxruntime", "tensorrt", "fpga"), default="onnxruntime")
    add("--board")
    add("--seeds", type=_seeds, default=(1,))
    add("--batch", type=_batch)
    add("--dla", type=int)
    add("--rebuild", action="store_true")
    given = arguments.parse_args(argv)
    given.recipe = given.recipe or own_recipe()
    if given.engine == "tensorrt":
        return _build_plan(given)
    if given.out is None:
        raise InputError("where are the files to be written?", hint="name a folder with -o")
    if given.engine == "fpga":
        return _export_fpga(given)
    wanted = tuple(dict.fromkeys(given.precision.split(",")))
    if unknown := [p for p in wanted if p not in PRECISIONS]:
        raise InputError(
            f"there is no precision '{unknown[0]}'", hint=f"give some of {','.join(PRECISIONS)}"
        )
    if not given.calibrate and ("int8" in wanted or given.sensitivity):
        raise InputError("int8 must be calibrated", hint="add --calibrate FOLDER-OF-FACES")
    return _export(given, wanted)


def _export(given: argparse.Namespace, wanted: tuple[str, ...]) -> int:
    # torch and onnx are loaded here: building a plan on a board needs neither
    from sealshot.export.nets.pixels import export_pixels
    from sealshot.export.quantise.precisions import (
        Calibration,
        compare,
        export_precision,
        score_distribution,
    )
    from sealshot.export.quantise.sensitivity import sensitivity
    from sealshot.export.sources import open_crops, open_trained

    graph, manifest, complete = open_trained(given.model, given.samples)
    crops, calibration = None, None
    if given.calibrate:
        crops, name = open_crops(given.calibrate)
        chosen = np.random.default_rng(0).permutation(len(crops))[: given.calibration_crops]
        calibration = Calibration(crops[chosen], name, given.calibrator, given.recipe)
    elif not complete:
        raise InputError(
            "the distribution of these scores is not known", hint="add --calibrate FOLDER-OF-FACES"
        )
    make_folder(given.out, "name another with -o")
    judged = crops[:COMPARED] if crops is not None else golden_crops()
    if not complete and crops is not None:
        manifest = replace(manifest, score_quantiles=score_distribution(graph, manifest, crops))
    exported = []
    with tempfile.TemporaryDirectory(prefix="sealshot-export-") as folder:
        made = Path(folder)
        for precision in wanted:
            suffix = form_suffix(precision, given.recipe if precision == "int8" else GENERAL)
            path = made / f"{manifest.name}{suffix}"
            export_precision(graph, manifest, precision, path, calibration, crops)
            form = compare(graph, path, precision, judged)
            if not form.spearman >= LEAST_RANK:  # it is NaN where all scores are the same
                raise InputError(
                    f"{path.name} would rank faces otherwise than the trained model: Spearman "
                    f"{form.spearman:.3f}, below {LEAST_RANK}; nothing was written",
                    hint="calibrate with more faces and more varied ones",
                )
            exported.append(replace(form, path=given.out / path.name))
            if given.pixels and precision != "int8":
                export_pixels(graph, manifest, precision, made / f"{manifest.name}-pixels{suffix}")
        trained = given.model.endswith(".ckpt")
        copy_eyes(Path(given.model) if trained else score_graph(given.model), manifest, given.out)
        for file in sorted(made.iterdir(), key=lambda f: f.suffix == ".json"):  # manifests last
            write_atomic(given.out / file.name, file.read_bytes())
    costs = sensitivity(graph, calibration, judged) if given.sensitivity and calibration else ()
    if given.json:
        files = [asdict(e) | {"path": str(e.path)} for e in exported]
        say_json({"files": files, "sensitivity": [asdict(c) for c in costs]})
        return 0
    table(
        ("file", "precision", ">MB", ">Spearman", ">largest difference", ">mean", ">spread"),
        (
            (
                str(e.path),
                e.precision,
                f"{e.size / 1e6:.2f}",
                f"{e.spearman:.5f}",
                *(f"{x:.3g}" for x in (e.max_difference, e.mean_difference, e.spread)),
            )
            for e in exported
        ),
    )
    if costs:
        table(
            ("int8 in", ">Spearman", ">mean difference", ">its spread"),
            (
                (
                    c.layer,
                    f"{c.spearman:.5f}",
                    f"{c.mean_difference:.3g}",
                    f"{c.spread_of_difference:.3g}",
                )
                for c in costs
            ),
        )
    say(f"compared with the trained model in float64 on {len(judged)} crops")
    return 0


def _export_fpga(given: argparse.Namespace) -> int:
    from sealshot.export.fpga.files import export_fpga, tell
    from sealshot.export.sources import open_crops

    if not given.calibrate:
        raise InputError("the integers must be calibrated", hint="add --calibrate FOLDER-OF-FACES")
    model = score_graph(given.model)
    board = find_board(given.board) if given.board else None
    if board:
        from sealshot.export.fpga import bitstream  # it needs amaranth, which the files do not

        bitstream.must_fit(board)
    crops, name = open_crops(given.calibrate)
    make_folder(given.out, "name another with -o")
    files = export_fpga(model, crops, name, given.out)
    if not given.json:
        tell(files)
    found = asdict(files) | {"graph": str(files.graph), "stream": str(files.stream)}
    if board:
        built = bitstream.build_bitstream(board, given.out, given.seeds)
        found["bitstream"] = built.figures
        if not given.json:
            bitstream.tell(built)
    if given.json:
        say_json(found)
    return 0


def _build_plan(given: argparse.Namespace) -> int:
    from sealshot.export.tensorrt.build import build
    from sealshot.runtime.engines.plans import DEFAULT_BATCH, Batch

    model = score_graph(given.model)
    batch = Batch(*given.batch) if given.batch else DEFAULT_BATCH
    built = build(
        model,
        given.out,
        board=given.board,
        batch=batch,
        dla_core=given.dla,
        rebuild=given.rebuild,
    )
    if given.json:
        say_json({"plan": str(built.plan), "from_cache": built.from_cache})
    else:
        say(f"{'found' if built.from_cache else 'built'}: {built.plan}")
    return 0


def _samples(text: str) -> int:
    if text == "mean":
        return 0
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of samples, or mean")
    return int(text)


def _seeds(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and part.isascii() for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of seeds such as 1,2,3")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _batch(text: str) -> tuple[int, int, int]:
    parts = [int(p) for p in text.split(":") if p.isdecimal()]
    if len(parts) != 3 or text.count(":") != 2:
        raise argparse.ArgumentTypeError(f"'{text}' is no batch such as 1:8:32")
    return parts[0], parts[1], parts[2]
