"""Quality measures of one face: the score graphs of sealshot, and the baselines beside them.

Every measure takes views of faces and gives one number each; higher is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sealshot.benchmarks.accuracy.measures import brisque, networks
from sealshot.benchmarks.accuracy.measures.measure import Measure
from sealshot.benchmarks.accuracy.measures.portrait import icao
from sealshot.benchmarks.accuracy.measures.simple import (
    Simple,
    at_random,
    confidence,
    sharpness,
    size,
)
from sealshot.benchmarks.accuracy.measures.told import TOLD, told
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.visibility import NAMES
from sealshot.runtime.weights import SCORES, score_graph

SIMPLE: Mapping[str, Callable[[View], float]] = {
    "random": at_random,
    "sharpness": sharpness,
    "size": size,
    "confidence": confidence,
    "icao": icao,
    **{f"{TOLD}{name.replace(' ', '-')}": told(i) for i, name in enumerate(NAMES)},
}
HINT = (
    f"use {', '.join((*SCORES, *SIMPLE))}, brisque, lightqnet:FILE.pb, "
    "reconstruction:FILE.onnx or a score graph FILE.onnx"
)


def open_measure(spec: str, *, threads: int = 0, of_track: bool = False) -> Measure:
    """Open the measure that ``spec`` names, ``LABEL=SPEC`` to call it something else.

    Args:
        spec: a shipped score graph (``rp``), a file (``student.onnx``), a simple baseline
            (``sharpness``), or a baseline with its file (``lightqnet:FILE.pb``).
        threads: threads of a network; 0 takes one a core.
        of_track: rate as a choice among pictures of one person goes, which may count more than what
            a picture is worth among those of all people.

    Raises:
        InputError: there is no such measure, or its file is missing or wrong.
    """
    label, equals, rest = spec.partition("=")
    if equals and "/" not in label:
        return _open(rest, label, threads, of_track)
    return _open(spec, "", threads, of_track)


def open_measures(
    specs: Sequence[str], *, threads: int = 0, of_track: bool = False
) -> list[Measure]:
    """Open several measures.

    Raises:
        InputError: see :func:`open_measure`, or two have the same name.
    """
    measures = [open_measure(spec, threads=threads, of_track=of_track) for spec in specs]
    names = [measure.name for measure in measures]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two scores are called '{name}'", hint="write LABEL=SCORE to tell them apart"
            )
    return measures


def _open(spec: str, label: str, threads: int, of_track: bool) -> Measure:
    kind, _, file = spec.partition(":")
    path = Path(file)
    if spec in SIMPLE:
        return Simple(label or spec, SIMPLE[spec])
    if kind == "brisque":
        return brisque.Brisque(label or "brisque", path if file else None)
    if kind == "lightqnet" and file:
        return networks.LightQNet(label or "lightqnet", path)
    if kind == "reconstruction" and file:
        return networks.Reconstruction(label or "reconstruction", path, threads=threads)
    if spec in SCORES or spec.endswith(".onnx"):
        graph = score_graph(spec)
        return networks.ScoreGraph(label or graph.stem, graph, threads=threads, of_track=of_track)
    raise InputError(f"there is no score '{spec}'", hint=HINT)
