"""Cross-layer equalisation: channels of one activation are given like ranges before int8.

A leaky ReLU is positively homogeneous, so a channel can be divided by any positive number in the
layer before it and multiplied by it in the layers behind it, and nothing changes but the
roundings (Nagel, van Baalen, Blankevoort and Welling 2019, arXiv 1906.04721).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sealshot.export.nets.student import Student
from sealshot.export.nets.vae import RpScore

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
STRENGTH = 0.5
"""1 makes all ranges the same; less leaves the weights behind it some of their own range."""


def equalise(folded: nn.Module, crops: Tensor, strength: float = STRENGTH) -> nn.Module:
    """Return a copy of a folded score graph with channels of like range on some crops.

    Args:
        folded: no batch norm is left in it.
        crops: ``uint8 [n, 1, 64, 64]``.
        strength: 0 to 1.
    """
    model = copy.deepcopy(folded).eval()
    for layer, behind in _pairs(model):
        reach = _reach(model, layer, crops)
        scale = (reach / reach.max()).clamp(min=1e-3) ** strength  # [channels]
        _scale_outputs(layer, 1 / scale)
        for follower in behind:
            _scale_inputs(follower, scale)
    return model


def _pairs(model: nn.Module) -> list[tuple[Layer, Sequence[Layer]]]:
    """Return each layer that a leaky ReLU follows, with the layers that see its output."""
    chains: list[tuple[list[Layer], list[Layer]]]
    if isinstance(model, RpScore):
        vae = model.vae
        encoder = [m for m in vae.encoder if isinstance(m, Layer)]
        decoder = [m for m in vae.decoder if isinstance(m, Layer)]
        chains = [(encoder, [vae.z_mu, vae.z_log_var]), (decoder, [vae.x_mu, vae.x_log_var])]
    elif isinstance(model, Student):
        chain = [m for m in (*model.body, *model.head) if isinstance(m, Layer)]
        chains = [(chain[:-1], chain[-1:])]
    else:
        raise TypeError(f"no chain of layers is known of {type(model).__name__}")
    pairs: list[tuple[Layer, Sequence[Layer]]] = [
        (layer, chain[i + 1 : i + 2] or end)
        for chain, end in chains
        for i, layer in enumerate(chain)
    ]
    return pairs


def _reach(model: nn.Module, layer: Layer, crops: Tensor) -> Tensor:
    """Return the largest absolute value of each channel that a layer gives."""
    found: list[Tensor] = []

    def keep(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        found.append(output.abs().transpose(0, 1).flatten(1).amax(1))

    handle = layer.register_forward_hook(keep)
    with torch.no_grad():
        for part in torch.split(crops, 32):
            model(part)
    handle.remove()
    return torch.stack(found).amax(0)


def _scale_outputs(layer: Layer, by: Tensor) -> None:
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if i == axis else 1 for i in range(layer.weight.ndim)]
    layer.weight.data *= by.reshape(shape)
    if layer.bias is not None:
        layer.bias.data *= by


def _scale_inputs(layer: Layer, by: Tensor) -> None:
    axis = 0 if isinstance(layer, nn.ConvTranspose2d) else 1
    by = by.repeat_interleave(layer.weight.shape[axis] // len(by))  # a flattened map: by channel
    shape = [-1 if i == axis else 1 for i in range(layer.weight.ndim)]
    layer.weight.data *= by.reshape(shape)
