"""`sealshot erc shots`: does the score choose the shot of a person that a matcher wants?

Per track, the shot with the highest score is compared by the matcher with all other shots of the
track. A good choice is near to all of them, and the matcher misses few of them at its threshold,
which two people in one frame set: they are never the same. Beside it: the shot that each other
score chooses, a shot chosen at random, and the best choice there is (the medoid). Note what this
favours: the typical shot of a track, which is the best one only where most of the track is good.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.environment import environment
from sealshot.benchmarks.erc.bootstrap import interval
from sealshot.benchmarks.erc.curve import Doubles, start_at_fmr
from sealshot.benchmarks.erc.inputs import rate
from sealshot.benchmarks.faces.faces import View
from sealshot.benchmarks.faces.matcher import Matcher, distances
from sealshot.benchmarks.quality import open_measures
from sealshot.benchmarks.quality.measure import Measure
from sealshot.benchmarks.script import write_result
from sealshot.runtime.arguments import Arguments, positive_int
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import open_source
from sealshot.runtime.terminal import note, progress, say, say_json, table, warn
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Floats, Frame, Track

DEFAULT_SCORES = ("quality", "rp", "size", "sharpness", "confidence", "random")
MIN_SHOTS = 8
REPLICATES = 2000
FMR = 0.01

USAGE = f"""
usage: sealshot erc shots CLIP... --recognizer MATCHER.onnx [--score SCORE]... [options]

Follow the faces of clips; per track, compare the shot that each score chooses with the other shots
of the track by a face matcher. `gained`: 0 % is as far from them as a shot chosen at random, 100 %
is as near as any shot can be. `missed`: the share of them that the matcher takes for someone else.
The first --score is the one in question, the others stand beside it.

  --recognizer FILE   the face matcher, ONNX; its alignment stands in a JSON file beside it
  --score SCORE       as for `sealshot erc`; may be repeated
                      (default: {" ".join(DEFAULT_SCORES)})
  --fmr RATE          of the threshold, from people seen in one frame (default {FMR})
  --min-shots N       leave out tracks with fewer detections (default {MIN_SHOTS})
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --tracker NAME      bytetrack (default), or euclidean
  --threads N         threads of a network (default: one a core)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table

example:
  sealshot erc shots crowd.mp4 stage.mp4 --recognizer matcher.onnx --score quality --score size
"""


@dataclass(frozen=True, eq=False)
class Shots:
    """All shots of one track."""

    clip: str
    track: int
    embedding: Floats
    """``[shots, d]``."""
    quality: Doubles
    """``[scores, shots]``."""


@dataclass(frozen=True, eq=False)
class Followed:
    """What was seen in a clip."""

    tracks: tuple[Shots, ...]
    strangers: Doubles
    """``[n]``: distances between faces of one frame, which are of different people."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """How far the chosen shots of one track are from its other shots, mean matcher distance."""

    clip: str
    track: int
    shots: int
    by_score: Doubles
    """``[scores]``."""
    at_random: float
    """Expected distance of a shot chosen at random."""
    best: float
    """Distance of the best choice there is."""
    missed: Doubles
    """``[scores]``: share of the other shots that the matcher takes for another person."""
    missed_at_random: float


@dataclass(frozen=True)
class Standing:
    """How one score does over all tracks; intervals are of 95 %, by bootstrap over tracks."""

    score: str
    distance: float
    """Mean distance of the chosen shots to the other shots of their tracks."""
    gained: float
    """How far it gets from a random choice (0) to the best one (1), in mean distance."""
    gained_low: float
    gained_high: float
    behind: float
    """What the first score gains more."""
    behind_low: float
    behind_high: float
    missed: float
    """Mean of :attr:`Chosen.missed`."""
    missed_low: float
    missed_high: float


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc shots", USAGE)
    add = arguments.add_argument
    add("clips", nargs="+")
    add("--recognizer", type=Path, required=True)
    add("--score", action="append", default=[])
    add("--fmr", type=rate, default=FMR)
    add("--min-shots", type=positive_int, default=MIN_SHOTS)
    add("--detector", default="mtcnn")
    add("--tracker", default="bytetrack")
    add("--threads", type=positive_int, default=0)
    add("-o", "--output", type=Path)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)

    matcher = Matcher(given.recognizer, threads=given.threads)
    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads)
    detector = open_detector(given.detector, threads=given.threads)
    seen = [follow(clip, detector, given.tracker, matcher, measures) for clip in given.clips]
    tracks = [track for clip in seen for track in clip.tracks]
    long = [track for track in tracks if len(track.embedding) >= max(given.min_shots, 3)]
    if not long:
        raise InputError(
            f"no track has {given.min_shots} shots", hint="give another clip or --min-shots"
        )
    note(f"{len(tracks) - len(long)} tracks are too short and left out")
    threshold = threshold_of(np.concatenate([clip.strangers for clip in seen]), given.fmr)
    chosen = [choose(track, matcher.alignment.distance, threshold) for track in long]
    names = [measure.name for measure in measures]
    standings = summarise(names, chosen)
    result = {
        "command": shlex.join(["sealshot", "erc", "shots", *argv]),
        "environment": vars(environment()),
        "scores": [vars(standing) for standing in standings],
        "tracks": [
            {
                **vars(c),
                "by_score": dict(zip(names, c.by_score.tolist(), strict=True)),
                "missed": dict(zip(names, c.missed.tolist(), strict=True)),
            }
            for c in chosen
        ],
        "threshold": threshold if np.isfinite(threshold) else None,
    }
    if given.json:
        say_json(result)
    else:
        _print(standings, chosen)
    if given.output:
        write_result(given.output, result)
        note(f"result: {given.output}")
    return 0


def follow(
    clip: str, detector: Detector, tracker: str, matcher: Matcher, measures: Sequence[Measure]
) -> Followed:
    """Follow the faces of a clip; embed and rate each detection.

    Raises:
        InputError: the clip cannot be read.
    """
    found: dict[int, list[tuple[Floats, Doubles]]] = {}
    strangers = [np.empty(0)]
    following = open_tracker(tracker)
    source = open_source(clip, report=warn)
    with source, progress(Path(clip).name, source.frames) as bar:
        for frame in source:
            seen = following.update(frame.time_s, detector.detect(frame.image)).seen
            bar.update(frame.index + 1, f"{len(found)} tracks")
            if not seen:
                continue
            aligned = [matcher.align(frame.image, track.face.landmarks) for track in seen]
            views = _views(frame, seen)
            rated = np.stack([measure.rate(views) for measure in measures], axis=1)
            embeddings = matcher.embed(aligned)
            left, right = np.triu_indices(len(seen), 1)
            kind = matcher.alignment.distance
            strangers.append(distances(embeddings[left], embeddings[right], kind))
            for track, embedding, quality in zip(seen, embeddings, rated, strict=True):
                found.setdefault(track.id, []).append((embedding, quality))
    tracks = tuple(
        Shots(
            clip=Path(clip).name,
            track=id,
            embedding=np.stack([embedding for embedding, _ in shots]),
            quality=np.stack([quality for _, quality in shots], axis=1),
        )
        for id, shots in found.items()
    )
    return Followed(tracks, np.concatenate(strangers))


def threshold_of(strangers: Doubles, fmr: float) -> float:
    """Return the distance at which the share ``fmr`` of strangers match; infinite if too few."""
    try:
        return start_at_fmr(strangers, fmr).threshold
    except InputError as error:
        warn(f"no threshold, so nothing is missed: {error.fact}")
        return float("inf")


def choose(track: Shots, distance: str, threshold: float) -> Chosen:
    """Let each score choose a shot, and measure how far it is from the others."""
    e = track.embedding.astype(np.float64)
    apart = 1 - e @ e.T  # cosine distance; the squared Euclidean one is twice that
    if distance == "euclidean":
        apart = np.sqrt(np.maximum(2 * apart, 0))
    np.fill_diagonal(apart, 0)
    to_others = apart.sum(axis=1) / (len(apart) - 1)
    missed = (apart >= threshold).sum(axis=1) / (len(apart) - 1)  # none misses itself
    best = np.argmax(np.where(np.isnan(track.quality), -np.inf, track.quality), axis=1)
    return Chosen(
        clip=track.clip,
        track=track.track,
        shots=len(apart),
        by_score=to_others[best],
        at_random=float(to_others.mean()),
        best=float(to_others.min()),
        missed=missed[best],
        missed_at_random=float(missed.mean()),
    )


def summarise(names: Sequence[str], chosen: Sequence[Chosen]) -> list[Standing]:
    """Return how each score does over all tracks."""
    distance = np.stack([c.by_score for c in chosen])  # [tracks, scores]
    at_random = np.array([[c.at_random] for c in chosen])
    best = np.array([[c.best] for c in chosen])

    def gain(tracks: NDArray[np.int64]) -> Doubles:
        won = (at_random - distance)[tracks].sum(axis=-2)
        there_is = (at_random - best)[tracks].sum(axis=-2)
        return np.asarray(won / np.maximum(there_is, 1e-9))

    gained = gain(np.arange(len(chosen)))
    missed = np.stack([c.missed for c in chosen])
    drawn = np.random.default_rng(0).integers(0, len(chosen), (REPLICATES, len(chosen)))
    draws = gain(drawn)
    columns = [
        distance.mean(axis=0),
        gained,
        *interval(draws),
        gained[0] - gained,
        *interval(draws[:, :1] - draws),
        missed.mean(axis=0),
        *interval(missed[drawn].mean(axis=1)),
    ]
    return [
        Standing(name, *(float(column[i]) for column in columns)) for i, name in enumerate(names)
    ]


def _views(frame: Frame, seen: Sequence[Track]) -> list[View]:
    crops: NDArray[np.uint8] = crop_resize_grey(frame.image, [track.face.box for track in seen])
    return [
        View(lambda: frame.image, track.face, crop[0])
        for track, crop in zip(seen, crops, strict=True)
    ]


def _print(standings: Sequence[Standing], chosen: Sequence[Chosen]) -> None:
    at_random = np.mean([c.at_random for c in chosen])
    best = np.mean([c.best for c in chosen])
    say(
        f"{len(chosen)} tracks, {sum(c.shots for c in chosen)} shots. Mean distance to the other "
        f"shots: {at_random:.3f} at random (0 %), {best:.3f} at best (100 %). A shot at random "
        f"misses {100 * np.mean([c.missed_at_random for c in chosen]):.1f} % of the others."
    )
    table(
        [
            "score",
            ">distance",
            ">gained, %",
            ">95 %",
            ">behind the first",
            ">95 %",
            ">missed, %",
            ">95 %",
        ],
        [
            [
                s.score,
                f"{s.distance:.3f}",
                f"{100 * s.gained:.0f}",
                f"{100 * s.gained_low:.0f} to {100 * s.gained_high:.0f}",
                f"{100 * s.behind:.0f}",
                f"{100 * s.behind_low:.0f} to {100 * s.behind_high:.0f}",
                f"{100 * s.missed:.1f}",
                f"{100 * s.missed_low:.1f} to {100 * s.missed_high:.1f}",
            ]
            for s in standings
        ],
    )
