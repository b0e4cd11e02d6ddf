"""`sealshot board check`: prove a board in one go; one JSON file and one page."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.board.check.fpga import forms_for, named_engine, port_of
from sealshot.benchmarks.board.check.report import INTERRUPTED, Report
from sealshot.benchmarks.board.check.run import run
from sealshot.benchmarks.board.check.steps import FAILED, STEPS, Plan, Subject
from sealshot.runtime.cli.arguments import Arguments, output_folder, positive_int, seconds
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.processors import processors
from sealshot.runtime.weights import SCORES, score_graph

USAGE = f"""
usage: sealshot board check -o DIR [options]

Prove this board in one go: what it is, that the engines build and open, that their scores are the
reference scores, that lower precisions lose no accuracy, how fast it is, what it draws. Each step
passes, fails, or is not available here. Writes check.json and check.html, after each step anew, so
that Ctrl-C leaves what is done. Exit code 1 if a step failed. On a new
board: `pip install 'sealshot[export,bench]'`, then this.

  -o, --output DIR    where the results go
  --score NAME        {", ".join(SCORES)}, or a score graph FILE.onnx; may be repeated (default all)
  --engine NAME       onnxruntime, tensorrt: must be usable; may be repeated (default: which are);
                      or fpga:PORT, as of `sealshot run`, with --score FILE.fpga
  --data DIR          data set for the accuracy gate, as of `sealshot erc compare`
  --recognizer FILE   the face matcher for it, ONNX
  --meter SPEC        as of `sealshot bench energy` (default auto)
  --skip STEP         {", ".join(name for name, _ in STEPS)}; may be repeated
  --seconds S         length of a turn of a measurement (default 1)
  --threads N         threads of the engines of the CPU (default: one a core)
  --json              print check.json too

example:
  sealshot board check --data lfw/ --recognizer matcher.onnx -o check/
  sealshot board check --engine fpga:/dev/ttyUSB0 --score out/quality.w8a9-stream.fpga -o check/
"""


def main(argv: list[str]) -> int:
    """Run `sealshot board check`."""
    arguments = Arguments("board check", USAGE)
    add = arguments.add_argument
    add("-o", "--output", type=output_folder, required=True)
    add("--score", action="append")
    add("--engine", action="append", type=named_engine, default=[])
    add("--data", type=Path)
    add("--recognizer", type=Path)
    add("--meter", default="auto")
    add("--skip", action="append", choices=[name for name, _ in STEPS], default=[])
    add("--seconds", type=seconds, default=1.0)
    add("--threads", type=positive_int, default=processors())
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    plan = Plan(
        out=given.output,
        scores=tuple(given.score or SCORES),
        engines=tuple(given.engine),
        data=given.data,
        recognizer=given.recognizer,
        meter=given.meter,
        seconds=given.seconds,
        threads=given.threads,
    )
    for path in (given.data, given.recognizer, *map(score_graph, plan.scores)):
        if path is not None and not path.exists():
            raise InputError(f"there is no {path}", hint="check the path")
    for engine in plan.engines:
        if port_of(engine) and not any(forms_for(score, engine) for score in plan.scores):
            raise InputError(
                f"no score is for {engine}", hint="name one with --score: out/NAME-stream.fpga"
            )
    steps = [(name, step) for name, step in STEPS if name not in given.skip]
    command = shlex.join(["sealshot", "board", "check", *argv])
    report = run(Subject(plan), steps, command)
    if given.json:
        say_json(asdict(report))
    else:
        _print(report)
    note(f"wrote {plan.out / 'check.json'} and {plan.out / 'check.html'}")
    if report.verdict == INTERRUPTED:
        return 130
    return 1 if report.verdict == FAILED else 0


def _print(report: Report) -> None:
    table(
        ("step", "verdict", ">s", "why"),
        ((s.name, s.outcome.verdict, f"{s.seconds:.1f}", s.outcome.why) for s in report.steps),
    )
    say(f"{report.title}: {report.verdict}")
