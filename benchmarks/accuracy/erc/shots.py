"""`sealshot erc shots`: does the score choose the shot of a person that a matcher wants?

Per person, the shot with the highest score is compared by the matcher with all other shots: those
of the track, or the other photographs. A good choice is near to all of them, and the matcher misses
few of them at its threshold, which is set by people who are never the same: those seen in one
frame, or of different names. Beside it: the shot that each other score chooses, a shot chosen at
random, and the best choice there is (the medoid). Note what this favours: the typical shot, which
is the best one only where most of them are good.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.choice import (
    Cast,
    Chosen,
    Performance,
    Shots,
    choose,
    summarise,
    threshold_of,
)
from sealshot.benchmarks.accuracy.erc.comparisons import impostors
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.inputs import rate, tell_losses
from sealshot.benchmarks.accuracy.measures import open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure, rate_faces
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import SUFFIXES, read_folder
from sealshot.benchmarks.data.faces import View, embed_faces, find_faces
from sealshot.benchmarks.data.matcher import Matcher, distances
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.detect import Detector, open_detector, open_finder
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Floats, Frame, Track

DEFAULT_SCORES = ("quality", "rp", "size", "sharpness", "confidence", "random")
MIN_SHOTS = 8
FEWEST = 3
FMR = 0.01

OPTIONS_USAGE = f"""\
  --recognizer FILE   the face matcher, ONNX; its alignment stands in a JSON file beside it
  --score SCORE       as for `sealshot erc`; may be repeated
                      (default: {" ".join(DEFAULT_SCORES)})
  --fmr RATE          of the threshold, from people seen in one frame or of different names
                      (default {FMR})
  --min-shots N       leave out people with fewer shots (default {MIN_SHOTS}), and with fewer than
                      {FEWEST}, of whom all choices are alike
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --tracker NAME      bytetrack (default), or euclidean
  --threads N         threads of a network (default: one a core)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table"""

USAGE = f"""
usage: sealshot erc shots CLIP... --recognizer MATCHER.onnx [--score SCORE]... [options]
       sealshot erc shots --photos DATASET... --recognizer MATCHER.onnx [options]

Follow the faces of clips, or take a folder that holds a folder a person. Per person, compare the
shot that each score chooses with the other shots by a face matcher. `gained`: 0 % is as far from
them as a shot chosen at random, 100 % is as near as any shot can be. `missed`: the share of them
that the matcher takes for someone else. The first --score is the one in question, the others stand
beside it.

  --photos            what is named are not clips but folders that hold a folder a person
{OPTIONS_USAGE}
  --cache DIR         where what is found in photographs is kept (default ~/.cache/sealshot)

example:
  sealshot erc shots crowd.mp4 stage.mp4 --recognizer matcher.onnx --score quality --score size
  sealshot erc shots --photos lfw/ --recognizer matcher.onnx --min-shots 4
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc shots", USAGE)
    add = arguments.add_argument
    add("sources", nargs="+")
    add("--photos", action="store_true")
    add("--cache", type=Path)
    add_options(arguments)
    given = arguments.parse_args(argv)

    for source in () if given.photos else given.sources:
        if _holds_a_folder_a_person(Path(source)):
            raise InputError(f"{source} is no clip: it holds folders", hint="add --photos")
    matcher = Matcher(given.recognizer, threads=given.threads)
    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    if given.photos:
        casts = [photographs(Path(s), given, matcher, measures) for s in given.sources]
    else:
        detector = open_detector(given.detector, threads=given.threads)
        casts = [follow(s, detector, given.tracker, matcher, measures) for s in given.sources]
    people = [shots for each in casts for shots in each.people]
    fewest = max(given.min_shots, FEWEST)
    enough = [shots for shots in people if len(shots.frame) >= fewest]
    if not enough:
        raise InputError(
            f"nobody has {fewest} shots",
            hint="give another source or --min-shots",
        )
    note(f"{len(people) - len(enough)} of {len(people)} have too few shots and are left out")
    threshold = threshold_of(np.concatenate([each.impostor for each in casts]), given.fmr)
    chosen = [choose(shots, matcher.alignment.distance, threshold) for shots in enough]
    result = {"command": shlex.join(["sealshot", "erc", "shots", *argv])}
    tell(result, given, [m.name for m in measures], chosen, threshold, "the other shots")
    return 0


def add_options(arguments: Arguments) -> None:
    """Declare the options that commands about chosen shots share."""
    add = arguments.add_argument
    add("--recognizer", type=Path, required=True)
    add("--score", action="append", default=[])
    add("--fmr", type=rate, default=FMR)
    add("--min-shots", type=positive_int, default=MIN_SHOTS)
    add("--detector", default="mtcnn")
    add("--tracker", default="bytetrack")
    add("--threads", type=positive_int, default=0)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")


def tell(
    result: Mapping[str, object],
    given: argparse.Namespace,
    names: Sequence[str],
    chosen: Sequence[Chosen],
    threshold: float,
    compared: str,
) -> None:
    """Print what was chosen and write it to where ``given`` says.

    Args:
        result: what else belongs to it.
        given: what :func:`add_options` declared.
        names: of the scores.
        chosen: of each person.
        threshold: of the matcher.
        compared: what the chosen shots were compared with.
    """
    performances = summarise(names, chosen)
    result = {
        **result,
        "environment": vars(environment()),
        "scores": [vars(performance) for performance in performances],
        "people": [by_name(vars(c), names) for c in chosen],
        "threshold": threshold if np.isfinite(threshold) else None,
    }
    if given.json:
        say_json(result)
    else:
        print_choices(performances, chosen, compared)
    if given.output:
        write_result(given.output, result)
        note(f"result: {given.output}")


def by_name(said: Mapping[str, object], names: Sequence[str]) -> dict[str, object]:
    """Return what was said of one person for JSON: what there is by score, by the scores' names."""
    lists = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in said.items()}
    return {
        k: dict(zip(names, v, strict=True)) if isinstance(v, list | tuple) else v
        for k, v in lists.items()
    }


def _holds_a_folder_a_person(path: Path) -> bool:
    if not path.is_dir():
        return False
    pictures_in, pictures_below = (
        any(file.suffix.lower() in SUFFIXES for file in path.glob(below)) for below in ("*", "*/*")
    )
    return pictures_below and not pictures_in


def follow(
    clip: str, detector: Detector, tracker: str, matcher: Matcher, measures: Sequence[Measure]
) -> Cast:
    """Follow the faces of a clip; embed and rate each detection.

    Raises:
        InputError: the clip cannot be read.
    """
    found: dict[int, list[tuple[int, Floats, Doubles]]] = {}
    impostor = [np.empty(0)]
    finder, following = open_finder(detector), open_tracker(tracker)
    source = open_source(clip)
    with source, progress(Path(clip).name, source.frames) as bar:
        for frame in frames_of(source):
            seen = following.update(frame.time_s, finder.look(frame.time_s, frame.image)()).seen
            bar.update(frame.index + 1, f"{len(found)} tracks")
            if not seen:
                continue
            aligned = [matcher.align(frame.image, track.face.landmarks) for track in seen]
            views = _views(frame, seen)
            rated = np.stack([measure.rate(views) for measure in measures], axis=1)
            embeddings = matcher.embed(aligned)
            left, right = np.triu_indices(len(seen), 1)
            kind = matcher.alignment.distance
            impostor.append(distances(embeddings[left], embeddings[right], kind))
            for track, embedding, quality in zip(seen, embeddings, rated, strict=True):
                found.setdefault(track.id, []).append((frame.index, embedding, quality))
    people = tuple(
        Shots(
            source=Path(clip).name,
            person=id,
            embedding=np.stack([embedding for _, embedding, _ in shots]),
            quality=np.stack([quality for _, _, quality in shots], axis=1),
            frame=np.array([frame for frame, _, _ in shots]),
        )
        for id, shots in found.items()
    )
    return Cast(people, np.concatenate(impostor))


def photographs(
    dataset: Path, given: argparse.Namespace, matcher: Matcher, measures: Sequence[Measure]
) -> Cast:
    """Find, embed and rate the faces of a folder that holds a folder a person.

    Raises:
        InputError: the folder cannot be read, or holds no such thing.
    """
    cache = open_cache(given.cache)
    faces = find_faces(read_folder(dataset), given.detector, cache, threads=given.threads)
    tell_losses(faces)
    embedding = embed_faces(faces, matcher, cache)
    quality = np.stack([rate_faces(measure, faces, cache) for measure in measures])
    person = np.unique(faces.person(), return_inverse=True)[1]
    shown = [np.flatnonzero(person == one) for one in range(person.max() + 1)]
    return Cast(
        tuple(
            Shots(dataset.resolve().name, one, embedding[shots], quality[:, shots], shots)
            for one, shots in enumerate(shown)
        ),
        impostors(embedding, person, matcher.alignment.distance),
    )


def _views(frame: Frame, seen: Sequence[Track]) -> list[View]:
    crops: NDArray[np.uint8] = crop_resize_grey(frame.image, [track.face.box for track in seen])
    return [
        View(lambda: frame.image, track.face, crop[0])
        for track, crop in zip(seen, crops, strict=True)
    ]


def print_choices(
    performances: Sequence[Performance], chosen: Sequence[Chosen], compared: str
) -> None:
    """Print what each score gains; ``compared`` says what the chosen shots were compared with."""
    at_random = np.mean([c.at_random for c in chosen])
    best = np.mean([c.best for c in chosen])
    say(
        f"People: {len(chosen)}, shots: {sum(c.shots for c in chosen)}. Mean distance to "
        f"{compared}: {at_random:.3f} at random (0 %), {best:.3f} at best (100 %). A shot at "
        f"random misses {100 * np.mean([c.missed_at_random for c in chosen]):.1f} % of them."
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
            for s in performances
        ],
    )
