#!/usr/bin/env bash
# ONNX's own reference evaluator cannot run DequantizeLinear of opsets before 19: a checked int8 model of opset 17,
# as quantisers write it, fails in it.
#
# Expected: onnx.reference runs whatever onnx.checker accepts; the operator exists since opset 10.
# Seen with onnx 1.23.2: "No implementation for operator 'DequantizeLinear' domain '' and version 17, found 19,
# 21, 23, 25"; opset 19 and later run. onnxruntime 1.32.0 gives the right numbers for all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 'numpy<3'
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

constants = {"scale": np.float32(0.5), "zero": np.uint8(3)}
x = np.array([-1.0, 0.0, 2.5, 40.0], np.float32)
expected = [-1.0, 0.0, 2.5, 40.0]
found = {}
for opset in (13, 17, 18, 19, 21):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    (engine,) = ort.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(None, {"x": x})
    assert engine.tolist() == expected, engine
    try:
        (reference,) = ReferenceEvaluator(model).run(None, {"x": x})
        found[opset] = "runs" if reference.tolist() == expected else f"gives {reference}"
    except RuntimeError as error:
        found[opset] = f"refused: {' '.join(str(error).split())}"
    print(f"opset {opset}: the engine is right, the reference {found[opset]}")
print("onnx", onnx.__version__, "onnxruntime", ort.__version__)
same = all(found[o].startswith("refused") for o in (13, 17, 18)) and found[19] == found[21] == "runs"
print("as found" if same else "changed")
sys.exit(not same)
PYTHON
