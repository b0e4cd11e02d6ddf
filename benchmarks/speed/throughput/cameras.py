"""`sealshot bench cameras`: what cameras cost in one process, by their number.

Each number of cameras is a process of its own. A camera plays a clip again and again at a steady
rate and, like a real one, waits for nobody: a frame that is not taken in time is dropped and
counted. It is read over a connection, by what reads real ones.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.process import Most, cpu_s, tree
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.benchmarks.speed.throughput.players import Player, playing
from sealshot.runtime.cli.arguments import (
    Arguments,
    output_file,
    positive_int,
    positive_ints,
    seconds,
)
from sealshot.runtime.cli.terminal import printed_log, progress, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.many import Camera, watch_many
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Seen, Sink
from sealshot.runtime.pipeline.stages import open_many
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.processors import processors
from sealshot.runtime.sources.live import Live
from sealshot.runtime.sources.reader import NoVideoError

COUNTS = "1,2,4,8,16"

USAGE = f"""
usage: sealshot bench cameras CLIP... [options]

Watch several cameras in one process, as `sealshot` does with real ones, and measure what they cost.
Camera 1 plays the first CLIP, camera 2 the second, and so on, from the first one again when all
have been given out; each again and again, over a connection to another process, which is not
counted. FFmpeg reads in a process of its own for each camera, as it does there, and counts. How
late a frame is done (p95) counts from when its packet comes, or, where pictures are sent in another
order than they are shown, from when it could be shown first.

  --counts N,...      numbers of cameras (default {COUNTS})
  --fps RATE          frames a second of each camera (default 15)
  --seconds S         length of a run (default 20)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench cameras crowd.mp4 yard.mp4 yard.mp4 yard.mp4 --counts 1,4 -o cameras.json
"""


@dataclass(frozen=True)
class One:
    """What one camera got."""

    clip: str
    fps: float
    """Frames a second that were followed to their end."""
    dropped: float
    """Share of the frames that were not taken in time."""
    p50_ms: float | None
    """From when a frame is due to when all was done with it: of half of the frames no more. None
    where no frame was done."""
    p95_ms: float | None
    """Of 95 of 100."""
    first_ms: float | None
    """Of the first one."""
    people: int
    failure: str | None


@dataclass(frozen=True)
class Row:
    """So many cameras."""

    cameras: tuple[One, ...]
    cpu_ms: float
    """Processor time for each frame that was followed, all threads, reading included."""
    busy: float
    """Processors that were kept busy."""
    once_mb: float
    """Of all processes, each page counted once; the most that was seen."""


@dataclass(frozen=True)
class Result:
    """The curve."""

    kind: str
    clips: tuple[Clip, ...]
    fps: int
    seconds: float
    cores: int
    rows: tuple[Row, ...]
    conditions: Conditions
    environment: Environment


class _Times(Sink):
    """Notes how late the work on each frame was done, in seconds since it was due."""

    def __init__(self, reader: Player) -> None:
        self._reader = reader
        self.late_s: list[float] = []
        self.people = 0

    def seen(self, seen: Seen) -> None:
        self.late_s.append(time.monotonic() - self._reader.due_s[seen.frame.index])
        self.people = seen.people


class _Timer(Stop):
    """A stop that is set once some time has passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end_s = time.monotonic() + seconds

    def is_set(self) -> bool:
        return super().is_set() or time.monotonic() > self._end_s


def measure(clips: Sequence[Path], counts: Sequence[int], fps: int, length_s: float) -> Result:
    """Run each number of cameras, each in a fresh process.

    Raises:
        InputError: a clip cannot be played.
    """
    told = tuple(describe_clip(str(clip)) for clip in clips)
    rows = []
    with progress("cameras", len(counts)) as bar, conditions() as state:
        for done, count in enumerate(counts):
            played = [clips[i % len(clips)] for i in range(count)]
            rows.append(run_once(played, fps, length_s))
            bar.update(done + 1, f"{count} cameras, {rows[-1].busy:.1f} processors")
    return Result(
        "cameras", told, fps, length_s, processors(), tuple(rows), state.result, environment()
    )


def run_once(clips: Sequence[Path], fps: float, length_s: float) -> Row:
    """Watch cameras in a fresh process.

    Args:
        clips: what each plays.
        fps: frames a second of each.
        length_s: for how long.

    Raises:
        InputError: a clip cannot be played.
    """
    with (
        playing(clips, fps) as addresses,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        return process.submit(_watch, clips, addresses, length_s).result()


def _watch(clips: Sequence[Path], addresses: Sequence[str], length_s: float) -> Row:
    stages = open_many([Settings(source=str(clip)) for clip in clips])
    with printed_log():
        try:
            readers = [Player(address) for address in addresses]
        except NoVideoError as error:
            raise InputError(f"a clip cannot be played: {error.why}", hint=error.hint) from None
        sources = [
            Live(partial(lambda reader: reader, reader), f"camera {i}", give_up_after_s=length_s)
            for i, reader in enumerate(readers, start=1)
        ]
        sinks = [_Times(reader) for reader in readers]
        cameras = [Camera(*one) for one in zip(sources, stages, [[s] for s in sinks], strict=True)]
        before = [source.dropped for source in sources]
        start_s, start_cpu_s = time.monotonic(), cpu_s(tree(os.getpid()))
        with Most() as most:
            done = watch_many(cameras, _Timer(length_s))
        passed_s, took_s = time.monotonic() - start_s, cpu_s(tree(os.getpid())) - start_cpu_s
        dropped = [one.dropped - were for one, were in zip(sources, before, strict=True)]
        for source in sources:
            source.close()
    frames = sum(one.frames for one in done)
    if not frames:
        raise InputError("no frame was done in that time", hint="give more --seconds")
    return Row(
        cameras=tuple(
            One(
                clip=clip.name,
                fps=one.frames / passed_s,
                dropped=lost / max(one.frames + lost, 1),
                p50_ms=_late_ms(sink, 50),
                p95_ms=_late_ms(sink, 95),
                first_ms=1e3 * sink.late_s[0] if sink.late_s else None,
                people=sink.people,
                failure=str(one.failure) if one.failure else None,
            )
            for clip, one, lost, sink in zip(clips, done, dropped, sinks, strict=True)
        ),
        cpu_ms=1e3 * took_s / frames,
        busy=took_s / passed_s,
        once_mb=most.mb,
    )


def _late_ms(sink: _Times, percentile: int) -> float | None:
    return 1e3 * float(np.percentile(sink.late_s, percentile)) if sink.late_s else None


def show(result: Result) -> None:
    """Print a table."""
    heads = (">cameras", ">frames/s each", ">dropped", ">p95 ms", ">CPU ms a frame")
    table(
        (*heads, ">processors busy", ">MB", ">people"),
        (
            (
                str(len(row.cameras)),
                _range([one.fps for one in row.cameras], "{:.1f}"),
                _range([100 * one.dropped for one in row.cameras], "{:.0f}") + " %",
                _range([one.p95_ms or math.inf for one in row.cameras], "{:.0f}"),
                f"{row.cpu_ms:.1f}",
                f"{row.busy:.2f}",
                f"{row.once_mb:.0f}",
                " ".join(str(one.people) for one in row.cameras),
            )
            for row in result.rows
        ),
    )
    clips = ", ".join(dict.fromkeys(clip.name for clip in result.clips))
    say(
        f"{clips} at {result.fps} frames/s for {result.seconds:g} s on {result.cores} processors "
        f"of {result.environment.machine}"
    )


def _range(values: Sequence[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def main(argv: list[str]) -> int:
    """Entry point."""
    arguments = Arguments("bench cameras", USAGE)
    arguments.add_argument("clips", metavar="CLIP", nargs="+", type=Path)
    arguments.add_argument("--counts", type=positive_ints, default=positive_ints(COUNTS))
    arguments.add_argument("--fps", type=positive_int, default=15)
    arguments.add_argument("--seconds", type=seconds, default=20.0)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    result = measure(given.clips, given.counts, given.fps, given.seconds)
    if given.output:
        write_result(given.output, asdict(result))
    if given.json:
        say_json(asdict(result))
    else:
        show(result)
    return 0
