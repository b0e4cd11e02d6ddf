"""An integer net as the words that the hardware is loaded with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl.reference import MULTIPLIER_BITS, SUM_BITS, IntegerNet
from sealshot.kernels.rtl.shape import INPUTS, OUTPUTS

LANES = 4
SHIFT_BITS = 3
CHANNEL_BITS = SUM_BITS + MULTIPLIER_BITS + SHIFT_BITS
PARAMETER_BYTES = -(-LANES * CHANNEL_BITS // 8)
WEIGHT_BYTES = INPUTS * OUTPUTS


def weight_words(net: IntegerNet) -> NDArray[np.uint8]:
    """Return the words of all layers, ``uint8 [words, 128]``, in the order that they are read."""
    parts = []
    for layer in net.layers:
        shape = layer.shape
        weights = np.zeros((shape.groups * OUTPUTS, *layer.weights.shape[1:]), np.int8)
        weights[: shape.channels_out] = layer.weights
        split = weights.reshape(shape.groups, OUTPUTS, -1, INPUTS, shape.kernel, shape.kernel)
        # [group, row, column, word, lane, input]
        parts.append(split.transpose(0, 4, 5, 2, 1, 3).reshape(-1, WEIGHT_BYTES))
    return np.concatenate(parts).view(np.uint8)


def parameter_words(net: IntegerNet) -> NDArray[np.uint8]:
    """Return bias, multiplier and shift of four channels a word, ``uint8 [words, 22]``."""
    words = []
    for layer in net.layers:
        shape = layer.shape
        for first in range(0, shape.groups * shape.words_out * LANES, LANES):
            value = 0
            for lane in range(LANES):
                channel = first + lane
                if channel < shape.channels_out:
                    value |= (
                        (int(layer.bias[channel]) & (2**SUM_BITS - 1))
                        | int(layer.multipliers[channel]) << SUM_BITS
                        | int(layer.shifts[channel]) << (SUM_BITS + MULTIPLIER_BITS)
                    ) << (lane * CHANNEL_BITS)
            words.append(np.frombuffer(value.to_bytes(PARAMETER_BYTES, "little"), np.uint8))
    return np.stack(words)


def activations(words: NDArray[np.uint8], channels: int, size: int) -> NDArray[np.int64]:
    """Return what was read from the memory of activations.

    Args:
        words: ``uint8 [n, 5]``, four 9-bit values each.
        channels: of the layer.
        size: height and width.

    Returns:
        ``int64 [channels, size, size]``.
    """
    wide = np.zeros((len(words), 8), np.uint8)
    wide[:, :5] = words
    value = wide.view("<u8")[:, 0].astype(np.int64)
    lanes = np.stack([value >> (9 * i) & 511 for i in range(LANES)], axis=1)
    signed = np.where(lanes > 255, lanes - 512, lanes)
    return np.asarray(signed.reshape(size, size, channels).transpose(2, 0, 1))
