"""From float to the integers of the hardware: 8-bit weights, 9-bit activations, 16-bit multipliers.

Layer after layer, each fitted to what the trained one gives although its own input is rounded:

1. Weights that carry the rounded input to the trained output, by least squares.
2. A scale for each channel: of the activations the one that loses least by rounding and clipping,
   of the weights by their largest. The multiplier is chosen before the weights are rounded, so that
   it adds no error of its own.
3. Rounding one column of weights after the other, where the columns to come make up for each error
   (Frantar et al. 2022, *GPTQ*).
4. The bias, so that the mean error of each channel is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sealshot.export.train.degrade import DEGRADATIONS
from sealshot.kernels.rtl.reference import (
    ACTIVATION_BITS,
    DOWN,
    MULTIPLIER_BITS,
    SLOPE_64,
    Doubles,
    FloatLayer,
    IntegerLayer,
    IntegerNet,
    blocks,
    requantise,
)
from sealshot.kernels.rtl.shape import CROP_PX, LayerShape

PIXELS = 64
"""Output pixels of a crop, at most, that a layer is fitted on."""
BATCH = 64
RIDGE, DAMPING = 10.0, 0.1
"""Of the mean square of an input: how firmly weights stay where they were, in step 1 and in step 3.
Less firmly, the errors of these very crops are learnt: a dense layer sees each of them once."""
CLIPS, CLIPPED_PX = (0.55, 0.7, 0.85, 1.0), 16
"""Of a channel's range: what its largest number may stand for, in a layer so wide or wider, where
some pixels reach far; in a smaller one whole faces do, and those that calibrate are not all."""
MOST_SHIFT = 7
WEIGHT_TOP = 127
TINY = 1e-12
"""In place of 0, for a channel that is always 0."""
CONTEXT_PX = 112


def quantise(layers: Sequence[FloatLayer], crops: NDArray[np.uint8], seed: int = 0) -> IntegerNet:
    """Return the integer net of a trained one, fitted on crops.

    Args:
        layers: as trained; see :func:`~sealshot.kernels.rtl.reference.float_layers`.
        crops: ``uint8 [n, 1, 64, 64]``, as the camera will show them: good ones and bad ones.
        seed: of the choice of pixels that a layer is fitted on.
    """
    rng = np.random.default_rng(seed)
    whole = torch.from_numpy(blocks(crops)).float()
    exact = whole / 255
    units = np.full(layers[0].shape.channels_in, 1 / 255)  # of the whole numbers, by channel
    done: list[IntegerLayer] = []
    for layer in layers:
        trained = _convolve(exact, layer.weights, layer.shape)
        trained += torch.from_numpy(layer.bias).float()[:, None, None]
        exact = torch.where(trained < 0, SLOPE_64 * trained, trained)
        pairs = _pairs(whole, trained, layer.shape, rng)
        last = layer is layers[-1]
        one, units = _fit(layer, pairs, units, None if last else _steps(exact))
        done.append(one)
        if not last:
            whole = _run(one, whole)
    return IntegerNet(tuple(done), float(units[0]))


def spoiled(crops: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """Return crops made worse, each in one way of :mod:`~sealshot.export.train.degrade`.

    Beyond the edge of a crop, which a shift or turn brings in, its edge is repeated.
    """
    rng = np.random.default_rng(seed)
    edge = (CONTEXT_PX - CROP_PX) // 2
    worse = [
        DEGRADATIONS[i % len(DEGRADATIONS)](np.pad(crop, edge, mode="edge"), rng.uniform(), rng)
        for i, crop in enumerate(crops[:, 0])
    ]
    return np.stack([one.crop for one in worse])[:, None]


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Inputs ``[m, d]`` of the hardware, and what the trained layer gives, ``[m, out]``."""

    inputs: Doubles
    outputs: Doubles


def _pairs(whole: Tensor, trained: Tensor, shape: LayerShape, rng: np.random.Generator) -> _Pairs:
    pixels = shape.size_out**2
    inputs, outputs = [], []
    for i in range(0, len(whole), BATCH):
        x = functional.unfold(
            _padded(whole[i : i + BATCH], shape), shape.kernel, stride=shape.stride
        )
        y = trained[i : i + BATCH].flatten(2)
        at = torch.from_numpy(rng.permutation(pixels)[:PIXELS])
        inputs.append(x[:, :, at].transpose(1, 2).flatten(0, 1).double().numpy())
        outputs.append(y[:, :, at].transpose(1, 2).flatten(0, 1).double().numpy())
    return _Pairs(np.concatenate(inputs), np.concatenate(outputs))


def _steps(activations: Tensor) -> Doubles:
    """Return the unit of each channel's 9-bit numbers: of :data:`CLIPS`, what loses least."""
    top = 2 ** (ACTIVATION_BITS - 1)
    high, low = activations.amax((0, 2, 3)) / (top - 1), -activations.amin((0, 2, 3)) / top
    steps = torch.stack([high, low]).amax(0).clamp_min(TINY) * torch.tensor(CLIPS)[:, None]
    if activations.shape[-1] < CLIPPED_PX:
        return np.asarray(steps.amax(0).double().numpy())
    some = activations[::2]
    losses = [
        ((some / unit).round().clip(-top, top - 1) * unit - some).square().mean((0, 2, 3))
        for unit in steps[:, :, None, None]
    ]
    least = torch.stack(losses).argmin(0, keepdim=True)
    return np.asarray(steps.gather(0, least)[0].double().numpy())


def _fit(
    layer: FloatLayer, pairs: _Pairs, units: Doubles, steps: Doubles | None
) -> tuple[IntegerLayer, Doubles]:
    """Return a layer in whole numbers, and the value of one unit of each of its outputs.

    Args:
        layer: as trained.
        pairs: what it is to do.
        units: value of one unit of each input channel.
        steps: the same of each output channel, where it is requantised; some may come out larger.
    """
    mean_in, mean_out = pairs.inputs.mean(0), pairs.outputs.mean(0)
    x, y = pairs.inputs - mean_in, pairs.outputs - mean_out
    before = (layer.weights * units[:, None, None]).reshape(len(layer.bias), -1)
    square = x.T @ x / len(x)
    mean_square = np.trace(square) / len(square) * np.eye(len(square))
    ridge = RIDGE * mean_square
    weights = np.linalg.solve(square + ridge, (y.T @ x / len(x) + before @ ridge).T).T
    unit = np.maximum(np.abs(weights).max(1) / WEIGHT_TOP, TINY)  # of a sum, by channel
    multipliers, shifts = np.ones(len(unit), np.int64), np.zeros(len(unit), np.int64)
    if steps is not None:
        top, down = 2**MULTIPLIER_BITS - 1, DOWN - 7
        steps = np.maximum(steps, unit * 2.0**down / top)
        ratio = unit / steps  # = multiplier / 2**(20 + shift)
        shifts = (np.floor(np.log2(top / ratio)).astype(np.int64) - down).clip(0, MOST_SHIFT)
        multipliers = np.ceil(ratio * 2.0 ** (down + shifts)).clip(1, top).astype(np.int64)
        unit = multipliers / 2.0 ** (down + shifts) * steps
    rounded = _round(weights, unit, square + DAMPING * mean_square)
    bias = np.rint((mean_out - (rounded * unit[:, None]) @ mean_in) / unit)
    bias += 2.0**shifts // 2  # the shift rounds down
    return (
        IntegerLayer(
            layer.shape,
            rounded.reshape(layer.weights.shape).astype(np.int8),
            bias.astype(np.int32),
            multipliers.astype(np.uint16),
            shifts.astype(np.uint8),
        ),
        unit if steps is None else steps,
    )


def _round(weights: Doubles, unit: Doubles, square: Doubles) -> Doubles:
    """Return weights in units, rounded so that the error of the outputs is small (GPTQ).

    Args:
        weights: ``[out, d]``.
        unit: ``[out]``.
        square: ``[d, d]``, mean square of the inputs.
    """
    left, rounded = weights.copy(), np.empty_like(weights)
    factor = np.linalg.cholesky(np.linalg.inv(square)).T
    for j in range(weights.shape[1]):
        rounded[:, j] = np.rint(left[:, j] / unit).clip(-WEIGHT_TOP, WEIGHT_TOP)
        error = (left[:, j] - rounded[:, j] * unit) / factor[j, j]
        left[:, j + 1 :] -= error[:, None] * factor[j, j + 1 :]
    return rounded


def _run(layer: IntegerLayer, whole: Tensor) -> Tensor:
    """Return the activations of the hardware; float32 is exact for sums of 24 bits."""
    acc = _convolve(whole, layer.weights, layer.shape).numpy().astype(np.int64)
    acc += layer.bias[:, None, None]
    return torch.from_numpy(requantise(layer, acc)).float()


def _convolve(x: Tensor, weights: NDArray[np.generic], shape: LayerShape) -> Tensor:
    kernel = torch.from_numpy(weights.astype(np.float32))
    parts = [
        functional.conv2d(_padded(x[i : i + BATCH], shape), kernel, stride=shape.stride)
        for i in range(0, len(x), BATCH)
    ]
    return torch.cat(parts)


def _padded(x: Tensor, shape: LayerShape) -> Tensor:
    near, far = shape.padding, shape.padding_far
    return functional.pad(x, (near, far, near, far))
