from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sealshot.export.fpga.files import export_fpga, score_alone
from sealshot.export.fpga.proofs import prove
from sealshot.export.golden import draw_faces
from sealshot.kernels.rtl.reference import IntegerNet
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.weight_stream import read_stream
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import score_graph


def test_the_files_hold_the_score(tmp_path: Path) -> None:
    faces = draw_faces(240)
    files = export_fpga(score_graph("quality"), faces, "drawn", tmp_path)
    assert files.spearman > 0.98  # drawn faces: few, and far from what was trained on
    assert max(bound.sum_bits for bound in files.bounds) < 24
    assert load_manifest(files.graph).precision == load_manifest(files.stream).precision == "w8a9"
    stream = read_stream(files.stream)
    assert stream.weights.shape == (2760, 128)
    assert stream.parameters.shape == (149, 22)
    found = open_onnxruntime(files.graph).score(faces[:4]).astype(np.float64) / stream.scale
    np.testing.assert_allclose(found, np.rint(found), atol=0.5)  # whole sums times the scale


def test_a_score_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not of the shape that the hardware runs"):
        export_fpga(score_graph("rp"), draw_faces(64), "drawn", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sum_that_may_leave_24_bits_is_refused() -> None:
    from sealshot.kernels.rtl.reference import IntegerLayer
    from sealshot.kernels.rtl.shape import LAYERS

    shape = LAYERS[6]
    weights = np.full((96, 96, 3, 3), 40, np.int8)
    layer = IntegerLayer(
        shape, weights, np.zeros(96, np.int32), np.ones(96, np.uint16), np.zeros(96, np.uint8)
    )
    with pytest.raises(InputError, match="more than 24 bits hold"):
        prove(IntegerNet((layer, layer), 1.0))
    fine = replace(layer, weights=weights // 2)
    assert len(prove(IntegerNet((fine, fine), 1.0))) == 2


def with_head(name: str, *, in_score: bool) -> onnx.ModelProto:
    """Return `quality` with one more head on what its own head reads."""
    model = onnx.load(score_graph("quality"))
    graph = model.graph
    first = next(node for node in graph.node if "head.0.weight" in node.input)
    graph.initializer.append(numpy_helper.from_array(np.zeros((512, 1), np.float32), f"{name}.w"))
    graph.node.append(helper.make_node("MatMul", [first.input[0], f"{name}.w"], [name]))
    if in_score:
        graph.node.append(helper.make_node("Add", ["score", name], ["both"]))
        graph.output[0].name = "both"
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [{"score": "own", "both": "score"}.get(one, one) for one in names]
        graph.output[0].name = "score"
    else:
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 1]))
    return model


def test_of_a_model_with_more_heads_the_hardware_takes_the_score_and_names_the_rest() -> None:
    layers, others = score_alone(with_head("eyes_open", in_score=False))
    assert others == ("eyes_open",)
    for own, alone in zip(layers, score_alone(onnx.load(score_graph("quality")))[0], strict=True):
        np.testing.assert_array_equal(own.weights, alone.weights)


def test_a_score_that_takes_one_more_head_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 11 layers, not 10"):
        score_alone(with_head("eyes_open", in_score=True))
