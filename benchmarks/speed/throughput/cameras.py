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
from contextlib import ExitStack
from dataclasses import asdict, dataclass
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
from sealshot.runtime.pipeline.watch import Watched
from sealshot.runtime.processors import processors
from sealshot.runtime.sources.live import Live

COUNTS = "1,2,4,8,16"
START_S = 2.0
"""What is dropped so early, while everything is new, is told apart."""

USAGE = f"""
usage: sealshot bench cameras CLIP... [options]

Watch several cameras in one process, as `sealshot` does with real ones, and measure what they cost.
Camera 1 plays the first CLIP, camera 2 the second, and so on, from the first one again when all
have been given out; each again and again, over a connection to another process, which is not
counted. FFmpeg reads in a process of its own for each camera, as it does there, and counts. How
late a frame is done (p95) counts from when its packet comes, or, where pictures are sent in another
order than they are shown, from when it could be shown first. What is dropped of the first
{START_S:g} s, while all cameras are looked at for the first time, is told apart.

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
    """Share of the frames due ``START_S`` after the start or later that were not taken in time."""
    dropped_at_start: int
    """Frames that were due before, while they were watched, and were not taken."""
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


class Times(Sink):
    """Connects to a camera, and notes how late the work on each frame of it was done."""

    def __init__(self, address: str) -> None:
        """Start with no connection."""
        self._address = address
        self.due_s: list[float] = []
        """Of each picture, see :class:`Player`."""
        self.done_s = dict[int, float]()
        """Of the pictures that were followed, by their index, on the same clock."""
        self.people = 0

    def connect(self) -> Player:
        """Open a connection; its pictures are counted on from those of the one before.

        Raises:
            NoVideoError: nobody plays there.
        """
        return Player(self._address, self.due_s)

    def seen(self, seen: Seen) -> None:
        """See :class:`Sink`."""
        self.done_s[seen.frame.index] = time.monotonic()
        self.people = seen.people

    def late_ms(self, percentile: int) -> float | None:
        """Return how late that share of what was done was at most; None where nothing was."""
        late_s = [done_s - self.due_s[index] for index, done_s in self.done_s.items()]
        return 1e3 * float(np.percentile(late_s, percentile)) if late_s else None

    def dropped(self, start_s: float, end_s: float) -> tuple[int, int]:
        """Return how many pictures due then were followed, and how many not, up to the last one."""
        last = max(self.done_s, default=-1)
        due = [i for i, due_s in enumerate(self.due_s[:last]) if start_s <= due_s < end_s]
        lost = sum(i not in self.done_s for i in due)
        return len(due) - lost, lost


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
    with printed_log(), ExitStack() as open_now:
        times = [Times(address) for address in addresses]
        # each is read from when it is connected: what nobody reads would pile up meanwhile
        sources = [
            open_now.enter_context(Live(one.connect, f"camera {i}", give_up_after_s=length_s))
            for i, one in enumerate(times, start=1)
        ]
        cameras = [Camera(*one) for one in zip(sources, stages, [[t] for t in times], strict=True)]
        start_s, start_cpu_s = time.monotonic(), cpu_s(tree(os.getpid()))
        with Most() as most:
            done = watch_many(cameras, _Timer(length_s))
        passed_s, took_s = time.monotonic() - start_s, cpu_s(tree(os.getpid())) - start_cpu_s
    frames = sum(one.frames for one in done)
    if not frames:
        raise InputError("no frame was done in that time", hint="give more --seconds")
    return Row(
        cameras=tuple(
            _told(clip, one, of, start_s, passed_s)
            for clip, one, of in zip(clips, done, times, strict=True)
        ),
        cpu_ms=1e3 * took_s / frames,
        busy=took_s / passed_s,
        once_mb=most.mb,
    )


def _told(clip: Path, done: Watched, times: Times, start_s: float, passed_s: float) -> One:
    """Tell what a camera got from ``start_s`` on, for ``passed_s``."""
    taken, lost = times.dropped(start_s + START_S, math.inf)
    first = min(times.done_s, default=None)
    return One(
        clip=clip.name,
        fps=done.frames / passed_s,
        dropped=lost / max(taken + lost, 1),
        dropped_at_start=times.dropped(start_s, start_s + START_S)[1],
        p50_ms=times.late_ms(50),
        p95_ms=times.late_ms(95),
        first_ms=None if first is None else 1e3 * (times.done_s[first] - times.due_s[first]),
        people=times.people,
        failure=str(done.failure) if done.failure else None,
    )


def show(result: Result) -> None:
    """Print a table."""
    heads = (">cameras", ">frames/s each", ">dropped", ">at the start", ">p95 ms")
    table(
        (*heads, ">CPU ms a frame", ">processors busy", ">MB", ">people"),
        (
            (
                str(len(row.cameras)),
                _range([one.fps for one in row.cameras], "{:.1f}"),
                _range([100 * one.dropped for one in row.cameras], "{:.0f}") + " %",
                _range([one.dropped_at_start for one in row.cameras], "{:.0f}"),
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
