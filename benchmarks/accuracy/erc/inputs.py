"""From the arguments of a command to comparisons and qualities: the part that commands share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sealshot.benchmarks.accuracy.erc.bootstrap import REPLICATES
from sealshot.benchmarks.accuracy.erc.comparisons import (
    PAIRS_A_PERSON,
    Comparisons,
    all_pairs,
    listed,
    read_npz,
    with_references,
)
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.report import Setting
from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure, cost_ms, rate_faces
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder, read_lfw_pairs, read_pairs
from sealshot.benchmarks.data.faces import Faces, embed_faces, find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.arguments import Arguments, natural_int, positive_int
from sealshot.runtime.cli.terminal import note, warn
from sealshot.runtime.errors import InputError

SHARED_USAGE = f"""DATASET is a folder that holds a folder a person, a CSV file of pairs (columns
reference, probe; same and person are optional), LFW's pairs.txt beside its pictures, or an .npz of
distances and qualities (distance, quality_NAME; person and impostor are optional).

  --recognizer FILE   the face matcher, ONNX; its alignment stands in a JSON file beside it
  --fnmr RATE ...     FNMR at which the curves start (default 0.05 0.01)
  --fmr RATE ...      also start at the threshold of this false match rate
  --pairs RULE        reference: each picture against its person's reference (default);
                      all: any two pictures of a person, at most {PAIRS_A_PERSON} pairs a person
  --reference-by S    the reference of a person has the highest S, any score (default icao)
  --quality-of RULE   quality of a comparison: probe, or min of both pictures (default: probe, and
                      min with --pairs all)
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --replicates N      draws of the bootstrap over people (default {REPLICATES})
  --seed N            of the draws (default 0)
  --threads N         threads of a network (default: one a core)
  --cache DIR         where faces, embeddings and scores are kept (default ~/.cache/sealshot)"""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the curves are drawn from."""

    setting: Setting
    comparisons: Comparisons
    qualities: Mapping[str, Doubles]
    """``[comparisons]`` each."""
    faces: Faces | None = None
    """None where the data set is an .npz file."""
    face_qualities: Mapping[str, Doubles] = field(default_factory=dict)
    """``[faces]`` each."""
    measures: tuple[Measure, ...] = ()

    def costs(self) -> dict[str, tuple[float | None, int | None]]:
        """Measure milliseconds a face of each score; name -> (ms, MACs)."""
        if self.faces is None:
            return {}
        return {m.name: (cost_ms(m, self.faces), m.macs) for m in self.measures}


def add_inputs(arguments: Arguments) -> None:
    """Declare the shared arguments."""
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--recognizer", type=Path)
    add("--fnmr", type=rate, nargs="+", default=[0.05, 0.01])
    add("--fmr", type=rate, nargs="+", default=[])
    add("--pairs", choices=("reference", "all"), default="reference")
    add("--reference-by", default="icao")
    add("--quality-of", choices=("probe", "min"))
    add("--detector", default="mtcnn")
    add("--replicates", type=positive_int, default=REPLICATES)
    add("--seed", type=natural_int, default=0)
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)


def rate(text: str) -> float:
    """Read a rate above 0 and below 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate between 0 and 1")
    return value


def load(given: argparse.Namespace, scores: Sequence[str], default_scores: Sequence[str]) -> Inputs:
    """Read the data set, match its faces and rate them.

    Args:
        given: what :func:`add_inputs` declared.
        scores: asked for; where none is, ``default_scores``, or all those of an .npz file.
        default_scores: see there.

    Raises:
        InputError: anything about the arguments or their files is wrong.
    """
    if given.dataset.suffix == ".npz":
        return _load_npz(given, scores)
    if given.recognizer is None:
        raise InputError(
            "pictures need a face matcher to be judged by", hint="add --recognizer MATCHER.onnx"
        )
    measures = open_measures(scores or default_scores, threads=given.threads)
    matcher = Matcher(given.recognizer, threads=given.threads)
    cache = open_cache(given.cache)
    pairs = None
    if given.dataset.suffix.lower() == ".csv":
        pictures, pairs = read_pairs(given.dataset)
    elif given.dataset.is_file():
        pictures, pairs = read_lfw_pairs(given.dataset)
    else:
        pictures = read_folder(given.dataset)
    faces = find_faces(pictures, given.detector, cache, threads=given.threads)
    tell_losses(faces)
    embedding = embed_faces(faces, matcher, cache)
    note(f"faces, embeddings and scores are kept in {cache.folder} (they are personal data)")
    distance = matcher.alignment.distance
    if pairs is not None:
        comparisons = listed(faces, embedding, distance, pairs)
        protocol = "the listed pairs"
    elif given.pairs == "all":
        comparisons = all_pairs(faces, embedding, distance)
        protocol = f"any two pictures of a person, at most {PAIRS_A_PERSON} pairs a person"
    else:
        rule = open_measure(given.reference_by, threads=given.threads)
        comparisons = with_references(faces, embedding, distance, rate_faces(rule, faces, cache))
        protocol = (
            f"each picture against its person's reference, the one of highest {rule.name}"
            f"{ICAO if rule.name == 'icao' else ''}"
        )
    quality_of = given.quality_of or ("min" if given.pairs == "all" else "probe")
    protocol += f"; quality of {QUALITY_OF[quality_of]}"
    rated = {m.name: rate_faces(m, faces, cache) for m in measures}
    setting = Setting(
        dataset=given.dataset.name or str(given.dataset.resolve().name),
        matcher=f"{matcher.name}, sha256 {matcher.sha256[:12]}",
        detector=given.detector.partition(":")[0],
        protocol=protocol,
        pictures=len(pictures.files),
        people=len(np.unique(comparisons.person)),
        genuine=len(comparisons.distance),
        impostor=len(comparisons.impostor),
        lost=comparisons.lost,
        faceless=faces.faceless,
        unreadable=faces.unreadable,
        replicates=given.replicates,
        seed=given.seed,
        command="",
    )
    qualities = {name: comparisons.quality(q, quality_of) for name, q in rated.items()}
    return Inputs(setting, comparisons, qualities, faces, rated, tuple(measures))


ICAO = " (frontal, sharp, evenly lit, large, nothing over forehead and eyes)"
QUALITY_OF = {"probe": "the probe", "min": "the worse of both pictures"}


def _load_npz(given: argparse.Namespace, scores: Sequence[str]) -> Inputs:
    comparisons, qualities = read_npz(given.dataset)
    for name in scores:
        if name not in qualities:
            raise InputError(
                f"{given.dataset} holds no score '{name}'",
                hint=f"it holds {', '.join(qualities)}",
            )
    setting = Setting(
        dataset=given.dataset.name,
        matcher="not known: distances were computed before",
        detector="not known",
        protocol="the comparisons of the file",
        pictures=0,
        people=len(np.unique(comparisons.person)),
        genuine=len(comparisons.distance),
        impostor=len(comparisons.impostor),
        lost=0,
        faceless=(),
        unreadable=(),
        replicates=given.replicates,
        seed=given.seed,
        command="",
    )
    return Inputs(setting, comparisons, {name: qualities[name] for name in scores or qualities})


def tell_losses(faces: Faces) -> None:
    """Warn of files that hold no picture, or no face."""
    for files, what in ((faces.unreadable, "no picture"), (faces.faceless, "no face found")):
        if files:
            warn(f"{len(files)} of {len(faces.pictures.files)} files: {what}, first {files[0]}")
