"""One run of the throughput benchmark, from who is there to the result."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.speed.throughput import cameras
from sealshot.benchmarks.speed.throughput.contenders import (
    EAGER,
    OURS,
    PLAIN,
    Contender,
    Crops,
    Score,
    memory_mb,
    pinned,
)
from sealshot.benchmarks.speed.throughput.frames import Clip, Frames, describe_clip
from sealshot.benchmarks.speed.throughput.frames import measure as measure_frames
from sealshot.benchmarks.speed.throughput.gather import (
    NEEDS,
    LeftOut,
    faces_of,
    gather,
    left_out_because,
    open_all,
)
from sealshot.benchmarks.speed.throughput.race import (
    LOAD,
    Closed,
    Entry,
    Open,
    call_s,
    closed_loop,
    open_loop,
    same_score,
)
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.weights import DEFAULT_SCORE, score_graph

LONGEST_CALL_S = 2.0
LIVE_S = 10.0
USUAL_FPS = 25.0
"""Of a clip that does not say."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    clip: str
    scores: tuple[str, ...]
    engines: tuple[str, ...]
    batches: tuple[int, ...]
    threads: tuple[int, ...]
    faces: int
    rounds: int
    seconds: float
    """Of a turn."""
    arrivals_per_s: float | None
    """Of the open loop; None: a share of what each does in the closed loop."""
    runs: int
    """Of the whole pipeline."""


@dataclass(frozen=True)
class Row:
    """One contender at one batch size, on one number of threads."""

    name: str
    score: str
    way: str
    engine: str
    precision: str
    note: str
    parameters: int
    macs_per_face: int
    file_bytes: int
    sha256: str
    batch: int
    threads: int
    cores: tuple[int, ...]
    """That it was kept to."""
    peak_mb: float
    """Of a process that does nothing else, at this batch size."""
    closed: Closed
    open: Open


@dataclass(frozen=True)
class Result:
    """What one run found."""

    kind: str
    clip: Clip
    faces: int
    rounds: int
    seconds: float
    rows: tuple[Row, ...]
    frames: tuple[Frames, ...]
    live: cameras.Row
    """The clip as a camera that gives it at its own rate: how late each frame is done."""
    agreement: tuple[object, ...]
    left_out: tuple[LeftOut, ...]
    conditions: Conditions
    environment: Environment


def measure(plan: Plan) -> Result:
    """Measure what ``plan`` says.

    Raises:
        InputError: a clip, score or engine is wrong.
        SealshotError: a run of the pipeline failed.
    """
    clip = describe_clip(plan.clip)
    where = environment(sorted({NEEDS[e] for e in plan.engines if e in NEEDS}))
    crops = faces_of(plan.clip, plan.faces)
    models = [score_graph(score) for score in plan.scores]
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder, conditions() as watch:
        contenders, left_out = gather(models, plan.engines, Path(folder))
        ready, unusable = open_all(contenders, plan.threads, Contender.open)
        left_out += unusable
        agreement, unknown = _agreement(models, ready, crops, plan.threads[0])
        left_out += unknown
        entries, slow = _entries(ready, plan, crops)
        left_out += slow
        closed = closed_loop(
            entries, crops, plan.rounds, plan.seconds, (_is_eager, _is_plain, _is_default)
        )
        opened = []
        with progress("open loop", len(entries)) as bar:
            for done, (entry, found) in enumerate(zip(entries, closed, strict=True)):
                rate = plan.arrivals_per_s or LOAD * found.faces_per_s.median
                opened.append(open_loop(entry, crops, rate, plan.seconds))
                bar.update(done + 1, entry.contender.name)
        peaks = _peaks(entries, crops)
        settings = [Settings(source=plan.clip, score=score, sandbox=False) for score in plan.scores]
        frames = measure_frames(settings, plan.runs)
        live = cameras.run_once([Path(plan.clip)], clip.fps or USUAL_FPS, LIVE_S)
    rows = tuple(
        _row(entry, peak, one, other)
        for entry, peak, one, other in zip(entries, peaks, closed, opened, strict=True)
    )
    return Result(
        kind="throughput",
        clip=clip,
        faces=len(crops),
        rounds=plan.rounds,
        seconds=plan.seconds,
        rows=rows,
        frames=frames,
        live=live,
        agreement=tuple(agreement),
        left_out=tuple(left_out),
        conditions=watch.result,
        environment=where,
    )


Ready = tuple[Contender, int, Score]


def _agreement(
    models: Sequence[Path], ready: Sequence[Ready], crops: Crops, threads: int
) -> tuple[list[object], list[LeftOut]]:
    found: list[object] = []
    left_out: list[LeftOut] = []
    for model in models:
        rivals = [
            (contender, score)
            for contender, count, score in ready
            if contender.way == OURS and count == threads and _is_form(contender.model, model)
        ]
        what = f"{model.stem}, agreement with float64"
        try:
            from sealshot.benchmarks.speed.throughput.agreement import agree  # PyTorch is an extra

            found += agree(model, rivals, crops) if rivals else []
        except ImportError as error:
            left_out.append(LeftOut(what, str(error)))
        except InputError as error:
            left_out.append(left_out_because(what, model, error))
    return found, left_out


def _is_form(file: Path, model: Path) -> bool:
    return file.parent == model.parent and file.stem.partition(".")[0] == model.stem


def _entries(ready: Sequence[Ready], plan: Plan, crops: Crops) -> tuple[list[Entry], list[LeftOut]]:
    entries: list[Entry] = []
    left_out: list[LeftOut] = []
    with progress("warming up", len(ready)) as bar:
        for done, (contender, threads, score) in enumerate(ready):
            a_face_s = 0.0
            for batch in sorted(plan.batches):
                entry = Entry(contender, batch, threads, score)
                expected_s = batch * a_face_s
                if expected_s < LONGEST_CALL_S:
                    expected_s = call_s(entry, crops)
                    a_face_s = expected_s / batch
                    entries.append(entry)
                else:
                    what = f"{contender.name}, batch {batch}"
                    why = f"one call would take about {expected_s:.0f} s"
                    left_out.append(LeftOut(what, why))
            bar.update(done + 1, contender.name)
    if not entries:
        raise InputError("nothing of this can run here", hint="name other engines")
    return entries, left_out


def _peaks(entries: Sequence[Entry], crops: Crops) -> list[float]:
    groups: dict[tuple[Contender, int], list[int]] = {}
    for entry in entries:
        groups.setdefault((entry.contender, entry.threads), []).append(entry.batch)
    found: dict[tuple[Contender, int, int], float] = {}
    with progress("memory", len(groups)) as bar:
        for done, ((contender, threads), batches) in enumerate(groups.items()):
            peaks = memory_mb(contender, batches, threads, crops)
            for batch, peak in zip(batches, peaks, strict=True):
                found[contender, threads, batch] = peak
            bar.update(done + 1, contender.name)
    return [found[entry.contender, entry.threads, entry.batch] for entry in entries]


def _row(entry: Entry, peak_mb: float, closed: Closed, opened: Open) -> Row:
    contender = entry.contender
    described = {k: v for k, v in vars(contender).items() if k != "model"}
    with pinned(entry.threads) as cores:
        pass
    return Row(
        name=contender.name,
        **described,
        batch=entry.batch,
        threads=entry.threads,
        cores=cores,
        peak_mb=peak_mb,
        closed=closed,
        open=opened,
    )


def _is_eager(entry: Entry, other: Entry) -> bool:
    return same_score(entry, other) and other.contender.way == EAGER and other.batch == 1


def _is_plain(entry: Entry, other: Entry) -> bool:
    same = same_score(entry, other) and other.batch == entry.batch
    return same and other.contender.way == PLAIN


def _is_default(entry: Entry, other: Entry) -> bool:
    same = (other.threads, other.batch) == (entry.threads, entry.batch)
    is_default = (other.contender.score, other.contender.way) == (DEFAULT_SCORE, PLAIN)
    return same and is_default
