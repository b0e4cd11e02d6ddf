"""The files of a score for the FPGA: the exact integer graph, and the words that a board takes."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.stats import spearmanr

from sealshot.export.fpga.graph import OPSET, integer_graph
from sealshot.export.fpga.proofs import LayerBounds, prove
from sealshot.export.fpga.quantise import quantise, spoiled
from sealshot.kernels.rtl.protocol import SHAPE_ID
from sealshot.kernels.rtl.reference import FloatLayer, IntegerNet, float_layers
from sealshot.kernels.rtl.words import parameter_words, weight_words
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.engines.eyes import copy_eyes
from sealshot.runtime.engines.identity import model_sha256
from sealshot.runtime.engines.manifest import ScoreManifest, load_manifest, quantiles
from sealshot.runtime.engines.weight_stream import stream_of
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.weights.forms import OF_HARDWARE

FITTED_CROPS = 640
"""As many again of them are made worse."""
COMPARED = 32
OUTPUT = "score"


@dataclass(frozen=True)
class FpgaFiles:
    """What was written, and how near it is to the trained model."""

    graph: Path
    """``NAME.w8a9.onnx``: what the hardware computes, for ONNX Runtime."""
    stream: Path
    """``NAME.w8a9-stream.fpga``: what a board is loaded with."""
    spearman: float
    rms: float
    spread: float
    """Standard deviation of the scores by fp32, on the crops that were not fitted on."""
    bounds: tuple[LayerBounds, ...]
    others: tuple[str, ...]
    """Outputs of the trained model beside the score, which the hardware does not compute."""


def export_fpga(
    model: Path, crops: NDArray[np.uint8], set_name: str, folder: Path, seed: int = 0
) -> FpgaFiles:
    """Quantise a float32 score graph for the hardware and write its files.

    Args:
        model: ``NAME.onnx`` of the student's shape, in fp32.
        crops: ``uint8 [n, 1, 64, 64]``, 64 or more; a part is fitted on, another judged by.
        set_name: of the crops, for the manifest.
        folder: where the files go.
        seed: of the choice of crops and pixels.

    Raises:
        InputError: the graph is of another shape, or the integers would not be exact.
        SealshotError: graph and integer model differ: a fault of this program.
    """
    manifest = load_manifest(model)
    try:
        layers, others = score_alone(onnx.load(model))
    except ValueError as error:
        raise InputError(
            f"{model} is not of the shape that the hardware runs: {error}",
            hint="the FPGA scores `quality`, and what `sealshot train quality` makes",
        ) from error
    order = np.random.default_rng(seed).permutation(len(crops))
    count = min(FITTED_CROPS, len(crops) // 3)
    clean, worse, judged = np.split(crops[order], [count, 2 * count])
    fitted = np.concatenate([clean, spoiled(worse, seed)])
    net = quantise(layers, fitted, seed)
    bounds = prove(net)
    files = _write(net, manifest, folder, fitted, set_name)
    copy_eyes(model, manifest, folder)
    graph = open_onnxruntime(files[0])
    check = np.concatenate([judged[:COMPARED], spoiled(judged[:COMPARED], seed + 1), _hard()])
    if not np.array_equal(graph.score(check), net.score(check)):
        raise SealshotError("the integer graph does not give what the integer model gives")
    exact, found = open_onnxruntime(model).score(judged), graph.score(judged)
    written = replace(graph.manifest, score_quantiles=quantiles(graph.score(crops)))
    for path in files:
        replace(written, sha256=model_sha256(path)).write(path)
    return FpgaFiles(
        graph=files[0],
        stream=files[1],
        spearman=float(spearmanr(exact, found).statistic),
        rms=float(np.sqrt(np.mean((exact - found) ** 2))),
        spread=float(exact.std()),
        bounds=bounds,
        others=others,
    )


def score_alone(model: onnx.ModelProto) -> tuple[tuple[FloatLayer, ...], tuple[str, ...]]:
    """Return the layers that a model's score takes, and the names of its other outputs.

    Raises:
        ValueError: the score takes other layers than the hardware has.
    """
    outputs = [output.name for output in model.graph.output]
    inputs = [value.name for value in model.graph.input]
    part = onnx.utils.Extractor(model).extract_model(inputs, [OUTPUT])
    tensors = {t.name: numpy_helper.to_array(t) for t in part.graph.initializer}
    layers = float_layers(tensors)
    if (count := sum(t.ndim > 1 for t in tensors.values())) != len(layers):
        raise ValueError(f"its score takes {count} layers, not {len(layers)}")
    return layers, tuple(name for name in outputs if name != OUTPUT)


def _write(
    net: IntegerNet,
    manifest: ScoreManifest,
    folder: Path,
    fitted: NDArray[np.uint8],
    set_name: str,
) -> tuple[Path, Path]:
    import hashlib

    graph = folder / f"{manifest.name}.{OF_HARDWARE}.onnx"
    paths = graph, stream_of(graph)
    write_atomic(paths[0], integer_graph(net).SerializeToString())
    out = io.BytesIO()
    np.savez(
        out,
        weights=weight_words(net),
        parameters=parameter_words(net),
        scale=np.float64(net.scale),
        shape=np.int64(SHAPE_ID),
    )
    write_atomic(paths[1], out.getvalue())
    for path in paths:
        replace(
            manifest,
            sha256=model_sha256(path),
            precision=OF_HARDWARE,
            opset=OPSET,
            versions={"onnx": onnx.__version__, "numpy": np.__version__},
            calibration={
                "set": set_name,
                "crops": str(len(fitted)),
                "sha256": hashlib.sha256(fitted.tobytes()).hexdigest(),
            },
        ).write(path)
    return paths


def _hard() -> NDArray[np.uint8]:
    """Return pictures that reach far: black, white, noise, a checkerboard."""
    y, x = np.mgrid[:64, :64]
    noise = np.random.default_rng(0).integers(0, 256, (64, 64))
    pictures = [np.zeros((64, 64)), np.full((64, 64), 255), noise, 255 * ((y + x) % 2)]
    return np.stack(pictures).astype(np.uint8)[:, None]


def tell(files: FpgaFiles) -> None:
    """Print what was written, and what was proved."""
    say(f"{files.graph}: the integer graph, exact in ONNX Runtime")
    say(f"{files.stream}: what a board is loaded with")
    say(
        f"Spearman {files.spearman:.5f} to fp32, rms {files.rms:.3g} of a spread of "
        f"{files.spread:.3g}; no sum leaves {max(b.sum_bits for b in files.bounds):.1f} bits, "
        f"no multiplier {max(b.multiplier for b in files.bounds)}"
    )
    if files.others:
        say(f"the score alone: {', '.join(files.others)} of the model only other engines compute")
