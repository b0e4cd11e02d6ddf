"""The whole pipeline on a clip: frames per second, time of each stage, peak memory.

    python -m sealshot.benchmarks.pipeline crowd.mp4 -o results/pipeline.json

Each repeat is a process of its own, so that its peak memory is that of one run and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from sealshot.benchmarks.environment import Environment, environment
from sealshot.benchmarks.script import call, write_result
from sealshot.runtime.arguments import Arguments, positive_int
from sealshot.runtime.engines import open_engine
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.keep import Sealing
from sealshot.runtime.models import SCORES, score_graph
from sealshot.runtime.run import Progress, run
from sealshot.runtime.seal.x25519 import X25519Identity
from sealshot.runtime.sources import open_source
from sealshot.runtime.stages import Settings
from sealshot.runtime.terminal import note, progress, say, say_json, table, warn

STAGES = ("decode", "detect", "track", "score", "select", "seal")
TARGET_FPS, TARGET_MB = 25.0, 400.0

USAGE = f"""
usage: python -m sealshot.benchmarks.pipeline CLIP [options]

Run `sealshot run` on CLIP into a vault that is thrown away, and measure it.

  --score NAME        {", ".join(SCORES)} (the first is the default), or a score graph FILE.onnx
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --tracker NAME      bytetrack (default), or euclidean
  --repeat N          runs, each in a process of its own (default 3)
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  python -m sealshot.benchmarks.pipeline crowd.mp4 --repeat 5 -o results/pipeline.json
"""


@dataclass(frozen=True)
class Once:
    """One run in a fresh process."""

    fps: float
    """Frames per second of wall time, from the first frame to the last sealed shot."""
    cpu_ms: float
    """Processor time a frame, all threads; other processes do not change it much."""
    stages_ms: dict[str, float]
    """Wall time a frame of each stage; decoding and detection run beside the other stages."""
    peak_mb: float
    """Largest resident memory of the process, libraries and models included."""
    start_s: float
    """From the start of the run to the first frame done: models, video, warm-up."""
    frames: int
    people: int
    engine: str


@dataclass(frozen=True)
class Clip:
    """What was run on."""

    name: str
    sha256: str
    width: int
    height: int
    fps: float | None


@dataclass(frozen=True)
class Result:
    """The figures, and where they come from."""

    clip: Clip
    settings: Settings
    model_sha256: str
    fps: float
    cpu_ms: float
    stages_ms: dict[str, float]
    peak_mb: float
    start_s: float
    """Medians over the runs; of the memory the maximum."""
    runs: tuple[Once, ...]
    environment: Environment
    load_1min_end: float


def measure(settings: Settings, runs: int) -> Result:
    """Run ``runs`` times and return the medians.

    Raises:
        InputError: the clip or an option is wrong.
        SealshotError: a run failed.
    """
    about, where = _clip(settings.source), environment()
    engine = open_engine(score_graph(settings.score), settings.engine, threads=1)
    model_sha256 = engine.manifest.sha256
    del engine
    done: list[Once] = []
    fresh = get_context("spawn")
    with progress("measuring", runs) as bar:
        for count in range(runs):
            with ProcessPoolExecutor(1, mp_context=fresh) as process:
                done.append(process.submit(run_once, settings).result())
            bar.update(count + 1, f"{done[-1].fps:.1f} fps, {done[-1].peak_mb:.0f} MB")
    return Result(
        clip=about,
        settings=replace(settings, source=about.name, score=Path(settings.score).name),
        model_sha256=model_sha256,
        fps=median(once.fps for once in done),
        cpu_ms=median(once.cpu_ms for once in done),
        stages_ms={stage: median(once.stages_ms[stage] for once in done) for stage in STAGES},
        peak_mb=max(once.peak_mb for once in done),
        start_s=median(once.start_s for once in done),
        runs=tuple(done),
        environment=where,
        load_1min_end=round(os.getloadavg()[0], 2),
    )


def run_once(settings: Settings) -> Once:
    """Run the pipeline in this process, which should be a fresh one."""
    marks: list[tuple[float, float]] = []  # wall and processor time after each frame

    def mark(_: Progress) -> None:
        marks.append((time.perf_counter(), time.process_time()))

    recipient = X25519Identity.generate().recipient
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder:
        start = time.perf_counter()
        summary = run(settings, Sealing((recipient,)), Path(folder), report=warn, on_progress=mark)
        end_cpu = time.process_time()
    if summary.failure:
        raise summary.failure
    if len(marks) < 2:
        raise InputError(
            f"{settings.source} has too few frames to measure", hint="use a longer one"
        )
    return Once(
        fps=summary.fps,
        cpu_ms=1e3 * (end_cpu - marks[0][1]) / (len(marks) - 1),
        stages_ms={stage: summary.stages_ms.get(stage, 0.0) for stage in STAGES},
        peak_mb=peak_mb(),
        start_s=marks[0][0] - start,
        frames=summary.frames,
        people=summary.people_seen,
        engine=summary.engine,
    )


def peak_mb() -> float:
    """Return the largest resident memory of this process so far.

    Not ``getrusage``: its maximum outlives exec(2), so a child starts with that of its parent.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6  # the kernel writes KiB
    raise SealshotError("this kernel does not tell the peak memory of a process (VmHWM)")


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    arguments = Arguments("benchmarks.pipeline", USAGE)
    add = arguments.add_argument
    add("clip")
    add("--score", default=next(iter(SCORES)))
    add("--detector", default="mtcnn")
    add("--tracker", default="bytetrack")
    add("--repeat", type=positive_int, default=3)
    add("-o", "--output", type=Path)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    settings = Settings(
        source=given.clip, score=given.score, detector=given.detector, tracker=given.tracker
    )
    result = measure(settings, given.repeat)
    if given.json:
        say_json(asdict(result))
    else:
        _print(result)
    if given.output:
        write_result(given.output, asdict(result))
    return 0


def _clip(source: str) -> Clip:
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"{source} is not a file", hint="name a video file: a result needs its hash"
        )
    with open_source(source, report=lambda _: None) as video:
        height, width = next(video).image.shape[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Clip(path.name, digest, width, height, video.fps)


def _print(result: Result) -> None:
    clip, runs, first = result.clip, result.runs, result.runs[0]
    low, high = min(once.fps for once in runs), max(once.fps for once in runs)
    table(
        ("figure", ">value", "runs, target"),
        [
            (
                "frames per second",
                f"{result.fps:.1f}",
                f"{low:.1f} to {high:.1f}, {TARGET_FPS:.0f}",
            ),
            ("peak memory, MB", f"{result.peak_mb:.0f}", f"under {TARGET_MB:.0f}"),
            ("processor ms a frame", f"{result.cpu_ms:.1f}", "all threads"),
            *(
                (f"{stage}, ms a frame", f"{ms:.2f}", "beside the rest" if i < 2 else "")
                for i, (stage, ms) in enumerate(result.stages_ms.items())
            ),
            ("start, s", f"{result.start_s:.2f}", "models, video, first frame"),
        ],
    )
    say(
        f"{clip.name}, {clip.width}x{clip.height}, {first.frames} frames, {first.people} people; "
        f"median of {len(runs)} runs on {result.environment.machine}, "
        f"{result.environment.cores} cores; {first.engine}"
    )
    note(
        f"load average {result.environment.load_1min} before, {result.load_1min_end} after: other "
        "work on the machine makes it slower"
    )


if __name__ == "__main__":
    call(main)
