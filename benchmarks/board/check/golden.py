"""Faces and the scores that they must get: what an engine is held against."""

from __future__ import annotations

from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sealshot.export.golden import FILE
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.weight_stream import STREAM, same_graph
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights import score_graph


@dataclass(frozen=True, eq=False)
class Golden:
    """Reference scores."""

    crops: NDArray[np.uint8]
    """``uint8 [n, 1, 64, 64]``."""
    scores: NDArray[np.float64]
    """``[n]``."""
    origin: str
    """Where the scores come from, for people."""
    made_by: tuple[str, str] | None
    """Engine and precision on this machine that gave them; None where they came from elsewhere."""


def golden(score: str) -> Golden:
    """Return the golden scores that ship; of another model, those of ONNX Runtime in fp32 here.

    Args:
        score: a score's name or file.

    Raises:
        InputError: there is no such score, or its manifest is wrong.
        SealshotError: the file of golden scores is missing or damaged.
    """
    model = score_graph(score)
    if model.suffix == STREAM:
        model = same_graph(model)
    manifest = load_manifest(model)
    try:
        with np.load(FILE, allow_pickle=False) as kept:
            arrays = dict(kept)
        crops: NDArray[np.uint8] = arrays["crops"]
        digest = str(arrays.get(f"{manifest.name}_sha256", ""))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise SealshotError(
            f"the golden scores {FILE} cannot be read: {error}", hint="install sealshot again"
        ) from error
    if digest == manifest.sha256:
        return Golden(crops, arrays[manifest.name], "golden scores, PyTorch in float64", None)
    engine = open_onnxruntime(model)
    return Golden(
        crops=crops,
        scores=np.asarray(engine.score(crops), np.float64),
        origin=f"no golden scores of this model; ONNX Runtime {manifest.precision} here",
        made_by=("onnxruntime", manifest.precision),
    )
