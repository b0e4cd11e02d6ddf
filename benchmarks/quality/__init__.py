"""Quality measures of one face: the score graphs of sealshot, and the baselines beside them.

Every measure takes views of faces and gives one number each; higher is better.
"""

from __future__ import annotations

from pathlib import Path

from sealshot.benchmarks.quality import brisque, networks, simple
from sealshot.benchmarks.quality.measure import Measure
from sealshot.runtime import models
from sealshot.runtime.errors import InputError

SIMPLE = ("random", "sharpness", "size", "confidence", "icao")
HINT = (
    "use a shipped score (%s), an .onnx score graph, " + ", ".join(SIMPLE) + ", brisque, "
    "lightqnet:FILE.pb or reconstruction:FILE.onnx"
)


def open_measure(spec: str, *, threads: int = 0) -> Measure:
    """Open the measure that ``spec`` names, ``LABEL=SPEC`` to call it something else.

    Args:
        spec: a shipped score graph (``rp``), a file (``student.onnx``), a simple baseline
            (``sharpness``), or a baseline with its file (``lightqnet:FILE.pb``).
        threads: threads of a network; 0 takes one a core.

    Raises:
        InputError: there is no such measure, or its file is missing or wrong.
    """
    label, equals, rest = spec.partition("=")
    if equals and "/" not in label:
        return _open(rest, label, threads)
    return _open(spec, "", threads)


def shipped() -> dict[str, Path]:
    """Return the score graphs that come with sealshot: name -> file."""
    folder = Path(models.__file__).parent
    return {
        path.stem: path
        for path in sorted(folder.glob("*.onnx"))
        if path.with_suffix(".json").is_file()  # a detector has no manifest
    }


def _open(spec: str, label: str, threads: int) -> Measure:
    kind, _, file = spec.partition(":")
    path = Path(file)
    if spec in SIMPLE:
        return simple.Simple(label or spec, spec)
    if kind == "brisque":
        return brisque.Brisque(label or "brisque", path if file else None)
    if kind == "lightqnet" and file:
        return networks.LightQNet(label or "lightqnet", path)
    if kind == "reconstruction" and file:
        return networks.Reconstruction(label or "reconstruction", path, threads=threads)
    if spec in shipped():
        return networks.ScoreGraph(label or spec, shipped()[spec], threads=threads)
    if spec.endswith(".onnx"):
        path = Path(spec)
        return networks.ScoreGraph(label or path.stem, path, threads=threads)
    raise InputError(f"there is no score '{spec}'", hint=HINT % (", ".join(shipped()) or "none"))
