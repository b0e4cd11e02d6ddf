"""`sealshot bench sandbox`: what it costs that FFmpeg reads in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.process import Most, cpu_s, tree
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import printed_log, progress, say, say_json, table
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.stages import open_stages
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.sources import open_source

USAGE = """
usage: sealshot bench sandbox CLIP... [options]

Watch CLIPs as `sealshot run` does, with FFmpeg in its sandbox and without, in turns, each time in a
new process. Processor time and memory are those of both processes; what they share counts once.

  --turns N           of each (default 5)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table
"""


@dataclass(frozen=True)
class Once:
    """One turn."""

    frames: int
    cpu_ms: float
    """Processor time a frame, of both processes."""
    fps: float
    first_ms: float
    """From the call to the first frame."""
    once_mb: float
    """The most that was seen of both, each page counted once."""


@dataclass(frozen=True)
class Row:
    """A clip: medians of all turns, and the quotients of turns that followed each other."""

    clip: Clip
    inside: Once
    sandbox: Once
    cpu_ratios: tuple[float, ...]
    """Sandbox over inside."""


@dataclass(frozen=True)
class Result:
    """All clips."""

    kind: str
    rows: tuple[Row, ...]
    turns: int
    conditions: Conditions
    environment: Environment


def run_once(clip: Path, sandbox: bool) -> Once:
    """Watch a clip in this process, which should be a fresh one."""
    stages, own = open_stages(Settings(source=str(clip))), os.getpid()
    before_s, start_s = cpu_s(tree(own)), time.perf_counter()
    with printed_log(), open_source(str(clip), sandbox=sandbox, decoded=False) as source:
        first_ms = 1e3 * (time.perf_counter() - start_s)  # it is opened with its first frame
        with Most() as most:
            done = watch(source, stages, [])
    cpu_ms = 1e3 * (cpu_s(tree(own)) - before_s) / done.frames
    return Once(done.frames, cpu_ms, done.fps, first_ms, most.mb)


def measure(clips: Sequence[Path], turns: int) -> Result:
    """Watch each clip in turns."""
    rows: list[Row] = []
    with conditions() as state, progress("sandbox", 2 * turns * len(clips)) as bar:
        for clip in clips:
            found: dict[bool, list[Once]] = {False: [], True: []}
            for _ in range(turns):
                for sandbox, once in found.items():
                    with ProcessPoolExecutor(1, get_context("spawn")) as process:
                        once.append(process.submit(run_once, clip, sandbox).result())
                    bar.update(sum(map(len, found.values())) + 2 * turns * len(rows))
            pairs = zip(found[True], found[False], strict=True)
            rows.append(
                Row(
                    describe_clip(str(clip)),
                    _median(found[False]),
                    _median(found[True]),
                    tuple(one.cpu_ms / other.cpu_ms for one, other in pairs),
                )
            )
    return Result("sandbox", tuple(rows), turns, state.result, environment())


def _median(turns: Sequence[Once]) -> Once:
    return Once(
        turns[0].frames,
        median(one.cpu_ms for one in turns),
        median(one.fps for one in turns),
        median(one.first_ms for one in turns),
        median(one.once_mb for one in turns),
    )


def show(result: Result) -> None:
    """Print a table."""
    heads = ("clip", "FFmpeg reads", ">CPU ms a frame", ">first frame ms", ">MB")
    lines = []
    for row in result.rows:
        for where, one in (("in the process", row.inside), ("in its sandbox", row.sandbox)):
            memory = f"{one.once_mb:.0f}"
            lines.append((row.clip.name, where, f"{one.cpu_ms:.2f}", f"{one.first_ms:.0f}", memory))
    table(heads, lines)
    for row in result.rows:
        low, high = min(row.cpu_ratios), max(row.cpu_ratios)
        say(
            f"{row.clip.name}: processor time of the sandbox over that without, turn by turn: "
            f"{median(row.cpu_ratios):.3f} ({low:.3f} to {high:.3f})"
        )


def main(argv: list[str]) -> int:
    """Entry point."""
    arguments = Arguments("bench sandbox", USAGE)
    arguments.add_argument("clips", metavar="CLIP", nargs="+", type=Path)
    arguments.add_argument("--turns", type=positive_int, default=5)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    result = measure(given.clips, given.turns)
    if given.output:
        write_result(given.output, asdict(result))
    if given.json:
        say_json(asdict(result))
    else:
        show(result)
    return 0
