"""`sealshot erc shots`: of a person's photographs, does the score choose what a matcher wants?

Per person, the photograph with the highest score is compared by the matcher with all the others. A
good choice is near to all of them, and the matcher misses few of them at its threshold, which is
set by people of different names. Beside it: what each other score chooses, a photograph chosen at
random, and the best choice there is (the medoid). Photographs differ in light, place and year. The
frames of a track do not, so that of those the typical one would win and not the best:
`sealshot erc tracks` compares them with other pictures of the person.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

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
from sealshot.benchmarks.accuracy.erc.inputs import rate, tell_losses
from sealshot.benchmarks.accuracy.measures import open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure, rate_faces
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import embed_faces, find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError

DEFAULT_SCORES = ("quality", "rp", "size", "sharpness", "confidence", "random")
MIN_SHOTS = 8
FEWEST = 3
FMR = 0.01

OPTIONS_USAGE = f"""\
  --recognizer FILE   the face matcher, ONNX; its alignment stands in a JSON file beside it
  --score SCORE       as for `sealshot erc`; may be repeated
                      (default: {" ".join(DEFAULT_SCORES)})
  --fmr RATE          of the threshold, from people who are never the same (default {FMR})
  --min-shots N       leave out people with fewer shots (default {MIN_SHOTS}), and with fewer than
                      {FEWEST}, of whom all choices are alike
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --threads N         threads of a network (default: one a core)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table"""

USAGE = f"""
usage: sealshot erc shots DATASET... --recognizer MATCHER.onnx [--score SCORE]... [options]

Take the photographs of a folder that holds a folder a person. Per person, compare the one that each
score chooses with the others by a face matcher. `gained`: 0 % is as far from them as one chosen at
random, 100 % is as near as any can be. `missed`: the share of them that the matcher takes for
someone else. The first --score is the one in question, the others stand beside it. For the frames
of clips there is `sealshot erc tracks`.

{OPTIONS_USAGE}
  --cache DIR         where what is found in photographs is kept (default ~/.cache/sealshot)

example:
  sealshot erc shots lfw/ --recognizer matcher.onnx --min-shots 4
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc shots", USAGE)
    add = arguments.add_argument
    add("datasets", nargs="+", type=Path)
    add("--photos", action="store_true", help=argparse.SUPPRESS)  # of 0.1, when clips were taken
    add("--cache", type=Path)
    add_options(arguments)
    given = arguments.parse_args(argv)

    matcher = Matcher(given.recognizer, threads=given.threads)
    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    casts = [photographs(dataset, given, matcher, measures) for dataset in given.datasets]
    people = [shots for each in casts for shots in each.people]
    fewest = max(given.min_shots, FEWEST)
    enough = [shots for shots in people if len(shots.frame) >= fewest]
    if not enough:
        raise InputError(
            f"nobody has {fewest} shots",
            hint="give another data set or --min-shots",
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
