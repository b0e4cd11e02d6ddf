#!/usr/bin/env bash
# ONNX Runtime gives the wrong sign for a signed int8 (S8S8) QDQ model on x86 without VNNI: it rewrites it to
# unsigned activations, whose products overflow int16 where the signed ones never can.
#
# Expected: of signed by signed bytes a pair of products is at most 2 * 127 * 127 = 32,258, which int16 holds; the
# documentation names saturation for U8S8 alone and S8S8 in QDQ as the first choice. So 64,516 comes out.
# Seen with onnxruntime 1.32.0 on an AVX2 processor without VNNI, Conv, Gemm and MatMul alike: -63,488. By default
# activations become uint8 on x86 (x + 128 reaches 255), and the U8S8 kernel saturates. Each of the session
# options session.qdqisint8allowed=1 and session.x64quantprecision=1 gives 64,512, the nearest step. With VNNI
# all three are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 'numpy<3'
"$folder/venv/bin/python" - <<'PYTHON'
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

CHANNELS, STEP = 16, 1024


def model(op):
    """Quantise, dequantise, one layer, quantise, dequantise: all scales known, all zero points 0."""
    weight = np.tile(np.array([127, 127, -127, 0], np.int8), (8, CHANNELS // 4))
    weight = {"Conv": weight.reshape(8, CHANNELS, 1, 1), "Gemm": weight, "MatMul": weight.T.copy()}[op]
    constants = {
        "one": np.float32(1),
        "zero": np.int8(0),
        "weight": weight,
        "weight_scale": np.ones(8, np.float32),
        "weight_zero": np.zeros(8, np.int8),
        "step": np.float32(STEP),
    }
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "one", "zero"], ["x_q"]),
        node("DequantizeLinear", ["x_q", "one", "zero"], ["x_f"]),
        node("DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["w_f"], axis=int(op == "MatMul")),
        node(op, ["x_f", "w_f"], ["y_f"], **({"transB": 1} if op == "Gemm" else {})),
        node("QuantizeLinear", ["y_f", "step", "zero"], ["y_q"]),
        node("DequantizeLinear", ["y_q", "step", "zero"], ["y"]),
    ]
    shape = [1, CHANNELS, 5, 5] if op == "Conv" else [3, CHANNELS]
    graph = helper.make_graph(
        nodes,
        op,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made.SerializeToString(), np.full(shape, 127, np.float32)


flags = Path("/proc/cpuinfo").read_text()
vnni = bool(re.search(r"\b(avx512_vnni|avx_vnni|amx_int8)\b", flags))
x86 = bool(re.search(r"\bavx2\b", flags))
exact = 127 * 127 * CHANNELS // 4
right = round(exact / STEP) * STEP
print(f"onnxruntime {ort.__version__}; AVX2 {x86}, VNNI {vnni}; exact {exact}, nearest step {right}")
as_found = True
for op in ("Conv", "Gemm", "MatMul"):
    data, x = model(op)
    for option in (None, "session.qdqisint8allowed", "session.x64quantprecision"):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if option:
            options.add_session_config_entry(option, "1")
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        (got,) = np.unique(session.run(None, {"x": x})[0])
        print(f"{op}, {option or 'default'}: {got:.0f}")
        saturates = x86 and not vnni and option is None
        as_found &= (got == -63488) if saturates else (got == right)
print("as found" if as_found else "changed")
sys.exit(not as_found)
PYTHON
