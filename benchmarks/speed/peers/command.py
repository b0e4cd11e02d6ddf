"""`sealshot bench peers`: whole pipelines side by side on the same clips, in turns."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from sealshot.benchmarks.accuracy.tracking import Errors
from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.process import Ran, ran
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.benchmarks.speed.peers.commands import PACKAGES, SMALL_PX, commands_of
from sealshot.benchmarks.speed.peers.judge import Found, Judge, Kept
from sealshot.benchmarks.speed.throughput.against import on_cores
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.runtime.cli.arguments import Arguments, natural_int, output_file, positive_int
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table
from sealshot.runtime.detect import MIN_FACE_PX
from sealshot.runtime.errors import InputError

LEFT_OUT = (
    "uniface (4.2.1 looked at): there are no weights in its package; it fetches them when used",
)

USAGE = f"""
usage: sealshot bench peers CLIP... [options]

Run whole pipelines on each CLIP in turns, each a process of its own on the same cores: sealshot;
and facenet-pytorch's MTCNN, OpenCV's YuNet at full size and {SMALL_PX} px wide, frame by frame with
ByteTrack (roboflow's trackers), which keep of each person the largest and the sharpest face. All
look for faces of {MIN_FACE_PX} px and more. It needs sealshot[export], and installs what the others
need into the cache.

  --yunet FILE        YuNet's model; without it YuNet is left out
  --truth DIR         hand labels, as `bench tracking` takes them: who is found, who is mixed up
  --gallery DIR       a folder a person, as `erc tracks` takes it, with --recognizer: how far a kept
                      picture is from other pictures of the person
  --recognizer FILE   the matcher
  --lightqnet FILE    LightQNet (.pb), which rates kept pictures of those whom all have found
  --rounds N          runs of each on each clip (default 2)
  --cores N           cores that a run may use (default: all)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of tables

example:
  sealshot bench peers crowd.mp4 --yunet yunet.onnx --truth tests/data/tracks -o peers.json
"""


@dataclass(frozen=True)
class Run:
    """One pipeline on one clip."""

    clip: str
    pipeline: str
    frames: int
    fps: Spread
    """From the first frame on."""
    cpu_ms: Spread
    """Processor time a frame, all threads, the start included."""
    first_s: Spread
    """From the start of the process to when the first frame was done."""
    peak_mb: Spread
    once_mb: Spread
    """See :class:`Ran`."""
    people: int
    """Tracks that are in view for long enough."""
    errors: Errors | None
    """By hand labels."""


@dataclass(frozen=True)
class Pictures:
    """What the kept pictures are worth, of the same people for all."""

    pipeline: str
    rule: str
    people: int
    no_face: int
    """Of them, those in whose picture MTCNN as published finds no face."""
    lightqnet: float | None
    """Mean, 0 to 1, of those that all have a face of."""
    compared: int
    """With a gallery."""
    distance: float | None
    """Mean of the matcher to other pictures of the person."""
    unlike: float | None
    """Mean share of these that it takes for somebody else."""


@dataclass(frozen=True)
class Result:
    """All of it."""

    kind: str
    clips: tuple[Clip, ...]
    cores: int
    rounds: int
    runs: tuple[Run, ...]
    pictures: tuple[Pictures, ...]
    kept: dict[str, list[Kept]]
    """By pipeline and rule."""
    left_out: tuple[str, ...]
    versions: dict[str, str]
    conditions: Conditions
    environment: Environment


def measure(
    clips: Sequence[Path], judge: Judge, yunet: Path | None, *, rounds: int, cores: int
) -> Result:
    """Run all pipelines on all clips, in turns.

    Args:
        clips: videos.
        judge: of what they find.
        yunet: YuNet's model.
        rounds: runs of each on each.
        cores: that a process may use; 0: all.

    Raises:
        InputError: a clip cannot be read, or this has no PyTorch.
        SealshotError: a pipeline failed.
    """
    told = tuple(describe_clip(str(clip)) for clip in clips)
    commands = commands_of(yunet)
    names = list(commands)
    done: dict[tuple[str, str], list[Ran]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="sealshot-peers-") as folder,
        on_cores(cores) as used,
        progress("runs", rounds * len(clips) * len(names)) as bar,
        conditions() as watch,
    ):
        count = 0
        for turn in range(rounds):
            for clip in clips:
                for i in range(len(names)):
                    name = names[(i + turn) % len(names)]  # the one that starts changes
                    command, variables = commands[name](clip.resolve())
                    once = ran(name, command, Path(folder), variables, "try it by hand")
                    done.setdefault((clip.name, name), []).append(once)
                    count += 1
                    bar.update(count, f"{name}, {clip.name}")
    runs: list[Run] = []
    kept: dict[str, list[Kept]] = {}
    for clip in clips:
        found = {name: _found(json.loads(done[clip.name, name][-1].said)) for name in names}
        for name in names:
            runs.append(_run(clip, name, done[clip.name, name], found[name], judge))
        for (name, rule), pictures in judge.kept(clip, found).items():
            kept.setdefault(f"{name}, {rule}", []).extend(pictures)
    return Result(
        kind="peers",
        clips=told,
        cores=used,
        rounds=rounds,
        runs=tuple(runs),
        pictures=summed(kept),
        kept=kept,
        left_out=LEFT_OUT if yunet else (*LEFT_OUT, "YuNet: no model was given (--yunet)"),
        versions=PACKAGES | {"torch": version("torch")},
        conditions=watch.result,
        environment=environment(),
    )


def summed(kept: Mapping[str, Sequence[Kept]]) -> tuple[Pictures, ...]:
    """Sum up pictures, by pipeline and rule, of the same people in the same order."""
    columns = list(zip(*kept.values(), strict=True))
    rated = [all(one.lightqnet is not None for one in of) for of in columns]
    compared = [all(one.distance is not None for one in of) for of in columns]

    def mean(values: Sequence[float | None], which: Sequence[bool]) -> float | None:
        chosen = [v for v, is_in in zip(values, which, strict=True) if is_in and v is not None]
        return fmean(chosen) if chosen else None

    return tuple(
        Pictures(
            pipeline=name.rpartition(", ")[0],
            rule=name.rpartition(", ")[2],
            people=len(of),
            no_face=sum(one.no_face for one in of),
            lightqnet=mean([one.lightqnet for one in of], rated),
            compared=sum(compared),
            distance=mean([one.distance for one in of], compared),
            unlike=mean([one.unlike for one in of], compared),
        )
        for name, of in kept.items()
    )


def _found(said: Mapping[str, Any]) -> Found:
    return Found(
        times=said["times"],
        tracks={
            int(track): [(frame, np.array(box)) for frame, *box in places]
            for track, places in said["tracks"].items()
        },
        shots={
            rule: {int(track): (frame, tuple(box)) for track, (frame, *box) in shots.items()}
            for rule, shots in said["shots"].items()
        },
    )


def _run(clip: Path, name: str, done: Sequence[Ran], found: Found, judge: Judge) -> Run:
    said = [json.loads(one.said) for one in done]
    return Run(
        clip=clip.name,
        pipeline=name,
        frames=said[0]["frames"],
        fps=spread(one["frames"] / one["seconds"] for one in said),
        cpu_ms=spread(1e3 * r.cpu_s / one["frames"] for r, one in zip(done, said, strict=True)),
        first_s=spread(one["first_s"] - r.started_s for r, one in zip(done, said, strict=True)),
        peak_mb=spread(one.peak_mb for one in done),
        once_mb=spread(one.once_mb for one in done),
        people=len(found.people()),
        errors=judge.errors(clip, found),
    )


def show(result: Result) -> None:
    """Print the tables."""
    figures = (">frames/s", ">CPU ms a frame", ">s to the first", ">MB", ">people")
    table(
        ("clip", "pipeline", *figures, ">missed", ">mixed up", ">in parts", ">nobody"),
        (
            (
                one.clip,
                one.pipeline,
                f"{one.fps.median:.1f}",
                f"{one.cpu_ms.median:.0f}",
                f"{one.first_s.median:.2f}",
                f"{one.once_mb.median:.0f}",
                str(one.people),
                *_of(one.errors),
            )
            for one in result.runs
        ),
    )
    table(
        (
            "pipeline",
            "keeps the",
            ">people",
            ">no face",
            ">LightQNet",
            ">compared",
            ">distance",
            ">unlike",
        ),
        (
            (
                one.pipeline,
                one.rule,
                str(one.people),
                str(one.no_face),
                _number(one.lightqnet, ".3f"),
                str(one.compared),
                _number(one.distance, ".3f"),
                _number(one.unlike, ".1%"),
            )
            for one in result.pictures
        ),
        title="kept pictures of those whom all have found",
    )
    for what, name in winners(result):
        say(f"{what}: {name}")
    for left_out in result.left_out:
        note(f"not measured: {left_out}")
    say(f"{result.rounds} rounds in turns on {result.cores} cores of {result.environment.machine}")


def winners(result: Result) -> list[tuple[str, str]]:
    """Say who wins what; of figures over several clips the sum decides."""
    by_name: dict[str, list[Run]] = {}
    for run in result.runs:
        by_name.setdefault(run.pipeline, []).append(run)
    labelled = {n: [r.errors for r in of if r.errors] for n, of in by_name.items()}
    totals: dict[str, dict[str, float]] = {
        "frames/s": {n: -sum(r.frames for r in of) / _seconds(of) for n, of in by_name.items()},
        "processor time": {
            n: sum(r.frames * r.cpu_ms.median for r in of) for n, of in by_name.items()
        },
        "start to the first frame": {
            n: fmean(r.first_s.median for r in of) for n, of in by_name.items()
        },
        "memory": {n: max(r.once_mb.median for r in of) for n, of in by_name.items()},
    }
    if any(labelled.values()):
        totals["people missed"] = {n: sum(e.missed for e in of) for n, of in labelled.items()}
        totals["people mixed up"] = {n: sum(e.switches for e in of) for n, of in labelled.items()}
        totals["tracks of nobody"] = {n: sum(e.false for e in of) for n, of in labelled.items()}
    pictures = {f"{one.pipeline}, {one.rule}": one for one in result.pictures}
    totals["kept pictures by LightQNet"] = {
        n: -one.lightqnet for n, one in pictures.items() if one.lightqnet is not None
    }
    totals["kept pictures by the matcher"] = {
        n: one.distance for n, one in pictures.items() if one.distance is not None
    }
    return [
        (
            what,
            "; ".join(name for name, value in of.items() if math.isclose(value, min(of.values()))),
        )
        for what, of in totals.items()
        if of
    ]


def _seconds(runs: Sequence[Run]) -> float:
    return sum(run.frames / run.fps.median for run in runs)


def _of(errors: Errors | None) -> tuple[str, ...]:
    if errors is None:
        return ("",) * 4
    missed = f"{errors.missed} of {errors.people}"
    return missed, str(errors.switches), str(errors.fragments), str(errors.false)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def main(argv: list[str]) -> int:
    """Entry point."""
    arguments = Arguments("bench peers", USAGE)
    add = arguments.add_argument
    add("clips", metavar="CLIP", nargs="+", type=Path)
    for name in ("yunet", "truth", "gallery", "recognizer", "lightqnet"):
        add(f"--{name}", type=Path)
    add("--rounds", type=positive_int, default=2)
    add("--cores", type=natural_int, default=0)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if bool(given.gallery) != bool(given.recognizer):
        arguments.error("--gallery and --recognizer belong together")
    if given.yunet and not given.yunet.is_file():
        raise InputError(f"there is no model {given.yunet}", hint="check --yunet")
    if given.truth and not given.truth.is_dir():
        raise InputError(f"there is no folder {given.truth}", hint="check --truth")
    for clip in given.clips:
        describe_clip(str(clip))
    judge = Judge(given.truth, given.gallery, given.recognizer, given.lightqnet)
    result = measure(given.clips, judge, given.yunet, rounds=given.rounds, cores=given.cores)
    fields = asdict(result)
    if given.output:
        write_result(given.output, fields)
    if given.json:
        say_json(fields)
    else:
        show(result)
    return 0
