"""`sealshot erc attributes`: is a smile, a hat or a pair of glasses preferred, of one person?

A score that chooses one picture of a person should mind what hides the face and nothing else. So a
regression says how much a score rises with each attribute among pictures of the same person, with
sharpness, size and light held equal: least squares of the score on the attributes and on these,
each less its mean over the person, in units of the spread that is left of the score.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.bootstrap import interval
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.groups import conditions
from sealshot.benchmarks.accuracy.erc.inputs import tell_losses
from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import rate_faces
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import find_faces
from sealshot.benchmarks.data.rows import read_rows
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError

DEFAULT_SCORES = ("quality", "rp", "sharpness", "confidence")
REPLICATES = 1000
COLUMNS = "the columns are file and one of 0 and 1 for each attribute; file is the picture's name"

USAGE = f"""
usage: sealshot erc attributes DATASET --attributes FILE --of NAME [--of NAME]... [options]

Say how far each score is above with an attribute, such as a smile or glasses, among pictures of the
same person, in units of its spread, when sharpness, size and light are held equal by regression.
DATASET is a folder that holds a folder a person. FILE is a CSV:
{COLUMNS}, without its folder.

  --of NAME           a column; may be repeated: those named are held equal to each other, too
  --score SCORE       as for `sealshot erc`; may be repeated (default: {" ".join(DEFAULT_SCORES)})
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --threads N         threads of a network (default: one a core)
  --cache DIR         where found faces are kept (default ~/.cache/sealshot)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table

example:
  sealshot erc attributes celeba/ --attributes list.csv --of Smiling --of Eyeglasses
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc attributes", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--attributes", type=Path, required=True)
    add("--of", action="append", required=True)
    add("--score", action="append", default=[])
    add("--detector", default="mtcnn")
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)

    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    pictures = read_folder(given.dataset)
    listed = read_attributes(given.attributes, given.of, pictures.files)
    cache = open_cache(given.cache)
    faces = find_faces(pictures, given.detector, cache, threads=given.threads)
    tell_losses(faces)
    person, has = faces.person(), listed[faces.picture]
    controls = conditions(faces, rate_faces(open_measure("sharpness"), faces, cache))
    counts = [_telling(person, column) for column in has.T]
    for name, count in zip(given.of, counts, strict=True):
        if not count:
            raise InputError(
                f"nobody has pictures with {name} and without", hint="name another with --of"
            )
    rises = {m.name: rise(rate_faces(m, faces, cache), has, controls, person) for m in measures}
    result: dict[str, object] = {
        "command": shlex.join(["sealshot", "erc", "attributes", *argv]),
        "environment": vars(environment()),
        "pictures": len(faces),
        "attributes": [
            {"name": name, "pictures": int(column.sum()), "people": count}
            for name, column, count in zip(given.of, has.T, counts, strict=True)
        ],
        "scores": [
            {
                "score": name,
                "rises": [
                    {"rise": float(value), "low": float(low), "high": float(high)}
                    for value, low, high in found
                ],
            }
            for name, found in rises.items()
        ],
    }
    if given.json:
        say_json(result)
    else:
        table(
            ["attribute", ">pictures", ">people", *(f">{name}" for name in rises)],
            [
                [name, str(int(has[:, i].sum())), str(counts[i])]
                + ["{:+.2f} [{:.2f}, {:.2f}]".format(*found[i]) for found in rises.values()]
                for i, name in enumerate(given.of)
            ],
        )
        say("people: who has pictures with the attribute and without")
    if given.output:
        write_result(given.output, result)
        note(f"result: {given.output}")
    return 0


def read_attributes(file: Path, names: Sequence[str], pictures: Sequence[str]) -> Doubles:
    """Read attributes of pictures.

    Args:
        file: a CSV, see :data:`COLUMNS`.
        names: of the columns.
        pictures: files with their folders.

    Returns:
        ``[pictures, names]``, 0 or 1.

    Raises:
        InputError: it is something else, lacks a column or says nothing of a picture.
    """
    rows = dict(
        read_rows(
            file,
            lambda row: (row["file"], [int(row[name]) for name in names]),
            "holds no such attributes",
            COLUMNS,
        )
    )
    absent = [p for p in pictures if Path(p).name not in rows]
    if absent:
        raise InputError(
            f"{file} says nothing of {len(absent)} of {len(pictures)} pictures, first {absent[0]}",
            hint=COLUMNS,
        )
    has = np.array([rows[Path(p).name] for p in pictures], float)
    if not np.isin(has, (0, 1)).all():
        raise InputError(f"{file} has values other than 0 and 1", hint=COLUMNS)
    return has


def rise(quality: Doubles, has: Doubles, controls: Doubles, person: NDArray[np.generic]) -> Doubles:
    """Return how far attributes lift a score within a person, all else held equal.

    Args:
        quality: ``[n]``; faces that could not be rated count as the lowest that was.
        has: ``[n, attributes]``, 0 or 1.
        controls: ``[n, c]``, held equal.
        person: ``[n]``, whom each picture shows.

    Returns:
        ``[attributes, 3]``: the rise in units of the spread within people, and its interval of
        95 %, over draws of people.
    """
    finite = np.isfinite(quality)
    y = np.where(finite, quality, quality[finite].min())
    within = _within(np.column_stack([y, has, controls]), person)
    y, x = within[:, 0] / max(float(within[:, 0].std()), 1e-9), within[:, 1:]

    def fit(of: NDArray[np.int64]) -> Doubles:
        return np.asarray(np.linalg.lstsq(x[of], y[of], rcond=None)[0][: has.shape[1]])

    people = [np.flatnonzero(person == one) for one in np.unique(person)]
    rng = np.random.default_rng(0)
    draws = np.stack(
        [
            fit(np.concatenate([people[i] for i in rng.integers(0, len(people), len(people))]))
            for _ in range(REPLICATES)
        ]
    )
    return np.column_stack([fit(np.arange(len(y))), *interval(draws)])


def _within(values: Doubles, person: NDArray[np.generic]) -> Doubles:
    """Return values ``[n, c]`` less the mean over their person."""
    people, whom = np.unique(person, return_inverse=True)
    sums = np.zeros((len(people), values.shape[1]))
    np.add.at(sums, whom, values)
    return np.asarray(values - (sums / np.bincount(whom)[:, None])[whom])


def _telling(person: NDArray[np.generic], has: Doubles) -> int:
    """Count the people who have pictures with an attribute and without."""
    return sum(bool(np.ptp(has[person == one]) > 0) for one in np.unique(person))
