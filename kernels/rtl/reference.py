"""What is right: the net in float64 and in whole numbers, layer by layer, in NumPy.

:func:`float_outputs` is what was trained. :class:`IntegerNet` is what the hardware computes: RTL
and integer ONNX graph are held to it, number for number. One step of it, for the sum ``acc`` of a
layer's products and its bias::

    t = clip(acc >> shift, 18 bits)
    p = t * multiplier * (128 if t >= 0 else 13)        # the leaky slope is 26/256 = 13/128
    y = clip((p + 2**26) >> 27, 9 bits)

All shifts round towards minus infinity. The last layer gives ``acc`` itself, which the host
multiplies with :attr:`IntegerNet.scale`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl.shape import CROP_PX, LAYERS, LayerShape

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

SLOPE_64 = 13 / 128
SUM_BITS, STEP_BITS, MULTIPLIER_BITS, ACTIVATION_BITS = 24, 18, 16, 9
SLOPES = (128, 13)
"""Of t >= 0 and of t < 0, in 1/128."""
DOWN = 27
"""Bits that a product is shifted down by: 20 of the multiplier, 7 of the slope."""


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """Weights of one layer as it was trained, in the shape of :mod:`~.shape`."""

    shape: LayerShape
    weights: Doubles
    """``[out, in, kernel, kernel]``."""
    bias: Doubles
    """``[out]``."""


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """What one layer of the hardware is loaded with."""

    shape: LayerShape
    weights: NDArray[np.int8]
    """``[out, in, kernel, kernel]``."""
    bias: NDArray[np.int32]
    """``[out]``, in units of the sum."""
    multipliers: NDArray[np.uint16]
    """``[out]``; ones in the last layer, which has no use for them."""
    shifts: NDArray[np.uint8]
    """``[out]``, 0 to 7."""


@dataclass(frozen=True, eq=False)
class IntegerNet:
    """The whole net as the hardware computes it."""

    layers: tuple[IntegerLayer, ...]
    scale: float
    """Score of one unit of the last sum."""

    def outputs(self, crops: NDArray[np.uint8]) -> list[Integers]:
        """Return what each layer gives, ``[n, c, h, w]``, for ``uint8 [n, 1, 64, 64]``."""
        x: Integers = blocks(crops).astype(np.int64)
        outputs = []
        for layer in self.layers:
            x = sums(layer, x)
            if layer is not self.layers[-1]:
                x = requantise(layer, x)
            outputs.append(x)
        return outputs

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the quality ``float32 [n]`` of crops ``uint8 [n, 1, 64, 64]``."""
        sums = self.outputs(crops)[-1][:, 0, 0, 0].astype(np.float64)
        return np.asarray(self.scale * sums, np.float32)


def blocks(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 2x2 blocks of pixels as four channels: ``[n, 1, 64, 64]`` -> ``[n, 4, 32, 32]``."""
    half = CROP_PX // 2
    split = crops.reshape(-1, half, 2, half, 2)  # [n, y, row in block, x, column in block]
    return np.ascontiguousarray(split.transpose(0, 2, 4, 1, 3)).reshape(-1, 4, half, half)


def windows(x: NDArray[np.generic], shape: LayerShape) -> NDArray[np.generic]:
    """Return the inputs of each output pixel: ``[n, c, h, w]`` -> ``[n, pixels, c * k * k]``."""
    edge = (shape.padding, shape.padding_far)
    padded = np.pad(x, ((0, 0), (0, 0), edge, edge))
    view = np.lib.stride_tricks.sliding_window_view(padded, (shape.kernel,) * 2, axis=(2, 3))
    view = view[:, :, :: shape.stride, :: shape.stride].transpose(0, 2, 3, 1, 4, 5)
    return np.asarray(view.reshape(len(x), shape.size_out**2, -1))


def convolve(x: NDArray[np.generic], weights: NDArray[np.generic], shape: LayerShape) -> Doubles:
    """Return a convolution in float64, exact for whole numbers: ``[n, out, h, w]``."""
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    out = windows(x, shape).astype(np.float64) @ flat.T  # [n, pixels, out]
    return np.asarray(out.transpose(0, 2, 1).reshape(len(x), -1, shape.size_out, shape.size_out))


def sums(layer: IntegerLayer, x: Integers) -> Integers:
    """Return the 24-bit sums of a layer."""
    found = convolve(x, layer.weights, layer.shape).astype(np.int64)
    return found + layer.bias.astype(np.int64)[:, None, None]


def requantise(layer: IntegerLayer, acc: Integers) -> Integers:
    """Return the 9-bit activations that a layer makes of its sums; see the top of this module."""
    t = _clip(acc >> layer.shifts.astype(np.int64)[:, None, None], STEP_BITS)
    p = t * layer.multipliers.astype(np.int64)[:, None, None] * np.where(t >= 0, *SLOPES)
    return _clip((p + 2 ** (DOWN - 1)) >> DOWN, ACTIVATION_BITS)


def float_outputs(layers: Sequence[FloatLayer], crops: NDArray[np.uint8]) -> list[Doubles]:
    """Return what each layer gives in float64; the last one's is the score."""
    x: Doubles = blocks(crops) / 255
    outputs = []
    for layer in layers:
        x = convolve(x, layer.weights, layer.shape) + layer.bias[:, None, None]
        if layer is not layers[-1]:
            x = np.where(x < 0, x * SLOPE_64, x)
        outputs.append(x)
    return outputs


def float_layers(tensors: dict[str, NDArray[np.float32]]) -> tuple[FloatLayer, ...]:
    """Return the layers of a trained net.

    Args:
        tensors: the initialisers of its float32 graph, by name: ``body.N.weight``, ``head.N.bias``.

    Raises:
        ValueError: the net is of another shape.
    """
    names = [*(f"body.{3 * i}" for i in range(len(LAYERS) - 2)), "head.0", "head.2"]
    layers = []
    for name, shape in zip(names, LAYERS, strict=True):
        try:
            weights, bias = (
                tensors[f"{name}.{kind}"].astype(np.float64) for kind in ("weight", "bias")
            )
        except KeyError as error:
            raise ValueError(f"it has no tensor {error}") from None
        if shape is LAYERS[0]:
            weights = _on_blocks(weights)
        expected = (shape.channels_out, shape.channels_in, shape.kernel, shape.kernel)
        if weights.size != np.prod(expected) or len(bias) != shape.channels_out:
            raise ValueError(f"{name} is {list(weights.shape)}, not {list(expected)}")
        layers.append(FloatLayer(shape, weights.reshape(expected), bias))
    return tuple(layers)


def _on_blocks(weights: Doubles) -> Doubles:
    """Return a 3x3 convolution of stride 2 as a 2x2 convolution over :func:`blocks`."""
    if weights.shape[1:] != (1, 3, 3):
        return weights
    wide = np.pad(weights, ((0, 0), (0, 0), (1, 0), (1, 0)))  # rows -2 to 1 of the pixel below
    split = wide.reshape(len(weights), 2, 2, 2, 2)  # [out, block, row in it, block, column in it]
    return np.ascontiguousarray(split.transpose(0, 2, 4, 1, 3)).reshape(len(weights), 4, 2, 2)


def _clip(x: Integers, bits: int) -> Integers:
    return np.clip(x, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
