"""RTL = NumPy = ONNX Runtime, number for number: scores of many crops, every layer of some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from sealshot.kernels.rtl.protocol import Command
from sealshot.kernels.rtl.reference import IntegerLayer, IntegerNet
from sealshot.kernels.rtl.sequencer import LARGE, SMALL
from sealshot.kernels.rtl.shape import LAYERS
from sealshot.kernels.rtl.words import activations
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.engines.fpga import Board
from sealshot.runtime.engines.weight_stream import same_graph

READ_WORDS = 1024
LAST = len(LAYERS) - 1


@dataclass(frozen=True)
class Equality:
    """What was compared, and what differed."""

    crops: int
    layers_of: int
    """Crops of which every layer was compared."""
    scores_apart: int
    """Crops whose score differs in any two of the three."""
    layers_apart: int
    """Outputs of a layer that differ between RTL and NumPy."""


def compare(
    board: Board, stream: Path, crops: NDArray[np.uint8], every_layer: NDArray[np.uint8]
) -> Equality:
    """Compare the three.

    Args:
        board: the RTL or its netlist, loaded with ``stream``.
        stream: ``NAME.fpga``, beside its integer graph.
        crops: ``uint8 [n, 1, 64, 64]``, whose scores are compared.
        every_layer: ``uint8 [m, 1, 64, 64]``, of which all is.
    """
    net = read_net(same_graph(stream))
    expected = net.score(crops)
    graph = open_onnxruntime(same_graph(stream)).score(crops)
    found = board.score(crops)
    apart = 0
    for crop in every_layer:
        outputs = net.outputs(crop[None])
        for i, layer in enumerate(outputs[:LAST]):
            apart += not np.array_equal(layer_output(board, crop, i), layer[0])
    return Equality(
        crops=len(crops),
        layers_of=len(every_layer),
        scores_apart=int(((found != expected) | (graph != expected)).sum()),
        layers_apart=apart,
    )


def read_net(graph: Path) -> IntegerNet:
    """Return the integer net that a graph of `sealshot export --engine fpga` holds."""
    model = onnx.load(graph)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    layers = []
    for i, shape in enumerate(LAYERS):
        bias = tensors[f"layer{i}.bias"].astype(np.int32)
        if i == LAST:
            multipliers, shifts = np.ones(len(bias), np.uint16), np.zeros(len(bias), np.uint8)
        else:
            scale, shift = (tensors[f"layer{i}.{name}"].ravel() for name in ("scale", "shift"))
            multipliers = np.rint(scale * 2.0**27).astype(np.uint16)
            shifts = np.rint(-np.log2(shift)).astype(np.uint8)
        weights = tensors[f"layer{i}.weight"].astype(np.int8)
        layers.append(IntegerLayer(shape, weights, bias, multipliers, shifts))
    return IntegerNet(tuple(layers), float(tensors["scale"]))


def layer_output(board: Board, crop: NDArray[np.uint8], layer: int) -> NDArray[np.int64]:
    """Return what the RTL has in memory after a layer: ``[channels, size, size]``.

    Args:
        board: with a net.
        crop: ``uint8 [1, 64, 64]``.
        layer: any but the last, whose output is the score.
    """
    shape = LAYERS[layer]
    board.ask(Command.SETUP, bytes((layer, 0, 0, 0)))
    try:
        board.score(crop[None])
        source = SMALL if layer % 2 else LARGE
        count = shape.size_out**2 * shape.channels_out // 4
        words = b""
        for first in range(0, count, READ_WORDS):
            part = min(READ_WORDS, count - first)
            asked = bytes((source,)) + first.to_bytes(2, "little") + part.to_bytes(2, "little")
            words += board.ask(Command.READ, asked)
    finally:
        board.ask(Command.SETUP, bytes((LAST, 0, 0, 0)))
    found = np.frombuffer(words, np.uint8).reshape(count, 5)
    return activations(found, shape.channels_out, shape.size_out)
