"""From a trained PyTorch model to the score graph that ships: an ONNX file and its manifest."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sealshot.export.nets.eyes import Eyes
from sealshot.export.nets.forms import FloatRp
from sealshot.export.nets.vae import RpScore
from sealshot.runtime.alignment import EYE_PX
from sealshot.runtime.engines.choice import open_onnxruntime
from sealshot.runtime.engines.manifest import EyesManifest, ScoreManifest, quantiles
from sealshot.runtime.files import write_atomic

OPSET = 17
"""ONNX Runtime 1.17 and TensorRT 10 and 11 read it."""


@dataclass(frozen=True)
class Origin:
    """Where a model comes from; goes into the manifest."""

    name: str
    architecture: str
    seed: int
    training_set: str
    training_set_sha256: str
    samples: int = 0
    eyes_weight: float = 0.0
    smile_weight: float = 0.0
    turn_weight: float = 0.0


def _crops(count: int) -> tuple[Tensor, ...]:
    return (torch.zeros(count, 1, 64, 64, dtype=torch.uint8),)


def _eyes(count: int) -> tuple[Tensor, ...]:
    return (torch.zeros(count, 2, *EYE_PX, dtype=torch.uint8),)


def export_score_graph(
    graph: nn.Module, path: Path, origin: Origin, training_crops: NDArray[np.uint8]
) -> ScoreManifest:
    """Write ``path`` and its manifest; score the training crops with it for the percentiles.

    Args:
        graph: as it was trained; what is written is its fastest float32 form. It takes
            ``uint8 [n, 1, 64, 64]`` and gives ``float32 [n]``.
        path: the ``.onnx`` file.
        origin: name, architecture, training set.
        training_crops: ``uint8 [n, 1, 64, 64]``.
    """
    data = to_onnx(float_form(graph), ["crops"], ["score"])
    write_atomic(path, data)
    manifest = ScoreManifest(
        name=origin.name,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture=origin.architecture,
        parameters=sum(p.numel() for p in graph.parameters()),
        macs_per_face=count_macs(graph),
        precision="fp32",
        samples=origin.samples,
        seed=origin.seed,
        training_set=origin.training_set,
        training_set_sha256=origin.training_set_sha256,
        opset=OPSET,
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
        score_quantiles=(0.0,) * 101,
        eyes_weight=origin.eyes_weight,
        smile_weight=origin.smile_weight,
        turn_weight=origin.turn_weight,
    )
    manifest.write(path)  # the engine wants one, and it gives the distribution
    engine = open_onnxruntime(path)
    scores = np.concatenate([engine.score(c) for c in np.array_split(training_crops, 64)])
    manifest = ScoreManifest(**{**vars(manifest), "score_quantiles": quantiles(scores)})
    manifest.write(path)
    return manifest


def export_eyes(eyes: Eyes, path: Path, origin: Origin) -> EyesManifest:
    """Write the network of the eyes, ``eyes`` -> ``open`` float32 [n], and its manifest."""
    data = to_onnx(fold(eyes), ["eyes"], ["open"], _eyes)
    write_atomic(path, data)
    manifest = EyesManifest(
        name=origin.name,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture=origin.architecture,
        parameters=sum(p.numel() for p in eyes.parameters()),
        macs_per_face=count_macs(eyes, _eyes),
        precision="fp32",
        seed=origin.seed,
        training_set=origin.training_set,
        training_set_sha256=origin.training_set_sha256,
        opset=OPSET,
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
    )
    manifest.write(path)
    return manifest


def to_onnx(
    graph: nn.Module,
    inputs: list[str],
    outputs: list[str],
    example: Callable[[int], tuple[Tensor, ...]] = _crops,
) -> bytes:
    """Trace a graph and return the checked ONNX file; the batch is dynamic.

    Args:
        graph: the graph.
        inputs: their names.
        outputs: their names.
        example: gives inputs for a batch of so many; without it crops.
    """
    buffer: Any = io.BytesIO()  # the annotation of torch.onnx.export knows paths alone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is announced as deprecated
        torch.onnx.export(
            graph.eval(),
            example(2),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (*inputs, *outputs)},
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def float_form(graph: nn.Module) -> nn.Module:
    """Return the form of a trained score graph that runs fastest in float32."""
    folded = fold(graph)
    return FloatRp(folded).eval() if isinstance(folded, RpScore) else folded


def fold(graph: nn.Module) -> nn.Module:
    """Return a copy with each batch norm folded into the (transposed) convolution before it."""
    folded = copy.deepcopy(graph).eval()
    for module in list(folded.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            conv, norm = module[i], module[i + 1]
            if isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(conv, nn.ConvTranspose2d)
                module[i] = fuse_conv_bn_eval(conv, norm, transpose=transposed)  # type: ignore[type-var]
                module[i + 1] = nn.Identity()
    return folded


def count_macs(graph: nn.Module, example: Callable[[int], tuple[Tensor, ...]] = _crops) -> int:
    """Return the multiply-accumulates of convolutions and linear layers for one face."""
    total = 0

    def add(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.ConvTranspose2d):
            total += _inputs[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features

    handles = [m.register_forward_hook(add) for m in graph.modules()]
    with torch.no_grad():
        graph.eval()(*example(1))
    for handle in handles:
        handle.remove()
    return total
