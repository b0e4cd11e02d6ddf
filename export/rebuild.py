"""From a score graph that ships back to the PyTorch model: exports need no checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from sealshot.export.nets.forms import LOG_ROOT_2, PHASES, transposed_weight
from sealshot.export.nets.student import Student
from sealshot.export.nets.vae import DECODER, LATENT, RpScore, Vae
from sealshot.runtime.engines.manifest import ScoreManifest
from sealshot.runtime.errors import InputError


def load_graph(model: Path, manifest: ScoreManifest) -> nn.Module:
    """Rebuild the trained score graph whose float32 export is ``model``.

    The scale of each batch norm is in the weights of the file; its shift becomes the batch norm's.
    Function and work are those of the graph before it was folded.

    Raises:
        InputError: the file is not float32, or its tensors are not those of the architecture.
    """
    if manifest.precision != "fp32":
        raise InputError(
            f"{model} is of {manifest.precision}: the weights are lost", hint="name the fp32 graph"
        )
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(model).graph.initializer
    }
    graph: nn.Module = Student()
    if manifest.samples:
        graph = RpScore(Vae(), manifest.seed, manifest.samples)
    state = graph.state_dict()
    try:
        if manifest.samples:
            tensors = _of_vae(tensors)
        for name, layers in graph.named_modules():
            for i, layer in enumerate(layers if isinstance(layers, nn.Sequential) else ()):
                if isinstance(layer, nn.BatchNorm2d):
                    state[f"{name}.{i}.bias"] = tensors.pop(f"{name}.{i - 1}.bias")
                    state[f"{name}.{i}.running_var"].fill_(1 - layer.eps)  # so that it divides by 1
        graph.load_state_dict(state | tensors)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{model} does not hold the weights of the architecture: {str(error).splitlines()[0]}",
            hint="name a graph that `sealshot train` of this version wrote",
        ) from error
    return graph.eval()


def _of_vae(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo :class:`~sealshot.export.nets.forms.FloatRp`: its tensors to those of RpScore."""
    known = {f"vae.{k}": t for k, t in tensors.items() if k.startswith("encoder.")}
    known["noise"] = tensors["noise"]
    for kind in ("weight", "bias"):
        latent = tensors[f"latent.{kind}"]
        known[f"vae.z_mu.{kind}"], known[f"vae.z_log_var.{kind}"] = (
            latent[:LATENT],
            (2 * latent[LATENT:]),
        )
        known[f"vae.decoder.3.{kind}"] = tensors[f"second.{kind}"]
    known["vae.decoder.0.weight"] = tensors["first.weight"].T.reshape(LATENT, DECODER[0], 4, 4)
    known["vae.decoder.0.bias"] = tensors["first.bias"][::16]
    sub_pixel = {2: "ups.0.conv", 3: "ups.1.conv", 4: "last"}
    for i, name in sub_pixel.items():
        phases = tensors[f"{name}.weight"].reshape(2, 2, DECODER[i], -1, 2, 2)
        known[f"vae.decoder.{3 * i}.weight"] = transposed_weight(phases)
        known[f"vae.decoder.{3 * i}.bias"] = tensors[f"{name}.bias"][: DECODER[i]]
    head, bias = tensors["head.weight"], tensors["head.bias"]
    known["vae.x_mu.weight"] = head[:1, : DECODER[-1]]
    known["vae.x_mu.bias"] = bias[:1]
    known["vae.x_log_var.weight"] = -2 * head[PHASES : PHASES + 1, : DECODER[-1]]
    known["vae.x_log_var.bias"] = -2 * (bias[PHASES : PHASES + 1] + LOG_ROOT_2)
    return known
