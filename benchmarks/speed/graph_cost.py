"""What one pass through an ONNX graph costs, layer by layer: multiply-accumulates and bytes.

Shapes come from ONNX's own shape inference at a fixed batch. Counted are the layers that multiply:
Conv, ConvTranspose, Gemm and MatMul; what stands between them is taken for fused and free, so that
what is built on these figures is a bound. A quantised graph counts as the float graph that it was
made from: its QuantizeLinear and DequantizeLinear are seen through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealshot.runtime.errors import InputError

if TYPE_CHECKING:
    import onnx

BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
"""Of one number, by precision."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer at a batch."""

    name: str
    kind: str
    macs: int
    weights: int
    """Numbers, biases not counted."""
    inputs: int
    """Numbers."""
    outputs: int
    """Numbers."""

    def bytes(self, precision: str) -> int:
        """Return what it reads and writes if nothing of it stays in a cache."""
        return BYTES[precision] * (self.weights + self.inputs + self.outputs)

    def intensity(self, precision: str) -> float:
        """Return operations a byte of memory traffic; a multiply-accumulate is two."""
        return 2 * self.macs / self.bytes(precision)


def read_layers(model: Path, batch: int) -> tuple[Layer, ...]:
    """Return the layers of a score graph in the order of the graph.

    Args:
        model: an ONNX file with one input, whose first dimension is the batch.
        batch: crops in one pass.

    Raises:
        InputError: it is no ONNX file, or its shapes are not known at that batch.
    """
    import onnx  # an extra

    try:
        loaded = onnx.load(str(model))
        loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        inferred = onnx.shape_inference.infer_shapes(loaded, strict_mode=True, data_prop=True).graph
    except Exception as error:  # protobuf's, ONNX's and the OS's errors share no base class
        raise InputError(
            f"{model} is not an ONNX graph of crops: {str(error).splitlines()[0]}",
            hint="name a score graph FILE.onnx",
        ) from None
    values = [*inferred.input, *inferred.value_info, *inferred.output]
    shapes: dict[str, Shape] = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in values
        if all(d.HasField("dim_value") for d in value.type.tensor_type.shape.dim)
    }
    shapes |= {weight.name: tuple(weight.dims) for weight in inferred.initializer}
    made_by = {name: node for node in inferred.node for name in node.output}
    constants = {weight.name for weight in inferred.initializer}
    layers = []
    for node in inferred.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv"):
            try:
                layers.append(_layer(node, shapes, made_by, constants))
            except KeyError as error:
                raise InputError(
                    f"{model} does not say the shape of {error} at a batch of {batch}",
                    hint="export it again with `sealshot export`",
                ) from None
    if not layers:
        raise InputError(f"{model} has no layer that multiplies", hint="name a score graph")
    return tuple(layers)


def _layer(
    node: onnx.NodeProto,
    shapes: Mapping[str, Shape],
    made_by: Mapping[str, onnx.NodeProto],
    constants: set[str],
) -> Layer:
    weight_at = 3 if node.op_type == "QLinearConv" else 1
    data, weight = shapes[node.input[0]], shapes[node.input[weight_at]]
    output = shapes[node.output[0]]
    if node.op_type in ("Conv", "QLinearConv"):  # weight [out, in / groups, h, w]
        macs = math.prod(output) * math.prod(weight[1:])
    elif node.op_type == "ConvTranspose":  # weight [in, out / groups, h, w]
        macs = math.prod(data) * math.prod(weight[1:])
    else:  # the summed dimension is what the data have and the output has not
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        macs = math.prod(output) * data[-2 if transposed else -1]
    fixed = _source(node.input[weight_at], made_by) in constants
    return Layer(
        name=node.name or node.output[0],
        kind=node.op_type,
        macs=macs,
        weights=math.prod(weight) if fixed else 0,
        inputs=math.prod(data) + (0 if fixed else math.prod(weight)),
        outputs=math.prod(output),
    )


def _source(name: str, made_by: Mapping[str, onnx.NodeProto]) -> str:
    """Return the tensor that ``name`` holds, before it was quantised, cast or reshaped."""
    through = ("DequantizeLinear", "QuantizeLinear", "Cast", "Reshape", "Transpose", "Identity")
    while name in made_by and made_by[name].op_type in through:
        name = made_by[name].input[0]
    return name
