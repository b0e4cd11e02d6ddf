#!/usr/bin/env bash
# ONNX's version converter moves what Resize of opset 10 and Upsample scale linearly: by a quarter of a pixel in what is doubled.
#
# Expected: onnx.version_converter gives a graph of the same meaning. Opset 11 gave Resize the attribute
# coordinate_transformation_mode, whose default is "half_pixel"; opset 10 and Upsample are what it calls "asymmetric" (ONNX
# Runtime runs them so), so the converter writes that, and 0 1 2 3 doubled stays 0 .5 1 1.5 2 2.5 3 3.
# Seen (onnx 1.23.2, run by onnxruntime 1.32.0): it writes no attribute, and 0 .25 .75 1.25 1.75 2.25 2.75 3 comes out, so that
# each sample of a picture or a feature map is one of another place. Hardmax of opset 11 changes, too: it is not made flat
# first, as Softmax is, and marks four of an item in place of one. onnx.checker takes all of it, and nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.*
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter

LINE = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
ROWS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
DOUBLED = {"scales": np.array([1, 1, 1, 2], np.float32)}


def run(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def converted(x, operator, opset, to, constants={}, **attributes):
    """Return what a graph of one operator gives, and what the same gives after conversion."""
    node = helper.make_node(operator, ["x", *constants], ["y"], **attributes)
    shaped = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * x.ndim)
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([node], "one", [shaped], [out], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    newer = version_converter.convert_version(model, to)
    onnx.checker.check_model(newer)
    return run(model, x), run(newer, x)


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
was, moved = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 3]), np.array([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
right = []
for operator, opset in (("Upsample", 9), ("Resize", 10)):
    for to in (11, 13, 18):
        before, after = (found.ravel() for found in converted(LINE, operator, opset, to, DOUBLED, mode="linear"))
        print(f"{operator} {opset} to {to}: {before} becomes {after}")
        right += [np.allclose(before, was), np.allclose(after, moved)]
for operator, kept in (("Softmax", True), ("Hardmax", False)):
    before, after = converted(ROWS, operator, 11, 13, axis=1)
    print(f"{operator} 11 to 13: the sums of both items are {before.sum((1, 2))} and become {after.sum((1, 2))}")
    same = bool(np.allclose(before, after, atol=1e-6))
    right.append(same is kept)
print("as found" if all(right) else "changed")
sys.exit(not all(right))
PYTHON
