"""The ranges of the tensors of a graph on a calibration set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

from sealshot.export.quantise.qdq import Range, wanted
from sealshot.runtime.cli.terminal import progress

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
"""How outliers are treated: kept; cut off; cut off where the distribution changes least."""
PERCENTILE = 99.99
BINS = 2048
"""Of the histogram of a tensor; with no more than int8 has steps, ONNX Runtime's default, entropy
has next to nothing to choose among, and cuts where the largest value of the first batch lies."""
HEADROOM = 1.1
"""Of min-max: a camera shows what no calibration set did, and a cut costs more than a step."""
BATCH = 8


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self.batches: Iterator[NDArray[np.uint8]] = iter([crops])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"crops": batch}


def calibrate(
    model: onnx.ModelProto, crops: NDArray[np.uint8], method: str = "minmax"
) -> dict[str, Range]:
    """Run a float32 graph on crops and return the ranges of the tensors that become int8.

    Args:
        model: a score graph.
        crops: ``uint8 [n, 1, 64, 64]``.
        method: one of :data:`METHODS`.
    """
    with tempfile.TemporaryDirectory(prefix="sealshot-export-") as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        calibrator = create_calibrator(
            path,
            ["Conv", "Gemm", "ConvTranspose", "LeakyRelu", "Relu"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=METHODS[method],
            extra_options={"percentile": PERCENTILE, "num_bins": BINS},
        )
        with progress(f"calibrating, {method}", len(crops)) as bar:
            for i in range(0, len(crops), BATCH):
                bar.update(i)
                calibrator.collect_data(_Batches(crops[i : i + BATCH]))
        found = calibrator.compute_data()
    ranges = {}
    for name in wanted(model):
        low, high = found[name].range_value
        wider = HEADROOM if method == "minmax" else 1.0
        ranges[name] = (wider * float(np.min(low)), wider * float(np.max(high)))
    return ranges
