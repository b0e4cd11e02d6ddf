"""`sealshot erc degrade`: does a score fall when the picture gets worse?

Within a track the same face is seen sharper and softer, nearer and farther. A score that is to
choose among those views must fall when a view gets worse, and likelihoods of generative models are
known to do the opposite: smooth pictures are likely pictures.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import BATCH, Doubles, Measure, rate_faces
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import known, write_result, writing
from sealshot.benchmarks.data.cache import Cache, open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.degradations import DEGRADATIONS, NON_FACE, Chip, make_chip
from sealshot.benchmarks.data.faces import Faces, View, batches, find_faces
from sealshot.benchmarks.data.matcher import Matcher, distances
from sealshot.runtime.cli.arguments import (
    Arguments,
    natural_int,
    output_folder,
    positive_int,
    share,
)
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats

DEFAULT_SCORES = ("quality", "rp", "sharpness")
LEVELS = ("mild", "middle", "harsh")
FACES = 200

USAGE = f"""
usage: sealshot erc degrade DATASET [--score SCORE]... [-o DIR] [options]

Degrade sharp pictures of faces on purpose, and count on how many of them each score falls. DATASET
is a folder that holds a folder a person.

  --score SCORE       as for `sealshot erc`; may be repeated (default: {" ".join(DEFAULT_SCORES)})
  --faces N           faces to degrade, drawn from the sharper half (default {FACES})
  --recognizer FILE   also say how far a face matcher's embedding moves, and how well each score
                      follows it; ONNX, its alignment stands in a JSON file beside it
  --require SHARE     exit code 1 unless the first score falls on this share of the faces, for each
                      degradation at the middle severity
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --seed N            of the draw and of the degradations (default 0)
  --threads N         threads of a network (default: one a core)
  --cache DIR         where found faces are kept (default ~/.cache/sealshot)
  -o, --output DIR    write degrade.json and the plot, SVG and PNG
  --json              print degrade.json instead of the table

examples:
  sealshot erc degrade lfw/ --score quality --score rp --require 0.9 -o report/
  sealshot erc degrade lfw/ --score quality --score sharpness --recognizer matcher.onnx
"""


@dataclass(frozen=True, eq=False)
class Falls:
    """What degradation did to one score."""

    score: str
    fell: Doubles
    """``[degradations, 3]``: share of faces whose score is lower than that of the clean crop."""
    rank: Doubles
    """``[degradations, 3]``: median over faces of the share of clean crops that score lower."""

    def follows(self, moved: Doubles) -> float:
        """Say how well the fall follows what a matcher loses.

        Args:
            moved: ``[degradations, 3]``, see :func:`move`.

        Returns:
            Spearman's correlation of the fall in rank with ``moved``, over all degradations and
            severities but non-faces, which no matcher should match; NaN if nothing falls.
        """
        is_face = [d.name != NON_FACE for d in DEGRADATIONS]
        rank, loss = self.rank[is_face].ravel(), moved[is_face].ravel()
        return float("nan") if np.ptp(rank) == 0 else float(-spearmanr(rank, loss).statistic)


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc degrade", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--score", action="append", default=[])
    add("--faces", type=positive_int, default=FACES)
    add("--recognizer", type=Path)
    add("--require", type=share)
    add("--detector", default="mtcnn")
    add("--seed", type=natural_int, default=0)
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)
    add("-o", "--output", type=output_folder)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)

    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    matcher = Matcher(given.recognizer, threads=given.threads) if given.recognizer else None
    cache = open_cache(given.cache)
    faces = find_faces(read_folder(given.dataset), given.detector, cache, threads=given.threads)
    chosen = choose_sharp(faces, cache, given.faces, given.seed)
    views = [faces.view(i) for i in chosen]
    falls = degrade(views, measures, given.seed)
    moved = move(views, matcher, given.seed) if matcher else None

    result = {
        "dataset": given.dataset.name,
        "faces": len(chosen),
        "seed": given.seed,
        "environment": vars(environment()),
        "command": shlex.join(["sealshot", "erc", "degrade", *argv]),
        "degradations": [{"name": d.name, "severities": d.severities()} for d in DEGRADATIONS],
        "scores": [{"score": f.score, "fell": known(f.fell), "rank": known(f.rank)} for f in falls],
    }
    if moved is not None:
        follows = {f.score: f.follows(moved) for f in falls}
        result["matcher"] = {
            "moved": known(moved),
            "follows": {name: known(r) for name, r in follows.items()},
        }
    if given.json:
        say_json(result)
    else:
        _print(falls, len(chosen), moved)
    if given.output:
        _write(result, falls, given.output)
        (note if given.json else say)(f"report: {given.output / 'degrade.json'}")
    if given.require is None:
        return 0
    return _gate(falls[0], given.require)


def choose_sharp(faces: Faces, cache: Cache, count: int, seed: int) -> list[int]:
    """Draw faces of at least 64 px from the sharper half: already bad pictures prove nothing.

    Raises:
        InputError: no face is large enough.
    """
    side = (faces.box[:, 2:] - faces.box[:, :2]).max(axis=1)
    large = np.flatnonzero(side >= CROP_PX)
    if not len(large):
        raise InputError(
            f"no face of {faces.pictures.root} is {CROP_PX} px or wider",
            hint="give larger pictures",
        )
    sharpness = rate_faces(open_measure("sharpness"), faces, cache)[large]
    sharp = large[sharpness >= np.median(sharpness)]
    drawn = np.random.default_rng(seed).permutation(sharp)[:count]
    return sorted(int(i) for i in drawn)


def degrade(views: Sequence[View], measures: Sequence[Measure], seed: int) -> list[Falls]:
    """Rate clean and degraded pictures.

    Args:
        views: good pictures of faces.
        measures: what rates them.
        seed: of the degradations; all measures and all levels see the same.
    """
    clean = np.empty((len(measures), len(views)))
    worse = np.empty((len(measures), len(DEGRADATIONS), len(LEVELS), len(views)))
    for part, how, seen in _versions("degrade", views, seed):
        rated = clean[:, part] if how is None else worse[:, how[0], how[1], part]
        rated[:] = _rate(measures, seen)
    return [
        Falls(
            score=measure.name,
            fell=(worse[m] < clean[m]).mean(axis=-1),
            rank=np.median(np.searchsorted(np.sort(clean[m]), worse[m]) / len(views), axis=-1),
        )
        for m, measure in enumerate(measures)
    ]


def move(views: Sequence[View], matcher: Matcher, seed: int) -> Doubles:
    """Say how far degradations move what a matcher makes of a face.

    Args:
        views: as of :func:`degrade`.
        matcher: embeds them.
        seed: as of :func:`degrade`.

    Returns:
        ``[degradations, 3]``: mean distance between a clean and a degraded picture's embeddings.
    """
    moved = np.empty((len(DEGRADATIONS), len(LEVELS), len(views)))
    clean: Floats
    for part, how, seen in _versions("match", views, seed):
        embedded = matcher.embed([matcher.align(v.image(), v.face.landmarks) for v in seen])
        if how is None:
            clean = embedded
        else:
            moved[how[0], how[1], part] = distances(clean, embedded, matcher.alignment.distance)
    return np.asarray(moved.mean(axis=-1))


def _versions(
    what: str, views: Sequence[View], seed: int
) -> Iterator[tuple[slice, tuple[int, int] | None, list[View]]]:
    """Yield some views as they are (None), then by degradation and level, then the next ones."""
    with progress(what, len(views)) as bar:
        for batch in batches(len(views), BATCH):
            part = slice(batch.start, batch.stop)
            chips = [(i, make_chip(views[i]), views[i].face.score) for i in batch]
            yield part, None, [chip.view(score) for _, chip, score in chips]
            for d, degradation in enumerate(DEGRADATIONS):
                for level, severity in enumerate(degradation.levels):
                    changed: list[View] = []
                    for i, chip, score in chips:
                        rng = np.random.default_rng((seed, d, i))
                        worsened: Chip = degradation.apply(chip, severity, rng)
                        changed.append(worsened.view(score))
                    yield part, (d, level), changed
            bar.update(batch.stop)


def _rate(measures: Sequence[Measure], views: Sequence[View]) -> Doubles:
    rated = np.stack([measure.rate(views) for measure in measures])
    return np.where(np.isnan(rated), -np.inf, rated)


def _print(falls: Sequence[Falls], count: int, moved: Doubles | None) -> None:
    say(f"share of {count} faces whose score falls, %: {', '.join(LEVELS)}")
    rows = [
        [d.name, *(" ".join(f"{100 * v:3.0f}" for v in f.fell[i]) for f in falls)]
        for i, d in enumerate(DEGRADATIONS)
    ]
    head = ["degradation", *(f">{f.score}" for f in falls)]
    if moved is None:
        table(head, rows)
        return
    moves = [[" ".join(f"{v:.2f}" for v in row)] for row in moved]
    table([*head, ">matcher moves"], [row + move for row, move in zip(rows, moves, strict=True)])
    follow = ", ".join(f"{f.score} {f.follows(moved):.2f}" for f in falls)
    say(f"how well the fall follows the matcher, Spearman's correlation: {follow}")


def _gate(first: Falls, required: float) -> int:
    middle = first.fell[:, 1]
    failed = [d.name for d, fell in zip(DEGRADATIONS, middle, strict=True) if fell < required]
    if failed:
        note(f"{first.score} falls on less than {100 * required:g} % for: {', '.join(failed)}")
    return 1 if failed else 0


def _write(result: dict[str, object], falls: Sequence[Falls], folder: Path) -> None:
    from sealshot.benchmarks.accuracy.erc.plots import draw_falls  # matplotlib is an extra

    write_result(folder / "degrade.json", result, "folder")
    with writing(folder, "folder"):
        draw_falls({f.score: f.fell for f in falls}, folder / "degrade")
