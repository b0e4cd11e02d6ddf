"""The whole pipeline on a clip: frames per second, time of each stage, peak memory.

Each run is a process of its own, so that its peak memory is that of one run and nothing else; the
scores take turns.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from sealshot.benchmarks.conditions.process import own_peak_mb
from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.terminal import printed_log, progress
from sealshot.runtime.engines import open_engine
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.run import run
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Seen, Sink
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.weights import score_graph

STAGES = ("decode", "look", "detect", "track", "score", "select", "seal")


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
class Frames:
    """One score's runs."""

    score: str
    engine: str
    model_sha256: str
    settings: Settings
    fps: Spread
    cpu_ms: Spread
    """Processor time a frame, all threads."""
    stages_ms: dict[str, Spread]
    peak_mb: float
    """Most of all runs."""
    start_s: Spread
    frames: int
    people: int


def measure(every: Sequence[Settings], runs: int) -> tuple[Frames, ...]:
    """Run each of the settings ``runs`` times, in turns.

    Raises:
        InputError: a clip or an option is wrong.
        SealshotError: a run failed.
    """
    digests = [
        open_engine(score_graph(settings.score), settings.engine, threads=1).manifest.sha256
        for settings in every
    ]
    done: list[list[Once]] = [[] for _ in every]
    fresh = get_context("spawn")
    with progress("whole pipeline", runs * len(every)) as bar:
        for count in range(runs * len(every)):
            i = count % len(every)
            with ProcessPoolExecutor(1, mp_context=fresh) as process:
                done[i].append(process.submit(run_once, every[i]).result())
            bar.update(count + 1, f"{done[i][-1].fps:.1f} fps, {done[i][-1].peak_mb:.0f} MB")
    return tuple(
        Frames(
            score=Path(settings.score).stem,
            engine=once[0].engine,
            model_sha256=digest,
            settings=replace(
                settings, source=Path(settings.source).name, score=Path(settings.score).name
            ),
            fps=spread(o.fps for o in once),
            cpu_ms=spread(o.cpu_ms for o in once),
            stages_ms={stage: spread(o.stages_ms[stage] for o in once) for stage in STAGES},
            peak_mb=max(o.peak_mb for o in once),
            start_s=spread(o.start_s for o in once),
            frames=once[0].frames,
            people=once[0].people,
        )
        for settings, digest, once in zip(every, digests, done, strict=True)
    )


class _Marks(Sink):
    """Notes wall and processor time after each frame, in seconds."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def seen(self, _seen: Seen) -> None:
        self.times.append((time.perf_counter(), time.process_time()))


def run_once(settings: Settings) -> Once:
    """Run the pipeline in this process, which should be a fresh one."""
    marks = _Marks()
    recipient = X25519Identity.generate().recipient
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder, printed_log():
        start = time.perf_counter()
        summary = run(settings, Sealing((recipient,)), Path(folder), connect=lambda *_: [marks])
        end_cpu = time.process_time()
    if summary.failure:
        raise summary.failure
    if len(marks.times) < 2:
        raise InputError(
            f"{settings.source} has too few frames to measure", hint="use a longer one"
        )
    return Once(
        fps=summary.fps,
        cpu_ms=1e3 * (end_cpu - marks.times[0][1]) / (len(marks.times) - 1),
        stages_ms={stage: summary.stages_ms.get(stage, 0.0) for stage in STAGES},
        peak_mb=own_peak_mb(),
        start_s=marks.times[0][0] - start,
        frames=summary.frames,
        people=summary.people_seen,
        engine=summary.engine,
    )


def describe_clip(source: str) -> Clip:
    """Say what is run on.

    Raises:
        InputError: it is no file that can be played.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"{source} is not a file", hint="name a video file: a result needs its hash"
        )
    with open_source(source) as video:
        height, width = next(frames_of(video)).image.shape[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Clip(path.name, digest, width, height, video.fps)
