"""What a graph costs: against PyTorch's own count, and layer by layer."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sealshot.benchmarks.speed.graph_cost import read_layers
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import SCORES, score_graph


@pytest.mark.parametrize("batch", [1, 5, 16])
@pytest.mark.parametrize("name", SCORES)
def test_macs_of_the_shipped_scores_against_their_manifests(name, batch):
    layers = read_layers(score_graph(name), batch)
    manifest = load_manifest(score_graph(name))  # counts the model as trained, in PyTorch
    more = sum(layer.macs for layer in layers) / (batch * manifest.macs_per_face)
    assert 1 <= more < (1.15 if name == "rp" else 1.001)  # rp's sub-pixel form computes a border
    assert 0.95 < sum(layer.weights for layer in layers) / manifest.parameters < 1.01


def write(path, nodes, weights, shape, output):
    """Write a graph of one input ``x [n, *shape]``."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *output])],
        [
            helper.make_tensor(n, TensorProto.FLOAT, a.shape, a.astype("f").tobytes(), raw=True)
            for n, a in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


# node attributes, weight, input, output -> multiply-accumulates of one crop, by hand
BY_HAND = {
    "Conv": (dict(pads=[1] * 4, strides=[2, 2]), (8, 3, 3, 3), (3, 16, 16), (8, 8, 8), 8 * 64 * 27),
    "Conv, grouped": (dict(group=4), (8, 1, 1, 1), (4, 5, 5), (8, 5, 5), 8 * 25),
    "ConvTranspose": (
        dict(strides=[2, 2], pads=[1] * 4),
        (8, 3, 4, 4),
        (8, 4, 4),
        (3, 8, 8),
        8 * 16 * 3 * 16,
    ),
    "Gemm": (dict(transB=1), (7, 10), (10,), (7,), 70),
    "MatMul": ({}, (10, 7), (10,), (7,), 70),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_a_layer_counted_by_hand(tmp_path, kind):
    attributes, weight, shape, output, macs = BY_HAND[kind]
    node = helper.make_node(kind.partition(",")[0], ["x", "w"], ["y"], **attributes)
    path = write(tmp_path / "a.onnx", [node], {"w": np.ones(weight)}, shape, output)
    (layer,) = read_layers(path, 3)
    assert layer.macs == 3 * macs
    assert layer.weights == np.prod(weight)
    assert (layer.inputs, layer.outputs) == (3 * np.prod(shape), 3 * np.prod(output))
    assert layer.bytes("int8") * 4 == layer.bytes("fp16") * 2 == layer.bytes("fp32")
    assert layer.intensity("fp32") == pytest.approx(2 * layer.macs / layer.bytes("fp32"))


def test_a_quantised_graph_counts_as_its_float_graph(tmp_path):
    def qdq(name, scale):
        return [
            helper.make_node("QuantizeLinear", [name, scale], [f"{name}_q"]),
            helper.make_node("DequantizeLinear", [f"{name}_q", scale], [f"{name}_d"]),
        ]

    nodes = [*qdq("x", "s"), *qdq("w", "s"), helper.make_node("Gemm", ["x_d", "w_d"], ["y"])]
    weights = {"w": np.ones((10, 7)), "s": np.array(0.1)}
    (layer,) = read_layers(write(tmp_path / "a.onnx", nodes, weights, (10,), (7,)), 2)
    assert (layer.macs, layer.weights) == (140, 70)


def test_a_product_of_two_activations_has_no_weights(tmp_path):
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    (layer,) = read_layers(write(tmp_path / "a.onnx", nodes, {}, (4, 6), (4, 4)), 1)
    assert (layer.macs, layer.weights, layer.inputs) == (96, 0, 48)


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_what_is_no_graph_is_refused(tmp_path, content):
    path = tmp_path / "a.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        read_layers(path, 1)


def test_a_graph_that_multiplies_nothing_is_refused(tmp_path):
    path = write(tmp_path / "a.onnx", [helper.make_node("Exp", ["x"], ["y"])], {}, (3,), (3,))
    with pytest.raises(InputError, match="no layer that multiplies"):
        read_layers(path, 1)
