"""Quantisation to int8: what becomes of the graph, and of its scores."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.stats import spearmanr

pytest.importorskip("torch")

from sealshot.export.golden import draw_faces
from sealshot.export.quantise.calibrate import calibrate
from sealshot.export.quantise.precisions import Calibration, int8_form
from sealshot.export.quantise.qdq import (
    affine,
    layers,
    quantise,
    quantise_weight,
    wanted,
)
from sealshot.export.quantise.sensitivity import ALL, sensitivity
from sealshot.export.rebuild import load_graph
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights import score_graph
from sealshot.runtime.weights.forms import RECIPES


@pytest.fixture(scope="module")
def crops():
    return draw_faces(32, seed=5)


def trained(name):
    path = score_graph(name)
    return load_graph(path, load_manifest(path))


@pytest.fixture(scope="module", params=["rp", "quality"])
def calibrated(request, crops):
    """Float graph and ranges."""
    return request.param, *int8_form(trained(request.param), Calibration(crops, "drawn"))


def run(model, crops):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        return OnnxRuntimeRunner(path, threads=1).run({"crops": crops})["score"]


def optimised(model, folder):
    """Operators that ONNX Runtime really runs."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [n.op_type for n in onnx.load(folder / "optimised.onnx").graph.node]


@pytest.mark.parametrize(("method", "cuts"), [("minmax", False), ("entropy", True)])
def test_entropy_cuts_off_an_outlier_of_the_first_batch(method, cuts):
    crops = np.random.default_rng(0).normal(20, 4, (16, 1, 64, 64)).astype(np.uint8)
    crops[0, 0, 0, 0] = 255
    about = {
        name: helper.make_tensor_value_info(name, kind, ["n", 1, 64, 64])
        for name, kind in (("crops", TensorProto.UINT8), ("y", TensorProto.FLOAT))
    }
    nodes = [
        helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    one = numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [about["crops"]], [about["y"]], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    _, high = calibrate(model, crops, method)["x"]
    assert (high < 60) == cuts


@pytest.mark.parametrize("recipe", RECIPES)
def test_int8_ranks_as_float32(calibrated, crops, recipe):
    _, model, ranges = calibrated
    expected = run(model, crops)
    scores = run(quantise(model, ranges, RECIPES[recipe]), crops)
    assert not np.array_equal(scores, expected)
    assert spearmanr(scores, expected).statistic > 0.97


def test_onnx_runtime_fuses_every_layer(calibrated, tmp_path):
    """Else int8 would be slower than float32: each layer one int8 operator, no copies between."""
    name, model, ranges = calibrated
    kinds = optimised(quantise(model, ranges, RECIPES["cpu"]), tmp_path)
    floats = [n.op_type for n in model.graph.node]
    assert kinds.count("QLinearConv") == floats.count("Conv")
    assert kinds.count("QGemm") == floats.count("Gemm")
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm", "LeakyRelu"} & set(kinds)
    assert kinds.count("QuantizeLinear") <= 1  # behind the noise of rp
    if name == "rp":  # channels last throughout: the depth-to-space of two layers, two more of all
        assert kinds.count("Transpose") <= 2 + 2


def test_the_graph_is_plain_onnx(calibrated):
    _, model, ranges = calibrated
    quantised = quantise(model, ranges, RECIPES["cpu"])
    onnx.checker.check_model(quantised, full_check=True)
    assert {n.domain for n in quantised.graph.node} == {""}
    assert quantised.opset_import[0].version == 17
    assert quantised.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert quantised.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def initializers(model, end):
    return [numpy_helper.to_array(t) for t in model.graph.initializer if t.name.endswith(end)]


def test_what_each_recipe_asks_for(calibrated):
    _, model, ranges = calibrated
    made = {name: quantise(model, ranges, recipe) for name, recipe in RECIPES.items()}
    assert {z.dtype for z in initializers(made["cpu"], "_dq_zero")} <= {np.dtype(np.uint8)}
    zeros = [z for z in initializers(made["tensorrt"], "_zero") if z.ndim == 0]
    assert zeros
    assert all(z.dtype == np.int8 and z == 0 for z in zeros)
    assert not any(
        t.data_type == onnx.TensorProto.INT32 for t in made["tensorrt"].graph.initializer
    )
    assert any(np.abs(w.astype(int)).max() == 127 for w in initializers(made["cpu"], "_weight"))


def test_layers_that_are_kept_stay_float(calibrated, crops):
    _, model, ranges = calibrated
    names = layers(model)
    assert len(names) == len(set(names)) > 8
    untouched = quantise(model, ranges, RECIPES["cpu"], names)
    assert not any(n.op_type == "QuantizeLinear" for n in untouched.graph.node)
    assert np.array_equal(run(untouched, crops), run(model, crops))
    one = quantise(model, ranges, RECIPES["cpu"], names[1:])
    assert len(initializers(one, "_weight")) == 1


def test_a_missing_range_is_said(calibrated):
    _, model, ranges = calibrated
    some = wanted(model)[3]
    group = {k: v for k, v in ranges.items() if k == some}
    with pytest.raises(SealshotError, match="was not calibrated"):
        quantise(model, group, RECIPES["cpu"])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("low", "high"), [(-1, 3), (0, 5), (-2, 0), (0, 0), (-1e-9, 1e-9)])
def test_zero_is_exact_and_the_range_is_covered(recipe, low, high):
    scale, zero = affine(low, high, RECIPES[recipe])
    info = np.iinfo(RECIPES[recipe].activation)
    assert scale > 0
    assert zero.dtype == info.dtype
    assert (int(info.min) - int(zero)) * scale <= low + scale
    assert (int(info.max) - int(zero)) * scale >= high - scale


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_are_quantised_by_channel(axis):
    weight = np.random.default_rng(0).normal(size=(4, 6, 3, 3)).astype(np.float32)
    weight *= np.geomspace(1e-3, 1e3, weight.shape[axis]).reshape(
        [-1, 1, 1, 1] if not axis else [1, -1, 1, 1]
    )
    steps, scale = quantise_weight(weight, axis)
    assert scale.shape == (weight.shape[axis],)
    shape = [1] * 4
    shape[axis] = -1
    error = np.abs(steps * scale.reshape(shape) - weight)
    assert (error <= 0.5001 * scale.reshape(shape)).all()


def test_a_layer_of_zeros_is_no_division_by_zero():
    steps, scale = quantise_weight(np.zeros((2, 3), np.float32), 0)
    assert not steps.any()
    assert np.isfinite(scale).all()


def test_sensitivity_names_each_layer_and_all(crops):
    costs = sensitivity(trained("quality"), Calibration(crops, "drawn"), crops)
    assert [c.layer for c in costs][-1] == ALL
    assert len(costs) == 11
    assert all(c.spread_of_difference > 0 for c in costs)
    assert costs[-1].spread_of_difference >= min(c.spread_of_difference for c in costs)
