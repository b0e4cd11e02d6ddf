"""int8 on this processor against exact integers: no sum of products saturates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sealshot.export.golden import golden_crops
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.weights import FOLDER, SCORES

CROPS = golden_crops()[:6]
INT16 = np.iinfo(np.int16)
STEP = 8192


def gemm(folder, activations, weights):
    """A quantised linear layer of scales 1, which gives its integer sums in steps of 8192."""
    kind = helper.np_dtype_to_tensor_dtype(activations.dtype)
    constants = {
        "one": np.float32(1),
        "zero": np.zeros((), activations.dtype),
        "w": weights,
        "w_one": np.ones(len(weights), np.float32),
        "w_zero": np.zeros(len(weights), np.int8),
        "step": np.float32(STEP),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "one", "zero"], ["x_f"]),
        helper.make_node("DequantizeLinear", ["w", "w_one", "w_zero"], ["w_f"], axis=0),
        helper.make_node("Gemm", ["x_f", "w_f"], ["y_f"], transB=1),
        helper.make_node("QuantizeLinear", ["y_f", "step", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "gemm",
        [helper.make_tensor_value_info("x", kind, list(activations.shape))],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, folder / "gemm.onnx")
    return folder / "gemm.onnx"


@pytest.mark.parametrize("top", [np.uint8(255), np.int8(127)])
def test_the_largest_products_do_not_saturate(tmp_path, top):
    """Pairs of the largest products need 17 bits, and the sums of all of them 20."""
    activations = np.full((3, 64), top)
    weights = np.tile(np.array([127, 127, -127, 0], np.int8), (5, 16))
    weights[:, :8] = np.arange(5)[:, None]
    exact = activations.astype(np.int64) @ weights.astype(np.int64).T
    expected = np.rint(exact / STEP)
    assert 20 < expected.min() <= expected.max() <= 127
    (found,) = open_session(gemm(tmp_path, activations, weights)).run(None, {"x": activations})
    assert found.tolist() == expected.tolist()


@dataclass(frozen=True)
class Convolution:
    """The first convolution of an int8 file, and the graph up to its output."""

    graph: Any
    weight: NDArray[np.int64]
    """``[out, in, h, w]``."""
    bias: NDArray[np.int64]
    """``[out]``."""
    unit: NDArray[np.float64]
    """``[out]``: a step of the sum of products in steps of the output."""
    zero: int
    """The output's."""
    stride: int
    padding: int

    def exact(self, crops):
        """What it gives, by integers alone: ``int64 [n, out, h, w]``."""
        p, size = self.padding, self.weight.shape[2]
        x = np.pad(crops.astype(np.int64), ((0, 0), (0, 0), (p, p), (p, p)))
        windows = sliding_window_view(x, (size, size), (2, 3))[:, :, :: self.stride, :: self.stride]
        sums = np.einsum("nchwij,ocij->nohw", windows, self.weight)
        steps = (sums + self.bias[:, None, None]) * self.unit[:, None, None]
        return np.clip(np.rint(steps) + self.zero, 0, 255).astype(np.int64)


def first_convolution(path):
    """Read the first convolution of an int8 file, which sees the picture."""
    model = onnx.load(path)
    nodes = list(model.graph.node)
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    made_by = {t: n for n in nodes for t in n.output}
    conv = next(n for n in nodes if n.op_type == "Conv")
    after = next(n for n in nodes if n.op_type == "QuantizeLinear" and n.input[0] == conv.output[0])
    x, weight, bias = (made_by[name] for name in conv.input)
    assert (x.op_type, x.input[0]) == ("DequantizeLinear", "crops")
    unit = arrays[x.input[1]].astype(np.float64) * arrays[weight.input[1]]
    attributes = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
    del model.graph.output[:]
    kind = TensorProto.UINT8
    model.graph.output.append(helper.make_tensor_value_info(after.output[0], kind, None))
    return Convolution(
        graph=model,
        weight=arrays[weight.input[0]].astype(np.int64),
        bias=arrays[bias.input[0]].astype(np.int64),
        unit=unit / arrays[after.input[1]],
        zero=int(arrays[after.input[2]]),
        stride=attributes["strides"][0],
        padding=attributes["pads"][0],
    )


INT8_THAT_SHIPS = [FOLDER / f"{s}.int8.onnx" for s in SCORES]
INT8_THAT_SHIPS = [path for path in INT8_THAT_SHIPS if path.is_file()]


@pytest.mark.parametrize("path", INT8_THAT_SHIPS, ids=lambda p: p.stem)
def test_the_first_layer_gives_what_exact_integers_give(tmp_path, path):
    layer = first_convolution(path)
    onnx.save(layer.graph, tmp_path / "first.onnx")
    (found,) = open_session(tmp_path / "first.onnx").run(None, {"crops": CROPS})
    off = np.abs(found.astype(int) - layer.exact(CROPS))
    assert off.max() <= 1  # of 255 steps, where the sum lies by a half
    assert (off > 0).mean() < 1e-3


@pytest.mark.parametrize("path", INT8_THAT_SHIPS, ids=lambda p: p.stem)
def test_that_layer_needs_more_than_16_bits(path):
    """So the test above can fail: pairs of neighbouring products of it overflow int16."""
    weight = first_convolution(path).weight
    flat = weight.reshape(len(weight), -1)
    pairs = flat[:, :-1] + flat[:, 1:]
    assert 255 * np.abs(pairs).max() > INT16.max
