"""The model files that ship, and the manifests that describe them."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

from sealshot.runtime.errors import InputError

FOLDER = Path(__file__).parent
SCORES = {
    "quality": "one-pass student that also falls when the picture gets worse (default)",
    "rp": "reconstruction probability of the variational autoencoder, at the mean latent",
}
DEFAULT_SCORE = "quality"
PRECISIONS = ("fp32", "fp16", "int8")


def score_graph(spec: str) -> Path:
    """Return the file of a score: the name of one that ships, or the path of a graph or plan.

    Raises:
        InputError: it is neither.
    """
    if spec in SCORES:
        return FOLDER / f"{spec}.onnx"
    path = Path(spec)
    if path.suffix not in (".onnx", ".plan"):
        names = ", ".join(SCORES)
        raise InputError(
            f"there is no score '{spec}'", hint=f"use one of {names}, or a score graph FILE.onnx"
        )
    return path


def forms(model: Path, recipe: str | None = None) -> dict[str, Path]:
    """Return the files of a score graph by precision, the fullest first.

    Args:
        model: ``NAME.onnx``, which need not exist. Beside it may lie ``NAME.fp16.onnx``, and int8
            by the recipes of engines (`export/quantise/qdq.py`): ``NAME.int8.onnx`` for x86 with
            VNNI, else ``NAME.int8-RECIPE.onnx``. One of those stands for itself alone.
        recipe: of the engine that is to run it; None takes that of this processor.
    """
    own = model.stem.rpartition(".")[2].partition("-")[0]
    if own in PRECISIONS:
        return {own: model}
    recipe = recipe or cpu_recipe()
    int8 = "int8" if recipe == "cpu" else f"int8-{recipe}"
    lower = {"fp16": f"{model.stem}.fp16.onnx", "int8": f"{model.stem}.{int8}.onnx"}
    files = {precision: model.with_name(name) for precision, name in lower.items()}
    return {"fp32": model} | {p: file for p, file in files.items() if file.is_file()}


@cache
def cpu_recipe() -> str:
    """Return the int8 recipe for this processor.

    An x86 without VNNI adds pairs of products in 16 bits, which overflow unless weights have 7.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return "arm"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    return "cpu" if re.search(r"\b(avx512_vnni|avx_vnni|amx_int8)\b", flags) else "avx2"
