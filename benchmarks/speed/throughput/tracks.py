"""The tracks of clips, scored frame by frame as a run does: how fast, and which frame is chosen.

Every contender takes the same frames, with as many faces as each has; PyTorch eager takes one face
at a time. The frames that fp32 on ONNX Runtime chooses are the right ones: a lower precision should
choose the same. Only here can int8 screen for fp32, as that depends on the tracks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.spread import Spread
from sealshot.benchmarks.speed.throughput.contenders import EAGER, OURS, PLAIN, Contender, Crops
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.benchmarks.speed.throughput.gather import NEEDS, LeftOut, gather, open_all
from sealshot.benchmarks.speed.throughput.race import Entry, closed_loop, same_score
from sealshot.runtime.crops import CROP_PX, crop_resize_grey
from sealshot.runtime.detect import open_detector, open_finder
from sealshot.runtime.engines import Scorer, Screen, open_screened
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Floats, Tracks
from sealshot.runtime.weights import score_graph

SCREENED = "int8 + fp32"
"""A precision: int8 screens, fp32 decides."""
MOST_FACES = 64
"""In one call of what is not ours."""
ScoreTracks = Callable[[Crops, Tracks], Floats]


@dataclass(frozen=True, eq=False)
class Footage:
    """The faces of a clip, frame by frame."""

    name: str
    frames: tuple[tuple[Crops, Tracks], ...]
    """``uint8 [n, 1, 64, 64]`` and whose they are; the last frame has no faces and ends all."""

    def scores(self, score: ScoreTracks) -> Floats:
        """Score all frames in their order: ``float32 [faces]``."""
        return np.concatenate([score(crops, tracks) for crops, tracks in self.frames])

    @property
    def tracks(self) -> list[NDArray[np.int64]]:
        """The places of the faces of each track that has two or more, ``[n]`` each."""
        ids = np.array([track.id for _, tracks in self.frames for track in tracks.seen])
        places = [np.flatnonzero(ids == id) for id in np.unique(ids)]
        return [each for each in places if len(each) > 1]


@dataclass(frozen=True)
class Row:
    """One contender."""

    name: str
    score: str
    way: str
    engine: str
    precision: str
    sha256: str
    threads: int
    faces_per_s: Spread
    to_eager: Spread | None
    """Times as fast as PyTorch eager, one face at a time."""
    to_plain: Spread | None
    """Times as fast as the plain export."""
    to_fp32: Spread | None
    """Times as fast as ours in fp32, on the first engine that runs it."""
    same: float | None
    """Share of the tracks of two faces or more in which it chooses the same frame as that."""
    again: dict[str, float] | None
    """Of a screen: share of faces that fp32 scored again, of each clip and of all."""


@dataclass(frozen=True)
class Result:
    """What one run found."""

    kind: str
    clips: tuple[Clip, ...]
    faces: int
    tracks: int
    """Of two faces or more."""
    rounds: int
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    conditions: Conditions
    environment: Environment


def follow(clip: str) -> Footage:
    """Find and follow the faces of a clip.

    Raises:
        InputError: it cannot be read.
    """
    finder = open_finder(open_detector("mtcnn", threads=1))
    tracker = open_tracker("bytetrack")
    frames = []
    with open_source(clip) as source:
        for frame in frames_of(source):
            tracks = tracker.update(frame.time_s, finder.look(frame.time_s, frame.pixels)())
            frames.append(
                (crop_resize_grey(frame.pixels, [t.face.box for t in tracks.seen]), tracks)
            )
    no_crops = np.empty((0, 1, CROP_PX, CROP_PX), np.uint8)
    frames.append((no_crops, Tracks((), tracker.flush())))
    return Footage(Path(clip).name, tuple(frames))


def in_order(engine: Scorer) -> ScoreTracks:
    """Return what gives the order of a frame's faces, each in its track."""
    return lambda crops, tracks: engine.rate_tracks(crops, tracks).order


def same_choice(
    footage: Sequence[Footage], one: Sequence[Floats], other: Sequence[Floats]
) -> float:
    """Return the share of tracks of two faces or more in which both choose the same frame.

    Args:
        footage: clips.
        one: scores of the faces of each clip.
        other: likewise.
    """
    same = [
        left[track].argmax() == right[track].argmax()
        for clip, left, right in zip(footage, one, other, strict=True)
        for track in clip.tracks
    ]
    return float(np.mean(same))


def measure_tracks(
    clips: Sequence[str],
    scores: Sequence[str],
    engines: Sequence[str],
    threads: Sequence[int],
    rounds: int,
    seconds: float,
) -> Result:
    """Measure all that can score faces on the tracks of clips.

    Args:
        clips: video files.
        scores: names of scores, or score graphs.
        engines: of :data:`EVERY_ENGINE`; the peers are left out.
        threads: of an engine on the CPU.
        rounds: turns of each.
        seconds: length of a turn, once through all clips at least.

    Raises:
        InputError: a clip or a score is wrong, or no track has two faces.
    """
    described = tuple(describe_clip(clip) for clip in clips)
    engines = [engine for engine in engines if engine != "peers"]
    where = environment(sorted({NEEDS[engine] for engine in engines if engine in NEEDS}))
    footage = [follow(clip) for clip in clips]
    faces = np.concatenate([crops for clip in footage for crops, _ in clip.frames])
    tracks = sum(len(clip.tracks) for clip in footage)
    if not tracks:
        raise InputError("no track has two faces", hint="name a clip that shows more")
    models = [score_graph(score) for score in scores]
    with tempfile.TemporaryDirectory(prefix="sealshot-benchmark-") as folder, conditions() as watch:
        contenders, left_out = gather(models, engines, Path(folder))
        contenders += [replace(c, precision=SCREENED) for c in contenders if _is_ours(c, "int8")]
        ready, unusable = open_all(contenders, threads, _open)
        entries = [
            Entry(contender, len(faces), count, _replay(footage, scorer.score))
            for contender, count, scorer in ready
        ]
        if not entries:
            raise InputError("nothing of this can run here", hint="name other engines")
        replayed = [scorer.replay(footage) for _, _, scorer in ready]
        closed = closed_loop(entries, faces, rounds, seconds, (_is_eager, _is_plain, _is_fp32))
    rows = []
    for entry, (mine, again), speed in zip(entries, replayed, closed, strict=True):
        right = [k for k, other in enumerate(entries) if _is_fp32(entry, other)]
        contender = entry.contender
        rows.append(
            Row(
                name=contender.name,
                score=contender.score,
                way=contender.way,
                engine=contender.engine,
                precision=contender.precision,
                sha256=contender.sha256,
                threads=entry.threads,
                faces_per_s=speed.faces_per_s,
                to_eager=speed.to_eager,
                to_plain=speed.to_plain,
                to_fp32=speed.to_default,
                same=same_choice(footage, replayed[right[0]][0], mine) if right else None,
                again=again,
            )
        )
    return Result(
        kind="tracks",
        clips=described,
        faces=len(faces),
        tracks=tracks,
        rounds=rounds,
        rows=tuple(rows),
        left_out=(*left_out, *unusable),
        conditions=watch.result,
        environment=where,
    )


@dataclass(frozen=True, eq=False)
class _Scorer:
    score: ScoreTracks
    screen: Screen | None = None

    def replay(self, footage: Sequence[Footage]) -> tuple[list[Floats], dict[str, float] | None]:
        """Return the scores of each clip; of a screen, the share that was scored again."""
        if self.screen is None:
            return [clip.scores(self.score) for clip in footage], None
        scores, counts = [], []
        for clip in footage:
            before = self.screen.again
            scores.append(clip.scores(self.score))
            counts.append(self.screen.again - before)
        sizes = [len(each) for each in scores]
        names = [clip.name for clip in footage]
        shares = {n: c / max(1, size) for n, c, size in zip(names, counts, sizes, strict=True)}
        return scores, {**shares, "all": sum(counts) / sum(sizes)}


def _open(contender: Contender, threads: int) -> _Scorer:
    if contender.precision == SCREENED:
        screen = open_screened(contender.model, contender.engine, "int8", threads=threads)
        if not isinstance(screen, Screen):
            raise InputError(screen.why, hint="export fp32 and int8 together")
        return _Scorer(in_order(screen), screen)
    score = contender.open(threads)
    at_once = 1 if contender.way == EAGER else MOST_FACES

    def score_frame(crops: Crops, _: Tracks) -> Floats:
        parts = [score(crops[i : i + at_once]) for i in range(0, len(crops), at_once)]
        return np.concatenate([np.empty(0, np.float32), *parts])

    return _Scorer(score_frame)


def _replay(footage: Sequence[Footage], score: ScoreTracks) -> Callable[[Crops], Floats]:
    return lambda _: np.concatenate([clip.scores(score) for clip in footage])


def _is_ours(contender: Contender, precision: str) -> bool:
    return contender.way == OURS and contender.precision == precision


def _is_eager(entry: Entry, other: Entry) -> bool:
    return same_score(entry, other) and other.contender.way == EAGER


def _is_plain(entry: Entry, other: Entry) -> bool:
    return same_score(entry, other) and other.contender.way == PLAIN


def _is_fp32(entry: Entry, other: Entry) -> bool:
    return same_score(entry, other) and _is_ours(other.contender, "fp32")
