#!/usr/bin/env bash
# onnx-tool counts the multiplications of a transposed convolution by the wrong channels and pixels: from 1/4 to 8 times as many.
#
# Expected: a transposed convolution multiplies each value that goes in by each weight of its channel: in * out / groups * k * k
# for each pixel that goes in. It is the convolution of the same weights backwards, which onnx-tool counts right.
# Seen (onnx-tool 1.0.1): it multiplies each value that comes out by what one channel of the weights holds, [in, out / groups,
# k, k] without the first. That takes the channels that come out for those that go in as well, and the pixels that come out,
# stride * stride times as many. So where the channels double it is 8 times too much, and at the end of a decoder, from 32 to
# 2, a quarter of what is done; the two errors cancel at stride 2 where the channels go down to a quarter. A decoder of four
# such layers has 51 million in place of 26. Nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx-tool==1.0.1 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnx_tool
from onnx import helper, numpy_helper

print(*(f"{name} {version(name)}" for name in ("onnx-tool", "onnx")), sep=", ")


def counted(operator: str, channels: tuple[int, ...], side: int, groups: int = 1) -> list[int]:
    """The multiplications of a chain of layers of k 4, stride 2, padding 1, the first on a picture of side * side."""
    nodes, weights = [], []
    for number, (into, out) in enumerate(zip(channels, channels[1:])):
        shape = (into, out // groups, 4, 4) if operator == "ConvTranspose" else (out, into // groups, 4, 4)
        weights.append(numpy_helper.from_array(np.ones(shape, np.float32), f"w{number}"))
        named = {"name": f"n{number}", "strides": [2, 2], "pads": [1, 1, 1, 1], "group": groups}
        nodes.append(helper.make_node(operator, [f"x{number}", f"w{number}"], [f"x{number + 1}"], **named))
    last = side * 2 ** len(nodes) if operator == "ConvTranspose" else side // 2 ** len(nodes)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, depth, size, size))
        for name, depth, size in (("x0", channels[0], side), (f"x{len(nodes)}", channels[-1], last))
    ]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    profiled = onnx_tool.Model(model).graph
    profiled.shape_infer({"x0": np.zeros((1, channels[0], side, side), np.float32)})
    profiled.profile()
    return [int(profiled.nodemap[node.name].macs[0]) for node in nodes]


def done(channels: tuple[int, ...], side: int, groups: int = 1) -> list[int]:
    pairs = zip(channels, channels[1:])
    return [(side << number) ** 2 * into * out // groups * 16 for number, (into, out) in enumerate(pairs)]


for channels, side, groups, times in (
    ((256, 128, 64, 32, 2), 4, 1, [2, 2, 2, 0.25]),
    ((16, 32), 8, 1, [8]),
    ((64, 16), 8, 1, [1]),
    ((16, 16), 8, 4, [4]),
):
    right, up = done(channels, side, groups), counted("ConvTranspose", channels, side, groups)
    down = counted("Conv", channels[::-1], side << len(times), groups)[::-1]
    print(f"{channels}, {groups} groups: done {right} = {sum(right)}; ConvTranspose {up} = {sum(up)}; Conv backwards {sum(down)}")
    if down != right or [n / r for n, r in zip(up, right)] != times:
        sys.exit("this has changed")
PYTHON
echo "as found"
