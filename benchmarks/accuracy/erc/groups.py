"""`sealshot erc groups`: does a score treat groups of people alike?

Pictures of one source and size differ between groups in sharpness and light too. So a regression
says how much of a gap is left with these held equal: least squares of the score, in units of its
spread, on age, sex and ethnicity, and on sharpness, size, brightness, contrast and evenness of the
light. A gap is against white men of 20 to 69. The factors are taken to add up: that of an ethnicity
counts at every age, that of women in every group.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from sealshot.benchmarks.accuracy.erc.bootstrap import interval
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.inputs import tell_losses
from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import rate_faces
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import Pictures
from sealshot.benchmarks.data.faces import Faces, find_faces
from sealshot.export.train.people import IMAGES, People, held_equal, read_people
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, say, say_json, table

DEFAULT_SCORES = ("quality", "rp", "sharpness", "size", "confidence")
REPLICATES = 1000
LOWEST = 0.1

USAGE = f"""
usage: sealshot erc groups DATASET [--score SCORE]... [-o FILE] [options]

Say how each score treats groups of people: the mean rank of a group among all pictures, 0 to 100,
the share of it among the lowest tenth of all, and the gap, in units of the score's spread, that is
left when sharpness, size and light are held equal by regression (against white men of 20 to 69; an
ethnicity counts there at every age). DATASET is a folder with faces.csv (columns
file,age,sex,ethnicity; age in years) and its files in images/.

  --score SCORE       as for `sealshot erc`; may be repeated (default: {" ".join(DEFAULT_SCORES)})
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --threads N         threads of a network (default: one a core)
  --cache DIR         where found faces are kept (default ~/.cache/sealshot)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table

example:
  sealshot erc groups groups/ --score quality --score lightqnet:lightqnet-dm100.pb
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc groups", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--score", action="append", default=[])
    add("--detector", default="mtcnn")
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)

    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads)
    cache = open_cache(given.cache)
    pictures, listed = read_pictures(given.dataset)
    faces = find_faces(pictures, given.detector, cache, threads=given.threads)
    tell_losses(faces)
    shown = faces.picture
    people = listed.of(shown)
    controls = conditions(faces, rate_faces(open_measure("sharpness"), faces, cache))
    rated = {measure.name: rate_faces(measure, faces, cache) for measure in measures}
    groups = people.groups()
    gaps = {name: gap(q, people.factors(), controls) for name, q in rated.items()}
    result: dict[str, object] = {
        "command": shlex.join(["sealshot", "erc", "groups", *argv]),
        "environment": vars(environment()),
        "pictures": len(faces),
        "groups": {name: int(of.sum()) for name, of in groups.items()},
        "scores": [
            {"score": name, "ranks": ranks(q, groups), "gaps": gaps[name]}
            for name, q in rated.items()
        ],
    }
    if given.json:
        say_json(result)
    else:
        for name, q in rated.items():
            _print(name, ranks(q, groups), gaps[name], groups)
    if given.output:
        write_result(given.output, result)
        note(f"result: {given.output}")
    return 0


def read_pictures(folder: Path) -> tuple[Pictures, People]:
    """Read a folder of pictures and its list of whom they show, in the order of the files.

    Raises:
        InputError: see :func:`read_people`.
    """
    names, people = read_people(folder)
    return Pictures(folder / IMAGES, names, names), people


def conditions(faces: Faces, sharpness: Doubles) -> Doubles:
    """Return what is held equal: see :func:`held_equal`."""
    return held_equal(faces.crops, (faces.box[:, 2:] - faces.box[:, :2]).max(axis=1), sharpness)


def ranks(quality: Doubles, groups: Mapping[str, NDArray[np.bool_]]) -> dict[str, dict[str, float]]:
    """Return for each group its mean rank, 0 to 100, and the share of it in the lowest tenth."""
    rank = (rankdata(quality) - 0.5) / len(quality)
    return {
        name: {"rank": 100 * float(rank[of].mean()), "lowest": float((rank[of] < LOWEST).mean())}
        for name, of in groups.items()
    }


def gap(
    quality: Doubles, factors: Mapping[str, Doubles], controls: Doubles
) -> dict[str, dict[str, float]]:
    """Return how far each factor moves a score, in units of its spread, all else held equal.

    Args:
        quality: ``[n]``; faces that could not be rated count as the lowest that was.
        factors: ``[n]`` each, 0 or 1.
        controls: ``[n, c]``.

    Returns:
        Factor -> the gap and its interval of 95 %, over draws of pictures.
    """
    finite = np.isfinite(quality)
    y = np.where(finite, quality, quality[finite].min())
    y = (y - y.mean()) / max(float(y.std()), 1e-9)
    n = len(y)
    x = np.column_stack([np.ones(n), *factors.values(), controls])

    def fit(of: NDArray[np.int64]) -> Doubles:
        return np.asarray(np.linalg.lstsq(x[of], y[of], rcond=None)[0][1 : 1 + len(factors)])

    rng = np.random.default_rng(0)
    draws = np.stack([fit(rng.integers(0, n, n)) for _ in range(REPLICATES)])
    low, high = interval(draws)
    return {
        name: {"gap": float(g), "low": float(a), "high": float(b)}
        for name, g, a, b in zip(factors, fit(np.arange(n)), low, high, strict=True)
    }


def _print(
    name: str,
    of_groups: Mapping[str, Mapping[str, float]],
    gaps: Mapping[str, Mapping[str, float]],
    groups: Mapping[str, NDArray[np.bool_]],
) -> None:
    say(name)
    table(
        ["group", ">pictures", ">mean rank", ">in the lowest tenth, %", ">gap", ">95 %"],
        [
            [
                group,
                str(int(groups[group].sum())),
                f"{found['rank']:.0f}",
                f"{100 * found['lowest']:.0f}",
                *_gap_cells(gaps.get(group)),
            ]
            for group, found in of_groups.items()
        ],
    )


def _gap_cells(found: Mapping[str, float] | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    return f"{found['gap']:.2f}", f"{found['low']:.2f} to {found['high']:.2f}"
