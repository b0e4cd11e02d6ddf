"""The integer net as an ONNX graph whose scores are those of the hardware, bit for bit.

Sums are a float32 convolution of whole numbers, exact because no sum of absolute values leaves 24
bits (:func:`~sealshot.export.fpga.proofs.prove`); what follows is in float64, exact below 53 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sealshot.kernels.rtl.reference import ACTIVATION_BITS, DOWN, SLOPES, STEP_BITS, IntegerNet
from sealshot.kernels.rtl.shape import LayerShape

OPSET = 17


def integer_graph(net: IntegerNet) -> onnx.ModelProto:
    """Return a score graph: ``crops`` uint8 [n, 1, 64, 64] -> ``score`` float32 [n]."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def node(kind: str, inputs: list[str], out: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [out], name=out, **attributes))
        return out

    def constant(name: str, value: object, dtype: type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    low, high = (
        [constant(f"{n}{b}", v, np.float64) for b, v in _limits(end)]
        for n, end in (("low", 0), ("high", 1))
    )
    zero, one = constant("zero", 0, np.float64), constant("one", SLOPES[0], np.float64)
    slope, half = constant("slope", SLOPES[1], np.float64), constant("half", 0.5, np.float64)
    x = node("Cast", ["crops"], "pixels", to=TensorProto.FLOAT)
    x = node("SpaceToDepth", [x], "blocks", blocksize=2)
    for i, layer in enumerate(net.layers):
        at, shape = f"layer{i}", layer.shape
        x = node(
            "Conv",
            [
                x,
                constant(f"{at}.weight", layer.weights, np.float32),
                constant(f"{at}.bias", layer.bias, np.float32),
            ],
            f"{at}.sum",
            kernel_shape=[shape.kernel] * 2,
            strides=[shape.stride] * 2,
            pads=_pads(shape),
        )
        x = node("Cast", [x], f"{at}.exact", to=TensorProto.DOUBLE)
        if layer is net.layers[-1]:
            break
        channels = (1, -1, 1, 1)
        shift = constant(
            f"{at}.shift", 2.0 ** -layer.shifts.astype(int).reshape(channels), np.float64
        )
        # the slopes are in 1/128: part of the shift by DOWN
        scale = layer.multipliers.reshape(channels) * 2.0**-DOWN
        x = node("Floor", [node("Mul", [x, shift], f"{at}.shifted")], f"{at}.floor")
        t = node("Min", [node("Max", [x, low[0]], f"{at}.low"), high[0]], f"{at}.t")
        chosen = node("Where", [node("Less", [t, zero], f"{at}.below"), slope, one], f"{at}.slope")
        x = node("Mul", [t, constant(f"{at}.scale", scale, np.float64)], f"{at}.product")
        x = node("Add", [node("Mul", [x, chosen], f"{at}.sloped"), half], f"{at}.half")
        x = node("Floor", [x], f"{at}.rounded")
        x = node("Min", [node("Max", [x, low[1]], f"{at}.clip"), high[1]], f"{at}.clipped")
        x = node("Cast", [x], f"{at}.out", to=TensorProto.FLOAT)
    x = node("Mul", [x, constant("scale", net.scale, np.float64)], "scaled")
    x = node("Reshape", [x, constant("flat", [-1], np.int64)], "flattened")
    node("Cast", [x], "score", to=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "integer_score",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 1, 64, 64])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def _limits(end: int) -> list[tuple[int, int]]:
    return [
        (bits, (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)[end])
        for bits in (STEP_BITS, ACTIVATION_BITS)
    ]


def _pads(shape: LayerShape) -> list[int]:
    return [shape.padding] * 2 + [shape.padding_far] * 2
