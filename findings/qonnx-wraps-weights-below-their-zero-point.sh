#!/usr/bin/env bash
# QONNX takes the zero point from weights in 8 bits: a uint8 weight below it becomes one of the other sign, 256 steps away.
#
# Expected: QCDQToQuant, the way of QDQ models into QONNX, FINN and hls4ml, gives a graph of the same numbers; a weight stands for
# (w - zero point) * scale (ONNX, DequantizeLinear), of int8 and of uint8.
# Seen (qonnx 1.0.0): w - zero point is computed as NumPy does it for two arrays of uint8 or int8, modulo 256. With uint8 and 128,
# each weight below 128, half of a net, is 256 steps too large: what stood for -128 to -1 steps is the largest that the new Quant has,
# 127. int8 with 5 wraps its lowest five, -133 to 123. Nothing is said. Activations keep their zero points and are right;
# so are weights with 0, which ONNX Runtime's tools write for int8 by default, but not with weight_type QUInt8, nor Brevitas's
# ShiftedUint8Weight. Shift such weights to int8 first: w - 128 with zero point 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q qonnx==1.0.0 onnx==1.23.2 onnxruntime==1.32.0 onnxscript==0.7.2 numpy==2.4.6
cat > "$folder/convert.py" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.qcdq_to_qonnx import QCDQToQuant
from qonnx.util.cleanup import cleanup_model

SCALE = np.float32(0.5)


def converted(weights: np.ndarray) -> list[float]:
    """Return the weights, in steps, with which the converted graph multiplies."""
    kept, zero_point = weights
    count = len(kept)
    nodes = [
        helper.make_node("DequantizeLinear", ["kept", "scale", "zero_point"], ["weights"]),
        helper.make_node("Mul", ["x", "weights"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count]) for name in "xy"]
    held = {"kept": kept, "scale": SCALE, "zero_point": zero_point}
    inits = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "weights", ends[:1], ends[1:], inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    wrapped = cleanup_model(ModelWrapper(model)).transform(QCDQToQuant())
    assert [node.op_type for node in wrapped.graph.node] == ["Quant", "Mul"]
    ones = np.ones((1, count), np.float32)
    given, out = wrapped.graph.input[0].name, wrapped.graph.output[0].name
    return (execute_onnx(wrapped, {given: ones})[out].ravel() / SCALE).tolist()


CASES = {  # what is kept, the zero point, and what QONNX makes of it, in steps
    "int8, 0": (np.array([-128, -1, 0, 127], np.int8), np.int8(0), [-128, -1, 0, 127]),
    "uint8, 0": (np.array([0, 1, 255], np.uint8), np.uint8(0), [0, 1, 255]),
    "int8, 5": (np.array([-128, -124, -123, 127], np.int8), np.int8(5), [122, 122, -128, 122]),
    "uint8, 128": (np.array([0, 64, 127, 128, 255], np.uint8), np.uint8(128), [127, 127, 127, 0, 127]),
    "uint8, 100": (np.array([0, 50, 99, 100, 255], np.uint8), np.uint8(100), [155, 155, 155, 0, 155]),
}
print(*(f"{name} {version(name)}" for name in ("qonnx", "onnx", "numpy")))
wrong = False
for name, (kept, zero_point, seen) in CASES.items():
    right = (kept.astype(int) - int(zero_point)).tolist()
    found = converted((kept, zero_point))
    print(f"{name}: {right} steps, by QONNX {[round(step) for step in found]}")
    wrong |= not np.allclose(found, seen)
sys.exit(wrong)
PYTHON
"$folder/venv/bin/python" "$folder/convert.py" 2> "$folder/log" || { cat "$folder/log"; echo changed; exit 1; }
echo "as found"
