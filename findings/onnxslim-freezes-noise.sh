#!/usr/bin/env bash
# OnnxSlim and NVIDIA's GraphSurgeon draw a graph's random numbers once, when they fold constants, and write them into the
# file.
#
# Expected: an operator without an input is no constant where it is random (ONNX marks it as non-deterministic); each run
# of the simplified model draws anew, as before, and as after onnxsim and ONNX Runtime's own folding.
# Seen (onnxslim 0.1.98, onnx-graphsurgeon 0.6.1, which `polygraphy surgeon sanitize --fold-constants` runs): RandomNormal
# (torch.randn of a fixed shape), RandomUniform, and RandomNormalLike, Bernoulli and a training Dropout of constants are
# gone, their first draw is an initializer, and nothing is said. A score that averages over samples of a latent then has
# the same error in each run, and two simplified copies of one file differ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxslim==0.1.98 onnx-graphsurgeon==0.6.1 onnxsim==0.8.1 onnxruntime==1.32.0 \
    onnx==1.23.2 'numpy<3'
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnx_graphsurgeon
import onnxruntime as ort
import onnxsim
import onnxslim
from onnx import TensorProto, helper, numpy_helper

ort.set_default_logger_severity(3)
x = np.zeros((1, 16), np.float32)
constants = {
    "half": x + np.float32(0.5),
    "ratio": np.float32(0.5),
    "training": np.array(True),
}
kinds = {
    "RandomNormal": {"inputs": [], "shape": x.shape},
    "RandomUniform": {"inputs": [], "shape": x.shape},
    "RandomNormalLike": {"inputs": ["half"]},
    "Bernoulli": {"inputs": ["half"]},
    "Dropout": {"inputs": ["half", "ratio", "training"]},
}


def model(kind: str) -> onnx.ModelProto:
    nodes = [
        helper.make_node(kind, outputs=["noise"], **kinds[kind]),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    about = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", about[:1], about[1:], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    return made


def surgeon(made: onnx.ModelProto) -> onnx.ModelProto:
    return onnx_graphsurgeon.export_onnx(onnx_graphsurgeon.import_onnx(made).fold_constants().cleanup())


def draws(made: onnx.ModelProto) -> str:
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = (session.run(None, {"x": x})[0] for _ in range(2))
    return "the same" if np.array_equal(first, second) else "new"


ways = {
    "as it is": lambda made: made,
    "onnxsim": lambda made: onnxsim.simplify(made)[0],
    "onnxslim": onnxslim.slim,
    "onnx-graphsurgeon": surgeon,
}
print(*(f"{name} {version(name)}" for name in ("onnxslim", "onnx-graphsurgeon", "onnxsim", "onnxruntime")))
print("numbers of a second run:")
as_found = True
for kind in kinds:
    found = {}
    for way, change in ways.items():
        with contextlib.redirect_stdout(io.StringIO()):
            made = change(model(kind))
        found[way] = draws(made)
    print(f"{kind}: {', '.join(f'{way} {what}' for way, what in found.items())}")
    as_found &= list(found.values()) == ["new", "new", "the same", "the same"]
print("as found" if as_found else "changed")
sys.exit(not as_found)
PYTHON
