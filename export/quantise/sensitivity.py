"""What int8 costs in each layer alone: which to leave in float32, should it be too much."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from sealshot.export.quantise.precisions import Calibration, int8_form
from sealshot.export.quantise.qdq import layers, quantise
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.types import Floats
from sealshot.runtime.weights.forms import RECIPES

ALL = "all layers"
BATCH = 8


@dataclass(frozen=True)
class Cost:
    """What becomes of the scores when a layer computes on int8, against float32."""

    layer: str
    spearman: float
    mean_difference: float
    spread_of_difference: float
    """Standard deviation."""


def sensitivity(
    graph: nn.Module, calibration: Calibration, crops: NDArray[np.uint8]
) -> tuple[Cost, ...]:
    """Quantise each layer alone, then all of them.

    Args:
        graph: as it was trained.
        calibration: crops, method and recipe.
        crops: ``uint8 [n, 1, 64, 64]``, two at least, whose scores are compared.
    """
    model, ranges = int8_form(graph, calibration)
    names = layers(model)
    exact = _scores(model, crops)
    costs = []
    with progress("sensitivity", len(names) + 1) as bar:
        for i, name in enumerate((*names, ALL)):
            bar.update(i, name)
            keep = () if name == ALL else set(names) - {name}
            quantised = quantise(model, ranges, RECIPES[calibration.recipe], keep)
            scores = _scores(quantised, crops)
            costs.append(
                Cost(
                    layer=name,
                    spearman=float(spearmanr(scores, exact).statistic),
                    mean_difference=float((scores - exact).mean()),
                    spread_of_difference=float((scores - exact).std()),
                )
            )
    return tuple(costs)


def _scores(model: onnx.ModelProto, crops: NDArray[np.uint8]) -> Floats:
    with tempfile.TemporaryDirectory(prefix="sealshot-export-") as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        runner = OnnxRuntimeRunner(path)
    parts = [
        runner.run({"crops": crops[i : i + BATCH]})["score"] for i in range(0, len(crops), BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)
