#!/usr/bin/env bash
# OpenVINO takes the logarithm of the sum over everything where an ONNX graph of opset 13 to 17 names an axis.
#
# Expected: ReduceLogSumExp, ReduceLogSum and ReduceL1 have their axes as an attribute up to opset 17; of [2, 3, 4] over
# axis 2 [2, 3] comes out, as for ReduceSumSquare and all others, and as of opsets 11 and 18. torch.logsumexp is exported
# in that form.
# Seen (openvino 2026.4.1): these three leave the attribute aside and reduce over all axes, without a word. With
# keepdims=1 the answer still has as many axes, so that what follows broadcasts it: each item of a batch gets the
# likelihood of the whole batch. ONNX Runtime is right in all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 'numpy<3'
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime as ort
import openvino
from onnx import TensorProto, helper, numpy_helper

x = np.log(np.arange(1, 25, dtype=np.float32)).reshape(2, 3, 4)
OPERATORS = "ReduceLogSumExp", "ReduceLogSum", "ReduceL1", "ReduceSumSquare", "ReduceL2"


def model(operator: str, opset: int) -> bytes:
    about = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    about[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    if opset < 18:
        node, constants = helper.make_node(operator, ["x"], ["y"], axes=[2], keepdims=1), []
    else:
        node = helper.make_node(operator, ["x", "axes"], ["y"], keepdims=1)
        constants = [numpy_helper.from_array(np.array([2], np.int64), "axes")]
    graph = helper.make_graph([node], "g", about[:1], about[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made.SerializeToString()


def shapes(operator: str, opset: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    data = model(operator, opset)
    (right,) = ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(data), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    got = compiled({"x": x})[0]
    if got.shape == right.shape:
        np.testing.assert_allclose(got, right, rtol=1e-4)
    return right.shape, got.shape


print("openvino", openvino.__version__.partition("-")[0], "onnxruntime", ort.__version__)
wrong = []
for operator in OPERATORS:
    for opset in (11, 13, 17, 18):
        right, got = shapes(operator, opset)
        if got != right:
            wrong.append((operator, opset))
            print(f"{operator}, opset {opset}, over axis 2 of {x.shape}: {right}, by OpenVINO {got}")
as_found = wrong == [(operator, opset) for operator in OPERATORS[:3] for opset in (13, 17)]
print("as found" if as_found else "changed")
sys.exit(not as_found)
PYTHON
