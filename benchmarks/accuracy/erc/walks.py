"""`sealshot erc walks`: on rendered walks, where it is known, does a score choose the best frame?

The best frame of a real clip is a matter of opinion, and what a matcher likes is not all that a
viewer minds: it hardly sees shut eyes. So a face of each person is carried towards the camera by
our own renderer, and it is known of each frame how near the person is and what befalls the picture.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.bootstrap import interval
from sealshot.benchmarks.accuracy.erc.choice import (
    REPLICATES,
    Shots,
    choose_for,
    threshold_of,
)
from sealshot.benchmarks.accuracy.erc.comparisons import impostors
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.inputs import tell_losses
from sealshot.benchmarks.accuracy.erc.shots import (
    DEFAULT_SCORES,
    FEWEST,
    OPTIONS_USAGE,
    add_options,
    tell,
)
from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure, rate_faces
from sealshot.benchmarks.data.cache import Cache, open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.degradations import Chip, make_chip
from sealshot.benchmarks.data.faces import MIN_FACE_PX, Faces, find_faces, view_of
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.benchmarks.data.walk import FRAMES, HARMS, Walk, plan, render
from sealshot.runtime.cli.arguments import Arguments, natural_int, positive_int
from sealshot.runtime.cli.terminal import note, progress, table
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.demo.clip import HEIGHT, WIDTH, room
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Face, Image

PEOPLE = 50

USAGE = f"""
usage: sealshot erc walks DATASET --recognizer MATCHER.onnx [--background CLIP]... [options]

Render walks of {FRAMES} frames: one picture of each person comes towards the camera, and on the way
it is blurred, darkened, covered and turned, and the eyes blink. Count what each score chooses.
`better there`: the share of the frames seen that are better than the chosen one, that is nearer or
less harmed in something and worse in nothing; `none better`: how often there is none. Then how
often the chosen frame is harmed in each way, and how near it is to the unharmed picture by a face
matcher, as in `sealshot erc shots`. DATASET is a folder that holds a folder a person; of each
person it is the picture most like a passport portrait, if its face is {CROP_PX} px or wider.

  --background CLIP   what is behind the people; may be repeated, and a walk each takes one
                      (default: a drawn room)
  --people N          how many walk, one walk each (default {PEOPLE})
  --seed N            of the draw and of the walks (default 0)
{OPTIONS_USAGE}
  --cache DIR         where what is found in photographs is kept (default ~/.cache/sealshot)

example:
  sealshot erc walks lfw/ --recognizer matcher.onnx --background shop.mp4 --score quality
"""


@dataclass(frozen=True, eq=False)
class Taken:
    """What the scores choose of one walk."""

    better: Doubles
    """``[scores]``: share of the frames seen that are better than the chosen one."""
    harmed: NDArray[np.bool_]
    """``[scores, harms]``: whether the chosen frame is harmed in each of :data:`HARMS`."""


@dataclass(frozen=True)
class Choices:
    """What one score chooses of all walks; intervals are of 95 %, by bootstrap over people."""

    score: str
    harmed: dict[str, float]
    """Harm -> the share of the walks in which the chosen frame has it."""
    better: float
    """Mean of :attr:`Taken.better`."""
    better_low: float
    better_high: float
    best: float
    """Share of the walks in which no frame is better than the chosen one."""
    best_low: float
    best_high: float


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc walks", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--background", action="append", default=[])
    add("--people", type=positive_int, default=PEOPLE)
    add("--seed", type=natural_int, default=0)
    add("--cache", type=Path)
    add_options(arguments)
    given = arguments.parse_args(argv)

    matcher = Matcher(given.recognizer, threads=given.threads)
    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    detector = open_detector(given.detector, min_face_px=MIN_FACE_PX, threads=given.threads)
    behind = [_read_background(clip) for clip in given.background] or [
        [room(WIDTH, HEIGHT).astype(np.uint8)]
    ]
    cache = open_cache(given.cache)
    faces = find_faces(read_folder(given.dataset), given.detector, cache, threads=given.threads)
    tell_losses(faces)
    people = choose_portraits(faces, cache, given.people, given.seed)
    chips = [make_chip(faces.view(i)) for i in people]
    originals = matcher.embed([matcher.align(chip.image, chip.landmarks) for chip in chips])
    walks = [plan(np.random.default_rng((given.seed, i))) for i in people]
    cast = []
    with progress("walks", len(people)) as bar:
        for number, (i, chip, walk) in enumerate(zip(people, chips, walks, strict=True)):
            scene = behind[number % len(behind)]
            shots = watch(number, chip, walk, scene, detector, matcher, measures, seed=i)
            cast.append(shots)
            bar.update(number + 1)
    fewest = max(given.min_shots, FEWEST)
    long = [n for n, shots in enumerate(cast) if len(shots.frame) >= fewest]
    note(
        f"{len(cast) - len(long)} of {len(cast)} walks have fewer than {fewest} frames with a face"
    )
    if not long:
        raise InputError(
            f"in no walk {fewest} frames show a face", hint="give larger faces or --min-shots"
        )
    kind = matcher.alignment.distance
    threshold = threshold_of(impostors(originals, np.arange(len(people)), kind), given.fmr)
    chosen = [choose_for(cast[n], originals[n : n + 1], kind, threshold) for n in long]
    taken = [judge(cast[n], walks[n]) for n in long]
    names = [measure.name for measure in measures]
    choices = summarise_walks(names, taken)
    result = {
        "command": shlex.join(["sealshot", "erc", "walks", *argv]),
        "frames": sum(len(cast[n].frame) for n in long),
        "walks": [vars(one) for one in choices],
    }
    tell(result, given, names, chosen, threshold, "the unharmed picture")
    if not given.json:
        print_walks(choices)
    return 0


def choose_portraits(faces: Faces, cache: Cache, count: int, seed: int) -> list[int]:
    """Draw people, and of each the picture that is most like a passport portrait.

    Raises:
        InputError: nobody's face is large enough.
    """
    side = (faces.box[:, 2:] - faces.box[:, :2]).max(axis=1)
    portrait = np.where(side >= CROP_PX, rate_faces(open_measure("icao"), faces, cache), -np.inf)
    person = faces.person()
    best = [
        int(of[portrait[of].argmax()])
        for of in (np.flatnonzero(person == one) for one in np.unique(person))
        if np.isfinite(portrait[of]).any()
    ]
    if not best:
        raise InputError(
            f"no face of {faces.pictures.root} is {CROP_PX} px or wider",
            hint="give larger pictures",
        )
    return sorted(np.random.default_rng(seed).permutation(best)[:count].tolist())


def watch(
    number: int,
    chip: Chip,
    walk: Walk,
    background: Sequence[Image],
    detector: Detector,
    matcher: Matcher,
    measures: Sequence[Measure],
    *,
    seed: int,
) -> Shots:
    """Render a walk; find, embed and rate the face in each frame, where it is found."""
    views, aligned, frames = [], [], []
    for frame, (image, at) in enumerate(render(chip, walk, background, seed)):
        face = _nearest(detector.detect(image), at, float(walk.face_px[frame]))
        if face is not None:
            views.append(view_of(image, face))
            aligned.append(matcher.align(image, face.landmarks))
            frames.append(frame)
    return Shots(
        source="walk",
        person=number,
        embedding=matcher.embed(aligned) if aligned else np.empty((0, 0), np.float32),
        quality=np.stack([m.rate(views) if views else np.empty(0) for m in measures]),
        frame=np.array(frames, np.int64),
    )


def judge(shots: Shots, walk: Walk) -> Taken:
    """Say what the scores choose, of the frames of a walk in which the face was found."""
    chosen = np.where(np.isnan(shots.quality), -np.inf, shots.quality).argmax(axis=1)
    better = walk.better()[np.ix_(shots.frame, shots.frame)].mean(axis=0)
    return Taken(better[chosen], walk.harm[shots.frame[chosen]] > 0)


def summarise_walks(names: Sequence[str], taken: Sequence[Taken]) -> list[Choices]:
    """Return what each score chooses of all walks."""
    better = np.stack([t.better for t in taken])  # [walks, scores]
    best = better == 0
    harmed = np.stack([t.harmed for t in taken]).mean(axis=0)  # [scores, harms]
    drawn = np.random.default_rng(0).integers(0, len(taken), (REPLICATES, len(taken)))
    columns = [
        better.mean(axis=0),
        *interval(better[drawn].mean(axis=1)),
        best.mean(axis=0),
        *interval(best[drawn].mean(axis=1)),
    ]
    return [
        Choices(
            name,
            dict(zip(HARMS, harmed[i].tolist(), strict=True)),
            *(float(column[i]) for column in columns),
        )
        for i, name in enumerate(names)
    ]


def print_walks(choices: Sequence[Choices]) -> None:
    """Print what each score chooses."""
    table(
        [
            "score",
            ">better there, %",
            ">95 %",
            ">none better, %",
            ">95 %",
            *(f">{harm}, %" for harm in HARMS),
        ],
        [
            [
                c.score,
                f"{100 * c.better:.0f}",
                f"{100 * c.better_low:.0f} to {100 * c.better_high:.0f}",
                f"{100 * c.best:.0f}",
                f"{100 * c.best_low:.0f} to {100 * c.best_high:.0f}",
                *(f"{100 * c.harmed[harm]:.0f}" for harm in HARMS),
            ]
            for c in choices
        ],
    )


def _nearest(faces: Sequence[Face], at: tuple[float, float], reach: float) -> Face | None:
    """Return the face whose middle is nearest to a place, if within ``reach`` pixels."""

    def away(face: Face) -> float:
        return float(np.hypot(*((face.box[:2] + face.box[2:]) / 2 - at)))

    nearest = min(faces, key=away, default=None)
    return nearest if nearest is not None and away(nearest) < reach else None


def _read_background(clip: str) -> list[Image]:
    """Read as many frames as a walk has, or what the clip has.

    Raises:
        InputError: it cannot be read, or has none.
    """
    with open_source(clip) as source:
        frames = [frame.image for frame in islice(frames_of(source), FRAMES)]
    if not frames:
        raise InputError(f"{clip} holds no frame", hint="name another with --background")
    return frames
