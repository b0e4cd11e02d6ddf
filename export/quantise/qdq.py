"""Static quantisation of a score graph to int8: QuantizeLinear and DequantizeLinear put in.

Convolutions and linear layers compute on int8; where one feeds another, all between them, leaky
ReLUs and what only moves numbers, stays int8 as well. All else is float32: noise, likelihood, and
the outputs of layers that feed it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights.forms import Recipe

Range = tuple[float, float]
Ranges = Mapping[str, Range]
"""Tensor -> lowest and highest value."""

WEIGHTED = {"Conv": 0, "Gemm": 0, "ConvTranspose": 1}
"""Operators with weights, and the axis of the output channels (linear layers are transposed)."""
MOVING = {"Reshape", "Flatten", "Transpose", "Slice", "Concat", "Squeeze", "Unsqueeze"}
"""Operators that only move numbers: the scale of their inputs is that of their output."""
INPUT_SCALE = 1 / 255


def quantise(
    model: onnx.ModelProto, ranges: Ranges, recipe: Recipe, keep: Collection[str] = ()
) -> onnx.ModelProto:
    """Return a copy of a float32 graph whose layers compute on int8.

    Args:
        model: names of nodes and tensors must be unique.
        ranges: of :func:`wanted`.
        recipe: see `runtime/weights/forms.py`.
        keep: layers to leave in float32, by :func:`layer_name`.

    Raises:
        SealshotError: the range of a tensor is missing.
    """
    return _Quantiser(model, ranges, recipe, keep).run()


def layers(model: onnx.ModelProto) -> list[str]:
    """Return the names of the layers that can be quantised, in order."""
    return list(dict.fromkeys(layer_name(n) for n in model.graph.node if n.op_type in WEIGHTED))


def layer_name(node: onnx.NodeProto) -> str:
    """Return the name of a layer: of its weights, without ``.weight``."""
    return str(node.input[1]).removesuffix(".weight")


def wanted(model: onnx.ModelProto) -> list[str]:
    """Return the tensors whose ranges are needed."""
    nodes = [n for n in model.graph.node if n.op_type in {*WEIGHTED, "LeakyRelu", "Relu"}]
    return list(dict.fromkeys(t for n in nodes for t in (n.input[0], n.output[0])))


class _Quantiser:
    def __init__(
        self, model: onnx.ModelProto, ranges: Ranges, recipe: Recipe, keep: Collection[str]
    ) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        self.ranges, self.recipe = ranges, recipe
        self.made_by = {t: n for n in self.graph.node for t in n.output}
        self.constants = {t.name: t for t in self.graph.initializer}
        self.quantised = [
            n for n in self.graph.node if n.op_type in WEIGHTED and layer_name(n) not in keep
        ]
        self.group: dict[str, str] = {}
        """Tensor to become int8 -> a name of the tensors that share its scale."""
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> onnx.ModelProto:
        for node in self.quantised:
            self._mark(node.input[0])
        scales = self._scales()
        int8_inputs = {id(n) for n in self.quantised} | {
            id(self.made_by[t]) for t in self.group if self._passes(t)
        }
        for name in [i.name for i in self.graph.input]:
            self._put_pair(name, scales)
        for node in self.graph.node:
            if id(node) in int8_inputs:
                for i, name in enumerate(node.input):
                    if name in self.group:
                        node.input[i] = f"{name}_dq"
            if node.op_type in WEIGHTED and f"{node.input[0]}".endswith("_dq"):
                self._put_weights(node, scales)
            self.nodes.append(node)
            for name in node.output:
                self._put_pair(name, scales)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {t for n in self.graph.node for t in n.input}
        kept = [t for t in self.graph.initializer if t.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        onnx.checker.check_model(self.model, full_check=True)
        return self.model

    def _passes(self, tensor: str) -> bool:
        """Whether a tensor is int8 because what it is made from is."""
        node = self.made_by.get(tensor)
        return node is not None and node.op_type in {*MOVING, "LeakyRelu"}

    def _mark(self, tensor: str) -> None:
        if tensor in self.group:
            return
        self.group[tensor] = tensor
        if not self._passes(tensor):
            return
        node = self.made_by[tensor]
        sources = node.input if node.op_type == "Concat" else node.input[:1]
        for source in sources:
            self._mark(source)
            if node.op_type in MOVING:
                self._tie(source, tensor)

    def _tie(self, a: str, b: str) -> None:
        old, new = self.group[a], self.group[b]
        self.group.update({t: new for t, g in self.group.items() if g == old})

    def _scales(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.integer]]]:
        """Return scale and zero point of each group."""
        spans: dict[str, list[Range]] = {}
        for tensor, group in self.group.items():
            if tensor in self.ranges:
                spans.setdefault(group, []).append(self.ranges[tensor])
        found = {}
        for tensor, group in self.group.items():
            if group not in spans:
                raise SealshotError(f"the range of {tensor} was not calibrated")
            low = min(0.0, *(s[0] for s in spans[group]))
            high = max(0.0, *(s[1] for s in spans[group]))
            found[group] = affine(low, high, self.recipe)
        return found

    def _put_pair(
        self, tensor: str, scales: Mapping[str, tuple[NDArray[np.float32], NDArray[np.integer]]]
    ) -> None:
        """Put QuantizeLinear and DequantizeLinear behind a tensor that is to be int8."""
        if tensor not in self.group:
            return
        scale, zero = scales[self.group[tensor]]
        source = f"{tensor}_q"
        picture = self._picture(tensor)
        if picture and self.recipe.activation is np.uint8:
            source = picture  # is as it should be
            scale, zero = np.float32(INPUT_SCALE).reshape(()), np.uint8(0).reshape(())
        inputs = [self._constant(f"{tensor}_scale", scale), self._constant(f"{tensor}_zero", zero)]
        if source != picture:
            self._add("QuantizeLinear", [tensor, *inputs], source)
        self._add("DequantizeLinear", [source, *inputs], f"{tensor}_dq")

    def _picture(self, tensor: str) -> str | None:
        """The uint8 input of the graph, if ``tensor`` is that divided by 255."""
        node = self.made_by.get(tensor)
        if node is not None and node.op_type == "Cast":
            return self._picture(node.input[0])
        if node is None or node.op_type != "Div":
            return None
        cast, divisor = self.made_by.get(node.input[0]), self.made_by.get(node.input[1])
        inputs = [i.name for i in self.graph.input]
        if cast is None or cast.op_type != "Cast" or cast.input[0] not in inputs:
            return None
        if divisor is None or divisor.op_type != "Constant":
            return None
        by = numpy_helper.to_array(divisor.attribute[0].t)
        return str(cast.input[0]) if by == 255 else None

    def _put_weights(
        self,
        node: onnx.NodeProto,
        scales: Mapping[str, tuple[NDArray[np.float32], NDArray[np.integer]]],
    ) -> None:
        weight_name, name = node.input[1], node.output[0]
        weight = self._value(weight_name)
        axis = WEIGHTED[node.op_type]
        quantised, scale = quantise_weight(weight, axis)
        inputs = [
            self._constant(f"{name}_weight", quantised),
            self._constant(f"{name}_weight_scale", scale),
            self._constant(f"{name}_weight_zero", np.zeros(len(scale), np.int8)),
        ]
        self._add("DequantizeLinear", inputs, f"{weight_name}_dq_{name}", axis=axis)
        node.input[1] = f"{weight_name}_dq_{name}"
        if len(node.input) < 3 or not self.recipe.bias:
            return
        data = node.input[0].removesuffix("_dq")
        of_input = INPUT_SCALE if self._picture(data) else float(scales[self.group[data]][0])
        unit = (scale.astype(np.float64) * of_input).astype(np.float32)
        bias = self._value(node.input[2]).astype(np.float64)
        steps = np.clip(np.round(bias / unit), -(2**31), 2**31 - 1).astype(np.int32)
        inputs = [
            self._constant(f"{name}_bias", steps),
            self._constant(f"{name}_bias_scale", unit),
            self._constant(f"{name}_bias_zero", np.zeros(len(unit), np.int32)),
        ]
        self._add("DequantizeLinear", inputs, f"{name}_bias_dq", axis=0)
        node.input[2] = f"{name}_bias_dq"

    def _value(self, name: str) -> NDArray[np.floating]:
        while name not in self.constants:  # equal constants are written once, and named again
            name = self.made_by[name].input[0]
        return numpy_helper.to_array(self.constants[name])

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _add(self, kind: str, inputs: Iterable[str], output: str, **attributes: Any) -> None:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)
        )


def affine(
    low: float, high: float, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Return scale and zero point, so that 0 is exact and ``low`` to ``high`` is covered."""
    info = np.iinfo(recipe.activation)
    if recipe.symmetric:
        scale = max(-low, high) / info.max
        zero = 0
    else:
        scale = (high - low) / (int(info.max) - int(info.min))
        zero = round(info.min - low / scale) if scale else 0
    if not scale:
        scale = 1.0
    return np.float32(scale).reshape(()), recipe.activation(zero).reshape(())


def quantise_weight(
    weight: NDArray[np.floating], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 weights and the scale of each output channel; symmetric, so 0 is exact."""
    top = np.iinfo(np.int8).max
    others = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.maximum(np.abs(weight).max(others), 1e-12).astype(np.float32) / np.float32(top)
    shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
    steps = np.round(weight / scale.reshape(shape))
    return np.clip(steps, -top, top).astype(np.int8), scale
