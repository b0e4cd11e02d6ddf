"""One trained score in several precisions: the graph of each, its file and its manifest."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from sealshot.export.nets.forms import Int8Rp
from sealshot.export.nets.onnx_export import float_form, fold, to_onnx
from sealshot.export.nets.vae import RpScore
from sealshot.export.quantise.calibrate import calibrate
from sealshot.export.quantise.equalise import equalise
from sealshot.export.quantise.half import halve
from sealshot.export.quantise.qdq import Ranges, quantise
from sealshot.runtime.engines.choice import open_onnxruntime
from sealshot.runtime.engines.manifest import ScoreManifest, quantiles
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats
from sealshot.runtime.weights.forms import GENERAL, RECIPES

FORM_CROPS = 256
"""Crops that fix ranges inside the int8 form; calibration widens none of them."""
MARGIN_CROPS = 1024
MARGIN_SHARE = 0.999


@dataclass(frozen=True, eq=False)
class Calibration:
    """What int8 is calibrated with, and how."""

    crops: NDArray[np.uint8]
    """``uint8 [n, 1, 64, 64]``."""
    name: str
    method: str = "minmax"
    recipe: str = GENERAL

    def described(self) -> dict[str, str]:
        """Return what the manifest says of it."""
        return {
            "recipe": self.recipe,
            "method": self.method,
            "set": self.name,
            "crops": str(len(self.crops)),
            "sha256": hashlib.sha256(self.crops.tobytes()).hexdigest(),
        }


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how it compares with the trained model in float64."""

    path: Path
    precision: str
    size: int
    """Bytes."""
    spearman: float
    max_difference: float
    mean_difference: float
    spread: float
    """Standard deviation of the scores in float64."""


def export_precision(
    graph: nn.Module,
    manifest: ScoreManifest,
    precision: str,
    path: Path,
    calibration: Calibration | None,
    distribution: NDArray[np.uint8] | None,
) -> ScoreManifest:
    """Write a score graph in one precision, and its manifest.

    Args:
        graph: as it was trained.
        manifest: of the trained graph; what the file is replaces its fields.
        precision: `fp32`, `fp16` or `int8`.
        path: ``NAME.onnx``.
        calibration: needed for int8.
        distribution: ``uint8 [n, 1, 64, 64]``, crops whose scores by int8 give its percentiles;
            None keeps those of ``manifest``.
    """
    if precision == "int8":
        if calibration is None:
            raise ValueError("int8 needs a calibration")
        data = int8_graph(graph, calibration).SerializeToString()
    else:
        form = float_form(graph)
        data = to_onnx(halve(form) if precision == "fp16" else form, ["crops"], ["score"])
    write_atomic(path, data)
    written = replace(
        manifest,
        sha256=hashlib.sha256(data).hexdigest(),
        precision=precision,
        versions={
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        calibration=calibration.described() if calibration and precision == "int8" else {},
    )
    written.write(path)
    if distribution is not None and precision == "int8":  # the others score as the model does
        written = replace(written, score_quantiles=quantiles(score(path, distribution)))
    if calibration is not None and precision == "int8":
        crops = calibration.crops[:MARGIN_CROPS]
        errors = reference_scores(graph, crops) - score(path, crops)
        written = replace(written, screen_margin=screen_margin(errors))
    written.write(path)
    return written


def screen_margin(errors: NDArray[np.float64]) -> float:
    """Return the margin that int8 screens with: see :attr:`ScoreManifest.screen_margin`.

    Two crops of different people err more independently than two of one track do, but a camera
    shows crops that are worse than those of a calibration set: on clips the two balance.

    Args:
        errors: ``[n]``, scores by fp32 less those by int8.
    """
    return round(float(np.quantile(errors[:, None] - errors, MARGIN_SHARE)), 4)


def score_distribution(
    graph: nn.Module, manifest: ScoreManifest, crops: NDArray[np.uint8]
) -> tuple[float, ...]:
    """Return the quantiles of the scores of crops in float32, for the manifest."""
    with tempfile.TemporaryDirectory(prefix="sealshot-export-") as folder:
        path = Path(folder) / "model.onnx"
        unknown = replace(manifest, score_quantiles=(0.0,) * 101)  # an engine wants some
        export_precision(graph, unknown, "fp32", path, None, None)
        return quantiles(score(path, crops))


def int8_graph(
    graph: nn.Module, calibration: Calibration, keep: Collection[str] = ()
) -> onnx.ModelProto:
    """Return a trained score graph as int8; ``keep`` names layers that stay float32."""
    model, ranges = int8_form(graph, calibration)
    return quantise(model, ranges, RECIPES[calibration.recipe], keep)


def int8_form(graph: nn.Module, calibration: Calibration) -> tuple[onnx.ModelProto, Ranges]:
    """Return the float32 graph that is to be quantised, and the ranges of its tensors."""
    crops = torch.from_numpy(calibration.crops[:FORM_CROPS])
    form = equalise(fold(graph), crops)
    if isinstance(form, RpScore):
        form = Int8Rp(form, crops)
    model = onnx.load_from_string(to_onnx(form, ["crops"], ["score"]))
    return model, calibrate(model, calibration.crops, calibration.method)


def compare(
    graph: nn.Module, path: Path, precision: str, crops: NDArray[np.uint8], batch: int = 32
) -> Exported:
    """Compare the scores of a file with those of the trained model in float64."""
    exact = reference_scores(graph, crops, batch)
    difference = score(path, crops) - exact
    agree = float(spearmanr(exact + difference, exact).statistic) if len(crops) > 1 else math.nan
    return Exported(
        path=path,
        precision=precision,
        size=path.stat().st_size,
        spearman=agree,
        max_difference=float(np.abs(difference).max()),
        mean_difference=float(difference.mean()),
        spread=float(exact.std()),
    )


def reference_scores(
    graph: nn.Module, crops: NDArray[np.uint8], batch: int = 32
) -> NDArray[np.float64]:
    """Return the scores of a trained model in float64: ``[n]``."""
    graph = graph.double().eval()
    with torch.inference_mode():
        parts = [
            graph(torch.from_numpy(crops[i : i + batch])).numpy()
            for i in range(0, len(crops), batch)
        ]
    graph.float()
    return np.concatenate(parts).astype(np.float64)


def score(path: Path, crops: NDArray[np.uint8]) -> Floats:
    """Return the scores of crops by a graph on ONNX Runtime."""
    return open_onnxruntime(path).score(crops)
