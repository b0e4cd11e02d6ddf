"""`sealshot bench energy`: joules a face and a selected person, watts idle and loaded.

Speed and energy come from the same windows. Idle is measured in windows of its own, beside the
others, and never subtracted. Each window starts and ends with all work done: scores and sealed
shots have come back. Without a meter nothing is measured, and the result says why.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.benchmarks.energy.meters import (
    METERS,
    Meter,
    NullMeter,
    RailEnergy,
    Reading,
    open_meter,
)
from sealshot.benchmarks.speed.throughput.command import demo_clip, named_engines
from sealshot.benchmarks.speed.throughput.contenders import Contender, Crops, Score, pinned
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.benchmarks.speed.throughput.gather import (
    EVERY_ENGINE,
    LeftOut,
    faces_of,
    gather,
    left_out_because,
)
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int, seconds
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table
from sealshot.runtime.engines.fpga import SIMULATION, Board, FpgaRunner
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.run import run
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.weights import SCORES, score_graph

FACES = 64
REPEATS = 1024
"""Of one face on an FPGA: half a second."""

USAGE = f"""
usage: sealshot bench energy [options]

Measure joules a face (closed loop) and a selected person (the whole pipeline), and watts idle and
loaded, in windows that take turns. Where there is no meter it says "not measured" and why.

  --seconds S         length of a window (default 10)
  --windows N         windows of each (default 5)
  --meter METER       {", ".join(METERS)} (default auto)
  --engines NAME,...  all (default), or some of {", ".join(EVERY_ENGINE)}
  --score NAME,...    {", ".join(SCORES)}, or score graphs FILE.onnx (default: both)
  --batch N           faces in a call (default 16)
  --threads N         threads of an engine on the CPU, each pinned to a core (default 1)
  --fpga PORT         also the scorer in an FPGA, as of --engine fpga:PORT, once with faces over its
                      line (linked) and once with one face again and again (repeat)
  --stream FILE       what it is loaded with: FILE.fpga
  --clip FILE         where faces and frames come from (default: the clip of `sealshot demo`)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of tables

An external meter is a file that a logger appends `time,watts` to, or a serial port that sends it.

examples:
  sealshot bench energy --seconds 10 --windows 5 -o energy.json
  sealshot bench energy --engines onnxruntime,tensorrt --meter csv:power.csv
"""


@dataclass(frozen=True)
class Channel:
    """What one channel of the meter found under one load."""

    name: str
    source: str
    is_total: bool
    watts: Spread | None
    """Over windows; None where no window could be measured."""
    joules_each: Spread | None
    """A face or a person; None where it could not be measured, and at idle."""
    note: str
    windows: tuple[RailEnergy, ...]


@dataclass(frozen=True)
class Load:
    """What the machine did in some windows."""

    name: str
    unit: str
    """``face``, ``person``, or nothing where it did nothing."""
    batch: int
    threads: int
    per_s: Spread | None
    """Units a second, in the same windows."""
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Result:
    """What one run found."""

    kind: str
    meter: str
    why_not: str
    """Why nothing was measured; empty where something was."""
    clip: Clip
    seconds: float
    windows: int
    loads: tuple[Load, ...]
    """Idle first; none where there is no meter."""
    left_out: tuple[LeftOut, ...]
    conditions: Conditions
    environment: Environment


@dataclass(frozen=True)
class Work:
    """Something that can be done for a while."""

    name: str
    unit: str
    batch: int
    threads: int
    do: Callable[[float], int]
    """Work for about as many seconds, and return the units done; nothing is left in a queue."""


def measure(works: Sequence[Work], meter: Meter, window_s: float, windows: int) -> tuple[Load, ...]:
    """Measure works in turns: each once in every round, in an order that changes."""
    readings: list[list[Reading]] = [[] for _ in works]
    units: list[list[int]] = [[] for _ in works]
    order = np.random.default_rng(0)
    with progress("windows", windows * len(works)) as bar:
        for turn in range(windows):
            for done, i in enumerate(order.permutation(len(works))):
                meter.start()
                units[i].append(works[i].do(window_s))
                readings[i].append(meter.stop())
                bar.update(turn * len(works) + done + 1, works[i].name)
    return tuple(
        _load(work, count, found) for work, count, found in zip(works, units, readings, strict=True)
    )


def idle() -> Work:
    """Return doing nothing."""

    def rest(window_s: float) -> int:
        time.sleep(window_s)
        return 0

    return Work("idle", "", 0, 0, rest)


def scoring(contender: Contender, score: Score, crops: Crops, threads: int) -> Work:
    """Return scoring ``crops`` again and again."""

    def once() -> int:
        score(crops)
        return len(crops)

    def work(window_s: float) -> int:
        with pinned(threads):
            return _again(once, window_s)

    with pinned(threads):
        score(crops)  # warm-up
    return Work(contender.name, "face", len(crops), threads, work)


def on_board(board: Board, crops: Crops) -> list[Work]:
    """Return scoring in an FPGA with its line at work, and with its line at rest."""

    def linked() -> int:
        board.score(crops)
        return len(crops)

    def repeat() -> int:
        board.repeat(crops[0], REPEATS)
        return REPEATS

    return [
        Work("FPGA, linked", "face", len(crops), 0, partial(_again, linked)),
        Work("FPGA, repeat", "face", 1, 0, partial(_again, repeat)),
    ]


def watching(settings: Settings) -> Work:
    """Return the whole pipeline, from the clip to sealed shots, again and again."""

    def work(window_s: float) -> int:
        recipient = X25519Identity.generate().recipient
        with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:

            def once() -> int:
                summary = run(settings, Sealing((recipient,)), Path(folder))
                if summary.failure:
                    raise summary.failure
                return summary.people_seen

            return _again(once, window_s)

    return Work(f"{Path(settings.score).stem}, whole pipeline", "person", 0, 0, work)


def _again(work: Callable[[], int], window_s: float) -> int:
    """Do it again and again for so long, but once at least; return what was done in all."""
    end, done = time.monotonic() + window_s, work()
    while time.monotonic() < end:
        done += work()
    return done


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench energy", USAGE)
    add = arguments.add_argument
    add("--seconds", type=seconds, default=10.0)
    add("--windows", type=positive_int, default=5)
    add("--meter", default="auto")
    add("--engines", default="all")
    add("--score", default=",".join(SCORES))
    add("--batch", type=positive_int, default=16)
    add("--threads", type=positive_int, default=1)
    add("--fpga")
    add("--stream", type=Path)
    add("--clip")
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if (given.fpga is None) != (given.stream is None):
        raise InputError(
            "--fpga and --stream go together", hint="name the port, and the FILE.fpga for it"
        )
    if given.fpga == SIMULATION:
        raise InputError("a simulated FPGA draws no power", hint="name the port of a board")
    meter, where = open_meter(given.meter), environment()
    engines, scores = named_engines(given.engines), given.score.split(",")
    models = [score_graph(score) for score in scores]
    left_out: list[LeftOut] = []
    loads: tuple[Load, ...] = ()
    why_not = ""
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:
        clip = given.clip or demo_clip(Path(folder))
        about = describe_clip(clip)
        with conditions() as watch:
            if isinstance(meter, NullMeter):
                why_not = meter.stop().why_not
            else:
                crops = faces_of(clip, FACES)
                crops = np.resize(crops, (given.batch, *crops.shape[1:]))
                contenders, left_out = gather(models, engines, Path(folder))
                works = [idle()]
                for contender in contenders:
                    try:
                        with pinned(given.threads):
                            score = contender.open(given.threads)
                        works.append(scoring(contender, score, crops, given.threads))
                    except InputError as error:
                        left_out.append(left_out_because(contender.name, contender.model, error))
                    except ImportError as error:
                        left_out.append(LeftOut(contender.name, str(error)))
                if given.fpga:
                    works += on_board(FpgaRunner(given.stream, given.fpga).board, crops)
                works += [watching(Settings(source=clip, score=score)) for score in scores]
                loads = measure(works, meter, given.seconds, given.windows)
    result = Result(
        kind="energy",
        meter=meter.name,
        why_not=why_not,
        clip=about,
        seconds=given.seconds,
        windows=given.windows,
        loads=loads,
        left_out=tuple(left_out),
        conditions=watch.result,
        environment=where,
    )
    if given.json:
        say_json(asdict(result))
    else:
        _print(result)
    if given.output:
        write_result(given.output, asdict(result))
    return 0


def _load(work: Work, units: Sequence[int], readings: Sequence[Reading]) -> Load:
    rates = [count / reading.seconds for count, reading in zip(units, readings, strict=True)]
    channels = []
    for k, rail in enumerate(readings[0].rails):
        windows = tuple(reading.rails[k] for reading in readings)
        found = [
            (window.joules, reading.seconds, count)
            for window, reading, count in zip(windows, readings, units, strict=True)
            if window.joules is not None
        ]
        each = [joules / count for joules, _, count in found if count]
        notes = dict.fromkeys(note for window in windows if (note := window.note))
        channels.append(
            Channel(
                name=rail.name,
                source=rail.source,
                is_total=rail.is_total,
                watts=spread(joules / s for joules, s, _ in found) if found else None,
                joules_each=spread(each) if each else None,
                note="; ".join(notes),
                windows=windows,
            )
        )
    per_s = spread(rates) if work.unit else None
    return Load(work.name, work.unit, work.batch, work.threads, per_s, tuple(channels))


def _print(result: Result) -> None:
    if result.why_not:
        say(f"energy: not measured. {result.why_not}")
        return
    table(
        ("", "channel", ">W", ">spread", ">a second", ">J each", ">spread", ">readings/s", "note"),
        (
            (
                load.name,
                f"{channel.name}{' (total)' if channel.is_total else ''}",
                *_cells(channel.watts, 2),
                f"{load.per_s.median:.1f} {load.unit}s" if load.per_s else "",
                *(_cells(channel.joules_each, 5) if load.unit else ("", "")),
                f"{channel.windows[0].rate_hz:.0f}",
                channel.note,
            )
            for load in result.loads
            for channel in load.channels
        ),
    )
    if not any(channel.is_total for load in result.loads for channel in load.channels):
        note("no channel carries all: the sum would read below a meter in the supply")
    for left_out in result.left_out:
        note(f"not measured: {left_out.what}: {left_out.why}")
    say(
        f"{result.meter}; medians and spread of {result.windows} windows of {result.seconds:g} s; "
        "idle is not subtracted"
    )


def _cells(value: Spread | None, digits: int) -> tuple[str, str]:
    if value is None:
        return "not measured", ""
    return f"{value.median:.{digits}f}", f"{value.low:.{digits}f} to {value.high:.{digits}f}"
