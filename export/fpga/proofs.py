"""What must hold for every picture there can be, so that hardware and graph are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sealshot.kernels.rtl.reference import ACTIVATION_BITS, MULTIPLIER_BITS, SUM_BITS, IntegerNet
from sealshot.runtime.errors import InputError

PIXEL_TOP = 255
ACTIVATION_TOP = 2 ** (ACTIVATION_BITS - 1)


@dataclass(frozen=True)
class LayerBounds:
    """The largest that a layer can reach, over all pictures."""

    sum_bits: float
    """Of the sum of products and bias, sign and all: log2 of the bound, plus 1."""
    absolute_sum: int
    """Of the absolute values: what a float32 convolution meets in any order of addition."""
    multiplier: int


def prove(net: IntegerNet) -> tuple[LayerBounds, ...]:
    """Return the bounds of each layer.

    Raises:
        InputError: a sum may leave 24 bits, or a multiplier 16: the net cannot run exactly.
    """
    bounds = []
    for i, layer in enumerate(net.layers):
        top = ACTIVATION_TOP if i else PIXEL_TOP
        flat = np.abs(layer.weights.reshape(len(layer.bias), -1).astype(np.int64)).sum(1)
        bias = np.abs(layer.bias.astype(np.int64))
        worst = int((flat * top + bias).max())
        multiplier = int(layer.multipliers.max())
        if worst >= 2 ** (SUM_BITS - 1):
            raise InputError(
                f"a sum of layer {i} may reach {worst}, more than {SUM_BITS} bits hold",
                hint="train with weight decay, or calibrate with other faces",
            )
        if multiplier >= 2**MULTIPLIER_BITS or layer.multipliers.min() < 1:
            raise InputError(
                f"a multiplier of layer {i} leaves {MULTIPLIER_BITS} bits",
                hint="calibrate with other faces",
            )
        bounds.append(LayerBounds(float(np.log2(worst) + 1), worst, multiplier))
    return tuple(bounds)
