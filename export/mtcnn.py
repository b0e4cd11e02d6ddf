"""MTCNN's trained weights, from a facenet-pytorch wheel to the three ONNX files of the detector.

The wheel is read as a zip file; the package and its requirements are not installed. The graphs
compute what the package's networks compute (Zhang et al. 2016, doi 10.1109/LSP.2016.2603342), with
all that is constant folded into the weights: the normalisation of the pixels, the swap from RGB
to BGR, the order in which the first dense layer reads the feature map, and the two-class softmax,
which is the sigmoid of the difference of its two inputs.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sealshot.runtime.arguments import Arguments
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.terminal import fail, say

USAGE = """\
usage: python -m sealshot.export.mtcnn WHEEL -o DIR

Convert the MTCNN weights of a facenet-pytorch wheel to mtcnn_pnet.onnx, mtcnn_rnet.onnx and
mtcnn_onet.onnx, with mtcnn.json that says where they come from.

  WHEEL       facenet_pytorch-*.whl (`pip download --no-deps facenet-pytorch`)
  -o, --output DIR   where the files go

example:
  python -m sealshot.export.mtcnn facenet_pytorch-2.6.0-py3-none-any.whl -o runtime/models
"""

OPSET = 13  # ONNX Runtime 1.17 and OpenCV 4.8 read it
IR_VERSION = 8
PIXEL_MEAN, PIXEL_SCALE = 127.5, 1 / 128  # what the networks were trained with

Weights = dict[str, NDArray[np.float32]]


class _Graph:
    """A chain of nodes under construction; ``tip`` is the name of the last output."""

    def __init__(self, name: str, image_size: tuple[str | int, str | int]) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs = [
            helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *image_size, 3])
        ]
        self.outputs: list[onnx.ValueInfoProto] = []
        self.tip = "image"

    def constant(self, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, *constants: str, output: str = "", **attributes: object) -> None:
        """Append a node that reads the tip and ``constants``."""
        output = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.tip, *constants], [output], **attributes))
        self.tip = output

    def split(self, names: list[str], widths: list[int]) -> None:
        """Split axis 1 of the tip into named tensors."""
        sizes = self.constant(np.asarray(widths, np.int64))
        self.nodes.append(helper.make_node("Split", [self.tip, sizes], names, axis=1))

    def output(self, name: str, shape: list[str | int]) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, self.name, self.inputs, self.outputs, initializer=self.constants
        )
        model = helper.make_model(
            graph,
            producer_name="sealshot.export.mtcnn",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def pnet(weights: Weights) -> onnx.ModelProto:
    """Proposal network: ``image`` uint8 [n,h,w,3] BGR -> ``score`` [n,h',w'], ``box`` [n,4,h',w'].

    h' = ceil((h - 2) / 2) - 4: one output for each 12x12 window at stride 2. ``box`` holds the
    offsets of x0, y0, x1, y1 in units of the window.
    """
    graph = _Graph("mtcnn_pnet", ("h", "w"))
    _first_conv(graph, weights)
    graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 2)
    _conv(graph, weights, 3)
    face, box = "conv4_1", "conv4_2"
    graph.add(
        "Conv",
        graph.constant(_heads([_face_logit(weights[f"{face}.weight"]), weights[f"{box}.weight"]])),
        graph.constant(_heads([_face_logit(weights[f"{face}.bias"]), weights[f"{box}.bias"]])),
    )
    graph.split(["logit", "box"], [1, 4])
    graph.output("score", ["n", "h_out", "w_out"])
    graph.output("box", ["n", 4, "h_out", "w_out"])
    graph.tip = "logit"
    graph.add("Squeeze", graph.constant(np.asarray([1], np.int64)))
    graph.add("Sigmoid", output="score")
    return graph.model()


def rnet(weights: Weights) -> onnx.ModelProto:
    """Refinement network: ``image`` uint8 [n,24,24,3] BGR -> ``score`` [n], ``box`` [n,4]."""
    graph = _Graph("mtcnn_rnet", (24, 24))
    _first_conv(graph, weights)
    graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 2)
    graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 3)
    _dense(graph, weights, 4, (3, 3))
    _dense_heads(graph, weights, 5)
    return graph.model()


def onet(weights: Weights) -> onnx.ModelProto:
    """Output network: ``image`` uint8 [n,48,48,3] BGR -> ``score``, ``box``, ``landmarks`` [n,5,2].

    Landmarks are x and y in units of the crop.
    """
    graph = _Graph("mtcnn_onet", (48, 48))
    _first_conv(graph, weights)
    graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 2)
    graph.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 3)
    graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    _conv(graph, weights, 4)
    _dense(graph, weights, 5, (3, 3))
    _dense_heads(graph, weights, 6, landmarks=True)
    return graph.model()


NETWORKS = {"pnet": pnet, "rnet": rnet, "onet": onet}


def read_wheel(wheel: Path) -> dict[str, Weights]:
    """Read the weights of the three networks from a facenet-pytorch wheel.

    Raises:
        InputError: the file is no wheel, or has no such weights.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            blobs = {name: archive.read(f"facenet_pytorch/data/{name}.pt") for name in NETWORKS}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{wheel} is not a facenet-pytorch wheel: {error}",
            hint="get one with `pip download --no-deps facenet-pytorch`",
        ) from error
    return {
        name: {
            key: value.numpy()
            for key, value in torch.load(io.BytesIO(blob), weights_only=True).items()
        }
        for name, blob in blobs.items()
    }


def convert(wheel: Path, folder: Path) -> list[Path]:
    """Write the three ONNX files and ``mtcnn.json`` into ``folder``; returns their paths."""
    paths, files = [], {}
    for name, weights in read_wheel(wheel).items():
        data = NETWORKS[name](weights).SerializeToString()
        path = folder / f"mtcnn_{name}.onnx"
        write_atomic(path, data)
        paths.append(path)
        files[path.name] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "parameters": sum(value.size for value in weights.values()),
        }
    origin = {
        "method": "MTCNN: Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342",
        "weights": f"{wheel.name}: facenet_pytorch/data/*.pt",
        "weights_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "licence": "MIT, see MTCNN-LICENSE.md",
        "opset": OPSET,
        "made_with": {"onnx": onnx.__version__, "torch": str(torch.__version__)},
        "files": files,
    }
    sidecar = folder / "mtcnn.json"
    write_atomic(sidecar, (json.dumps(origin, indent=2) + "\n").encode())
    return [*paths, sidecar]


def _first_conv(graph: _Graph, weights: Weights) -> None:
    """Cast, normalise and convolve: w * (p - m) s + b = (w s) * p + (b - m s sum w)."""
    weight, bias = weights["conv1.weight"].astype(np.float64), weights["conv1.bias"]
    graph.add("Transpose", perm=[0, 3, 1, 2])  # while the pixels are still bytes
    graph.add("Cast", to=TensorProto.FLOAT)
    graph.add(
        "Conv",
        graph.constant((weight[:, ::-1] * PIXEL_SCALE).astype(np.float32)),
        graph.constant(
            (bias - PIXEL_MEAN * PIXEL_SCALE * weight.sum(axis=(1, 2, 3))).astype(np.float32)
        ),
    )
    _prelu(graph, weights["prelu1.weight"], (-1, 1, 1))


def _conv(graph: _Graph, weights: Weights, n: int) -> None:
    graph.add(
        "Conv",
        graph.constant(weights[f"conv{n}.weight"]),
        graph.constant(weights[f"conv{n}.bias"]),
    )
    _prelu(graph, weights[f"prelu{n}.weight"], (-1, 1, 1))


def _prelu(graph: _Graph, slope: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    graph.add("PRelu", graph.constant(slope.reshape(shape)))


def _dense(graph: _Graph, weights: Weights, n: int, size: tuple[int, int]) -> None:
    """Dense layer on a feature map; the package flattens it as [w, h, c], ONNX as [c, h, w]."""
    weight = weights[f"dense{n}.weight"]  # [out, w * h * c]
    height, width = size
    weight = weight.reshape(len(weight), width, height, -1).transpose(0, 3, 2, 1)
    graph.add("Flatten")
    graph.add(
        "Gemm",
        graph.constant(weight.reshape(len(weight), -1)),
        graph.constant(weights[f"dense{n}.bias"]),
        transB=1,
    )
    _prelu(graph, weights[f"prelu{n}.weight"], (-1,))


def _dense_heads(graph: _Graph, weights: Weights, n: int, *, landmarks: bool = False) -> None:
    """All heads in one product: face or not, box, and landmarks as x, y pairs."""

    def parts(kind: str) -> list[NDArray[np.float32]]:
        heads = [_face_logit(weights[f"dense{n}_1.{kind}"]), weights[f"dense{n}_2.{kind}"]]
        if landmarks:  # the package has five x, then five y
            points = weights[f"dense{n}_3.{kind}"]
            heads.append(np.stack([points[:5], points[5:]], axis=1).reshape(points.shape))
        return heads

    graph.add(
        "Gemm",
        graph.constant(_heads(parts("weight"))),
        graph.constant(_heads(parts("bias"))),
        transB=1,
    )
    graph.split(["logit", "box", "points"][: 2 + landmarks], [1, 4, 10][: 2 + landmarks])
    graph.output("score", ["n"])
    graph.output("box", ["n", 4])
    graph.tip = "logit"
    graph.add("Squeeze", graph.constant(np.asarray([1], np.int64)))
    graph.add("Sigmoid", output="score")
    if landmarks:
        graph.output("landmarks", ["n", 5, 2])
        graph.tip = "points"
        graph.add("Reshape", graph.constant(np.asarray([-1, 5, 2], np.int64)), output="landmarks")


def _face_logit(head: NDArray[np.float32]) -> NDArray[np.float32]:
    return head[1:] - head[:1]


def _heads(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate(parts)


def main(argv: list[str]) -> int:
    """Convert the wheel that ``argv`` names."""
    arguments = Arguments("export", USAGE)
    arguments.prog = "python -m sealshot.export.mtcnn"
    arguments.add_argument("wheel", type=Path)
    arguments.add_argument("-o", "--output", type=Path, required=True)
    args = arguments.parse_args(argv)
    if not args.output.is_dir():
        raise InputError(f"there is no folder {args.output}", hint="make it, or name another")
    for path in convert(args.wheel, args.output):
        say(str(path))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SealshotError as error:
        fail(error)
        sys.exit(error.exit_code)
