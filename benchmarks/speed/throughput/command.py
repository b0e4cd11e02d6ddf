"""`sealshot bench throughput`: faces and frames per second, latency, memory."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.throughput import cameras
from sealshot.benchmarks.speed.throughput.against import measure_against, print_against
from sealshot.benchmarks.speed.throughput.gather import EVERY_ENGINE
from sealshot.benchmarks.speed.throughput.measure import Plan, Result, measure
from sealshot.benchmarks.speed.throughput.tracks import Result as TracksResult
from sealshot.benchmarks.speed.throughput.tracks import measure_tracks
from sealshot.runtime.cli.arguments import (
    Arguments,
    output_file,
    positive_int,
    positive_ints,
    seconds,
)
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.demo.clip import write_clip
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import SCORES

BATCHES = "1,4,16,64"

USAGE = f"""
usage: sealshot bench throughput [options]

Measure faces per second of every score, engine and precision that is usable here, beside the same
scores in PyTorch, in a plain ONNX export and in OpenVINO, and beside the networks of other face
quality scores (with random weights); and frames per second of the whole pipeline, and how late
the frames of a camera are done that gives the clip at its own rate. All take turns, pinned to
cores. Closed loop: one call after another. Open loop: faces arrive at random moments.

  --engines NAME,...  all (default), or some of {", ".join(EVERY_ENGINE)}
  --score NAME,...    {", ".join(SCORES)}, or score graphs FILE.onnx (default: both)
  --batch N,...       faces in a call (default {BATCHES})
  --threads N,...     threads of an engine on the CPU, each pinned to a core (default 1)
  --clip FILE         where faces and frames come from (default: the clip of `sealshot demo`)
  --faces N           different faces to score (default 64)
  --rounds N          turns of each (default 5)
  --seconds S         length of a turn (default 0.3)
  --arrivals N        faces a second in the open loop (default: 80 % of what each can do)
  --runs N            runs of the whole pipeline, each in a process of its own (default 3)
  --tracks CLIP...    instead: score the tracks of these clips frame by frame, as a run does, int8
                      by itself and screening for fp32, and compare the frames that are chosen
  --against COMMIT    instead: run the whole pipeline of this build and of that commit of this
                      checkout, each in an environment of its own, in turns on --clip; --runs
                      rounds (default 3). Frames/s, processor time, memory, people, ratios
  --frames N          with --against: repeat the clip until it has so many frames (default: once)
  --cores N           with --against: cores that a run may use (default: all)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of tables

examples:
  sealshot bench throughput -o throughput.json
  sealshot bench throughput --engines onnxruntime,peers --score quality --batch 1 --clip crowd.mp4
  sealshot bench throughput --tracks clips/* --score rp -o tracks.json
  sealshot bench throughput --against v0.1 --clip crowd.mp4 --frames 1050 --cores 1
"""

INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench throughput", USAGE)
    add = arguments.add_argument
    add("--engines", default="all")
    add("--score", default=",".join(SCORES))
    add("--batch", type=positive_ints, default=positive_ints(BATCHES))
    add("--threads", type=positive_ints, default=(1,))
    add("--clip")
    add("--faces", type=positive_int, default=64)
    add("--rounds", type=positive_int, default=5)
    add("--seconds", type=seconds, default=0.3)
    add("--arrivals", type=seconds)
    add("--runs", type=positive_int, default=3)
    add("--tracks", nargs="+", default=[])
    add("--against")
    add("--frames", type=positive_int, default=0)
    add("--cores", type=positive_int, default=0)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if given.against:
        return _against(given, arguments)
    if given.frames or given.cores:
        arguments.error("--frames and --cores belong to --against")
    scores, engines = tuple(given.score.split(",")), named_engines(given.engines)
    if given.tracks:
        for name in ("batch", "clip", "faces", "arrivals", "runs"):
            if getattr(given, name) != arguments.get_default(name):
                arguments.error(f"--tracks goes frame by frame: leave --{name} out")
        on_tracks = measure_tracks(
            given.tracks, scores, engines, given.threads, given.rounds, given.seconds
        )
        return _finish(asdict(on_tracks), given, lambda: print_tracks(on_tracks))
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:
        result = measure(
            Plan(
                clip=given.clip or demo_clip(Path(folder)),
                scores=scores,
                engines=engines,
                batches=given.batch,
                threads=given.threads,
                faces=given.faces,
                rounds=given.rounds,
                seconds=given.seconds,
                arrivals_per_s=given.arrivals,
                runs=given.runs,
            )
        )
    return _finish(asdict(result), given, lambda: print_tables(result))


def _against(given: argparse.Namespace, arguments: Arguments) -> int:
    for name in ("engines", "score", "batch", "threads", "faces", "rounds", "seconds", "arrivals"):
        if getattr(given, name) != arguments.get_default(name):
            arguments.error(f"--against runs all of the pipeline: leave --{name} out")
    if given.tracks:
        arguments.error("--against and --tracks are two questions: ask one")
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:
        result = measure_against(
            given.against,
            given.clip or demo_clip(Path(folder)),
            frames=given.frames,
            rounds=given.runs,
            cores=given.cores,
        )
    done = _finish(asdict(result), given, lambda: print_against(result))
    return done if result.rounds == given.runs else INTERRUPTED


def _finish(fields: dict[str, Any], given: argparse.Namespace, show: Callable[[], None]) -> int:
    if given.json:
        say_json(fields)
    else:
        show()
    if given.output:
        write_result(given.output, fields)
    return 0


def named_engines(text: str) -> tuple[str, ...]:
    """Read the value of ``--engines``.

    Raises:
        InputError: there is no such engine.
    """
    if text == "all":
        return EVERY_ENGINE
    names = tuple(text.split(","))
    for name in names:
        if name not in EVERY_ENGINE:
            raise InputError(
                f"there is no engine '{name}'", hint=f"use all, or {', '.join(EVERY_ENGINE)}"
            )
    return names


def demo_clip(folder: Path) -> str:
    """Render the clip of `sealshot demo` and return its path."""
    clip = folder / "demo.avi"
    note("rendering the clip of `sealshot demo`")
    write_clip(clip)
    return str(clip)


def print_tables(result: Result) -> None:
    """Print the figures for people."""
    figures = (">faces/s", ">spread", ">p50, p95, p99 ms a call", ">MB", ">to eager", ">to plain")
    table(
        ("", ">batch", ">threads", *figures),
        (
            (
                row.name,
                str(row.batch),
                str(row.threads),
                f"{row.closed.faces_per_s.median:.0f}",
                f"{row.closed.faces_per_s.low:.0f} to {row.closed.faces_per_s.high:.0f}",
                ", ".join(f"{getattr(row.closed.call_ms, p):.2f}" for p in ("p50", "p95", "p99")),
                f"{row.peak_mb:.0f}",
                *(
                    f"{x.median:.2f}x" if x else ""
                    for x in (row.closed.to_eager, row.closed.to_plain)
                ),
            )
            for row in result.rows
        ),
        title="closed loop: one call after another",
    )
    table(
        ("", ">batch", ">threads", ">faces/s arrive", ">done", ">p50, p95, p99 ms from arrival"),
        (
            (
                row.name,
                str(row.batch),
                str(row.threads),
                f"{row.open.arrivals_per_s:.0f}",
                f"{row.open.done_per_s:.0f}",
                ", ".join(f"{getattr(row.open.face_ms, p):.2f}" for p in ("p50", "p95", "p99")),
            )
            for row in result.rows
        ),
        title="open loop: faces arrive at random",
    )
    table(
        ("whole pipeline", ">frames/s", ">spread", ">MB", "ms a frame"),
        (
            (
                f"{one.score}, {one.engine}",
                f"{one.fps.median:.1f}",
                f"{one.fps.low:.1f} to {one.fps.high:.1f}",
                f"{one.peak_mb:.0f}",
                ", ".join(f"{stage} {ms.median:.2f}" for stage, ms in one.stages_ms.items()),
            )
            for one in result.frames
        ),
    )
    _print_live(result.live)
    for left_out in result.left_out:
        note(f"not measured: {left_out.what}: {left_out.why}")
    say(
        f"{result.clip.name}, medians of {result.rounds} rounds on {result.environment.machine}, "
        f"{result.environment.cores} cores; the spread is that of the rounds"
    )
    _note_busy(result.conditions.busy_otherwise)


def _print_live(live: cameras.Row) -> None:
    (camera,) = live.cameras
    late = [f"{ms:.0f}" for ms in (camera.p50_ms, camera.p95_ms, camera.first_ms) if ms is not None]
    say(
        f"as a camera: {camera.fps:.1f} frames/s, {camera.dropped:.0%} dropped, and "
        f"{camera.dropped_at_start} of the first {cameras.START_S:g} s; from when a frame comes, "
        f"not yet decoded, to when all is done: half within {late[0]} ms, 95 of 100 within "
        f"{late[1]}, the first in {late[2]}; {live.busy:.2f} processors, {live.once_mb:.0f} MB"
    )


def _note_busy(cores: float | None) -> None:
    if cores and cores > 0.2:
        note(f"other processes kept {cores:.1f} cores busy: trust the ratios, not the rates")


def print_tracks(result: TracksResult) -> None:
    """Print the figures of tracks for people."""
    table(
        (
            "",
            ">threads",
            ">faces/s",
            ">spread",
            ">to eager",
            ">to plain",
            ">to fp32",
            ">same frame",
            ">scored again",
        ),
        (
            (
                row.name,
                str(row.threads),
                f"{row.faces_per_s.median:.0f}",
                f"{row.faces_per_s.low:.0f} to {row.faces_per_s.high:.0f}",
                *(
                    f"{x.median:.2f}x" if x else ""
                    for x in (row.to_eager, row.to_plain, row.to_fp32)
                ),
                "" if row.same is None else f"{100 * row.same:.1f} %",
                f"{100 * row.again['all']:.1f} %" if row.again else "",
            )
            for row in result.rows
        ),
        title="tracks, frame by frame",
    )
    for left_out in result.left_out:
        note(f"not measured: {left_out.what}: {left_out.why}")
    say(
        f"{result.faces} faces, {result.tracks} tracks of two or more, {len(result.clips)} clips; "
        f"medians of {result.rounds} rounds on {result.environment.machine}"
    )
    _note_busy(result.conditions.busy_otherwise)
