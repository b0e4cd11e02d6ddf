"""MTCNN's trained weights, from a facenet-pytorch wheel to the ONNX files of the detector.

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
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sealshot.runtime.cli.arguments import Arguments, run_module
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic

USAGE = """\
usage: python -m sealshot.export.mtcnn WHEEL -o DIR

Convert the MTCNN weights of a facenet-pytorch wheel to mtcnn_pnet.onnx, mtcnn_pnet_stride4.onnx,
mtcnn_rnet.onnx and mtcnn_onet.onnx, with mtcnn.json that says where they come from.

  WHEEL       facenet_pytorch-*.whl (`pip download --no-deps facenet-pytorch`)
  -o, --output DIR   where the files go

example:
  python -m sealshot.export.mtcnn facenet_pytorch-2.6.0-py3-none-any.whl -o runtime/weights
"""

OPSET = 13  # ONNX Runtime 1.17 and OpenCV 4.8 read it
IR_VERSION = 8
BLOCK = 16
PIXEL_MEAN, PIXEL_SCALE = 127.5, 1 / 128  # what the networks were trained with

PARAMETERS = {"pnet": 6632, "rnet": 100_178, "onet": 389_040}
UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)

Array = NDArray[Any]
Weights = dict[str, Array]


class Graph:
    """A chain of nodes under construction; ``tip`` is the name of the last output."""

    def __init__(self, name: str, image_shape: Sequence[str | int]) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs = [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", *image_shape])
        ]
        self.outputs: list[onnx.ValueInfoProto] = []
        self.tip = "image"

    def constant(self, values: Array, dtype: type = np.float32) -> str:
        """Keep numbers, and return their name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node that reads the tip, then ``inputs``; its output is the new tip."""
        output = output or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.tip, *inputs], [output], **attributes))
        self.tip = output
        return output

    def conv(
        self, weight: Array, bias: Array | None = None, *, group: int = 1, stride: int = 1
    ) -> str:
        """Convolve, without a border."""
        constants = [weight] if bias is None else [weight, bias]
        names = map(self.constant, constants)
        return self.add("Conv", *names, group=group, strides=[stride, stride])

    def mix(self, weight: Array) -> str:
        """Convolve by a matrix [out, in]: a linear map of the channels of each pixel."""
        return self.conv(weight[:, :, None, None])

    def scale(self, factors: Array) -> str:
        """Multiply each channel by its factor."""
        return self.conv(factors[:, None, None, None], group=len(factors))

    def dense(self, weight: Array, bias: Array) -> str:
        """Multiply by a matrix [out, in]."""
        return self.add("Gemm", self.constant(weight), self.constant(bias), transB=1)

    def pool(self, side: int) -> str:
        """Take the maximum of each square of pixels, two apart."""
        return self.add("MaxPool", kernel_shape=[side, side], strides=[2, 2], ceil_mode=1)

    def output(self, name: str, shape: list[str | int]) -> None:
        """Say that a tensor is an output."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self) -> onnx.ModelProto:
        """Return what was built."""
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


def pnet(weights: Weights, stride: int = 2) -> onnx.ModelProto:
    """Proposal network: ``image`` [n,3,h,w] BGR -> ``score`` [n,h',w'], ``box`` [n,4,h',w'].

    One output for each 12x12 window, at every second pixel (as published) or every fourth.
    ``box`` holds the offsets of x0, y0, x1, y1 in units of the window.
    """
    graph = Graph("mtcnn_pnet", (3, "h", "w"))
    _first_conv(graph, weights, pool=2)
    _conv(graph, weights, 2)
    _conv(graph, weights, 3, stride=stride // 2)
    graph.conv(*_heads(weights, "conv4_1", "conv4_2"))
    outputs(graph, {"score": ["h_out", "w_out"], "box": [4, "h_out", "w_out"]})
    return graph.model()


def rnet(weights: Weights) -> onnx.ModelProto:
    """Refinement network: ``image`` [n,24,24,3] BGR -> ``score`` [n], ``box`` [n,4]."""
    graph = Graph("mtcnn_rnet", (24, 24, 3))
    graph.add("Transpose", perm=[0, 3, 1, 2])
    _first_conv(graph, weights, pool=3)
    _conv(graph, weights, 2, pool=3)
    _conv(graph, weights, 3)
    _dense(graph, weights, 4, (3, 3))
    graph.dense(*_heads(weights, "dense5_1", "dense5_2"))
    outputs(graph, {"score": [], "box": [4]})
    return graph.model()


def onet(weights: Weights) -> onnx.ModelProto:
    """Output network: ``image`` [n,48,48,3] BGR -> ``score``, ``box``, ``landmarks`` [n,5,2].

    Landmarks are x and y in units of the crop.
    """
    graph = Graph("mtcnn_onet", (48, 48, 3))
    graph.add("Transpose", perm=[0, 3, 1, 2])
    _first_conv(graph, weights, pool=3)
    _conv(graph, weights, 2, pool=3)
    _conv(graph, weights, 3, pool=2)
    _conv(graph, weights, 4)
    _dense(graph, weights, 5, (3, 3))
    graph.dense(*_heads(weights, "dense6_1", "dense6_2", "dense6_3"))
    outputs(graph, {"score": [], "box": [4], "landmarks": [5, 2]})
    return graph.model()


def networks(weights: dict[str, Weights]) -> dict[str, onnx.ModelProto]:
    """Build the graphs of the detector from the weights of ``pnet``, ``rnet`` and ``onet``."""
    return {
        "pnet": pnet(weights["pnet"]),
        "pnet_stride4": pnet(weights["pnet"], stride=4),
        "rnet": rnet(weights["rnet"]),
        "onet": onet(weights["onet"]),
    }


def read_wheel(wheel: Path) -> dict[str, Weights]:
    """Read the weights of the three networks from a facenet-pytorch wheel.

    Raises:
        InputError: the file is no wheel, or has no such weights.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return {
                name: _read_weights(archive.read(f"facenet_pytorch/data/{name}.pt"), name)
                for name in PARAMETERS
            }
    except UNREADABLE as error:
        raise InputError(
            f"{wheel} is not a facenet-pytorch wheel: {error}",
            hint="get one with `pip download --no-deps facenet-pytorch`",
        ) from error


def _read_weights(data: bytes, network: str) -> Weights:
    tensors = torch.load(io.BytesIO(data), weights_only=True)  # runs no code from the file
    weights = {name: tensor.numpy() for name, tensor in tensors.items()}
    count = sum(values.size for values in weights.values())
    if count != PARAMETERS[network]:
        raise ValueError(f"the {network} has {count} weights, not {PARAMETERS[network]}")
    return weights


def convert(wheel: Path, folder: Path) -> list[Path]:
    """Write the ONNX files and ``mtcnn.json`` into ``folder``; returns their paths."""
    files = {
        f"mtcnn_{name}.onnx": model.SerializeToString()
        for name, model in networks(read_wheel(wheel)).items()
    }
    origin = {
        "method": "MTCNN: Zhang, Zhang, Li, Qiao 2016, doi 10.1109/LSP.2016.2603342",
        "weights": f"{wheel.name}: facenet_pytorch/data/*.pt",
        "weights_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "licence": "MIT, see MTCNN-LICENSE.md",
        "opset": OPSET,
        "made_with": {"onnx": onnx.__version__, "torch": str(torch.__version__)},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files["mtcnn.json"] = (json.dumps(origin, indent=2) + "\n").encode()
    for name, data in files.items():
        write_atomic(folder / name, data)
    return [folder / name for name in files]


def _first_conv(graph: Graph, weights: Weights, *, pool: int) -> None:
    """Normalise and convolve: w * (p - m) s + b = (w s) * p + (b - m s sum w)."""
    weight = weights["conv1.weight"].astype(np.float64)
    bias = weights["conv1.bias"] - PIXEL_MEAN * PIXEL_SCALE * weight.sum(axis=(1, 2, 3))
    _conv_pool(graph, weight[:, ::-1] * PIXEL_SCALE, bias, weights["prelu1.weight"], pool)


def _conv(graph: Graph, weights: Weights, n: int, *, pool: int = 0, stride: int = 1) -> None:
    """Convolution y, then PReLU of slope a, done as y + (1 - a) relu(-y).

    ONNX Runtime's PRelu takes longer than the convolution before it, and takes the map out of
    the blocked layout of its convolutions; Relu, Conv and Add stay in it.
    """
    slope = weights[f"prelu{n}.weight"]
    kernel = weights[f"conv{n}.weight"]
    empty = _blocks(kernel.shape[1]) - kernel.shape[1]
    kernel = np.pad(kernel, ((0, 0), (0, empty), (0, 0), (0, 0)))
    y = graph.conv(kernel, weights[f"conv{n}.bias"], stride=stride)
    graph.scale(-np.ones_like(slope))
    graph.add("Relu")
    graph.scale(1 - slope)
    graph.add("Add", y)
    if pool:
        graph.pool(pool)


def _conv_pool(graph: Graph, weight: Array, bias: Array, slope: Array, pool: int) -> None:
    """Convolution y, PReLU of slope a, then maximum over a window, done as maximum, then PReLU.

    With s = max y and t = max -y over the window, the maximum of PReLU is
    s + (1 - a) relu(-s) where a >= 0, and s + relu(-a t - s) where a < 0.
    So the activation runs on a quarter of the pixels, and `t` costs a channel where it is needed.
    The channels of `t` have blocks of their own, or fill the last one of `s`. The map that comes
    out is filled up to whole blocks, with zeros or with `t`, which the next kernel does not read:
    one that is not leaves the blocked layout there.
    """
    falling = np.flatnonzero(slope < 0)
    image, width, extra = graph.tip, _blocks(len(slope)), len(falling)
    lowest = -slope[falling] * np.eye(width)[:, falling]  # [width, extra]: from t to its s
    negative = -np.eye(width)
    together = len(slope) + extra <= width
    if together:
        weight, bias = (np.concatenate([each, -each[falling]]) for each in (weight, bias))
        negative[:, len(slope) : len(slope) + extra] += lowest
    graph.conv(*_filled(weight, bias))
    s = graph.pool(pool)
    if together:
        graph.mix(negative)
    else:
        graph.scale(np.diag(negative))
        minus_s, graph.tip = graph.tip, image
        graph.conv(*_filled(-weight[falling], -bias[falling]))
        graph.pool(pool)
        graph.mix(np.pad(lowest, ((0, 0), (0, _blocks(extra) - extra))))
        graph.add("Add", minus_s)
    graph.add("Relu")
    graph.scale(np.pad(np.where(slope < 0, 1, 1 - slope), (0, width - len(slope))))
    graph.add("Add", s)


def _filled(weight: Array, bias: Array) -> tuple[Array, Array]:
    """Fill the channels that come out up to whole blocks with channels of zeros."""
    empty = _blocks(len(bias)) - len(bias)
    return np.pad(weight, ((0, empty), (0, 0), (0, 0), (0, 0))), np.pad(bias, (0, empty))


def _blocks(channels: int) -> int:
    """Round up to what fills the blocks of ONNX Runtime's convolutions (16 floats at most)."""
    return -(-channels // BLOCK) * BLOCK


def _dense(graph: Graph, weights: Weights, n: int, size: tuple[int, int]) -> None:
    """Dense layer on a feature map; the package flattens it as [w, h, c], ONNX as [c, h, w]."""
    weight = weights[f"dense{n}.weight"]  # [out, w * h * c]
    height, width = size
    weight = weight.reshape(len(weight), width, height, -1).transpose(0, 3, 2, 1)
    graph.add("Flatten")
    graph.dense(weight.reshape(len(weight), -1), weights[f"dense{n}.bias"])
    graph.add("PRelu", graph.constant(weights[f"prelu{n}.weight"]))


def _heads(weights: Weights, face: str, box: str, points: str = "") -> tuple[Array, Array]:
    """Weight and bias of all heads as one layer: face or not, box, landmarks as x, y pairs."""
    layers = []
    for kind in ("weight", "bias"):
        no, yes = weights[f"{face}.{kind}"]
        parts = [np.asarray(yes - no)[None], weights[f"{box}.{kind}"]]
        if points:  # the package has five x, then five y
            xy = weights[f"{points}.{kind}"]
            parts.append(np.stack([xy[:5], xy[5:]], axis=1).reshape(xy.shape))
        layers.append(np.concatenate(parts))
    return layers[0], layers[1]


def outputs(graph: Graph, shapes: dict[str, list[str | int]]) -> None:
    """Cut the tip [n, heads, ...] into the named outputs; the score goes through a sigmoid."""
    names = ["logit", "box", "points"][: len(shapes)]
    widths = graph.constant(np.asarray([1, 4, 10][: len(shapes)]), np.int64)
    graph.nodes.append(helper.make_node("Split", [graph.tip, widths], names, axis=1))
    graph.tip = "logit"
    graph.add("Squeeze", graph.constant(np.asarray([1]), np.int64))
    graph.add("Sigmoid", output="score")
    if "landmarks" in shapes:
        graph.tip = "points"
        graph.add("Reshape", graph.constant(np.asarray([-1, 5, 2]), np.int64), output="landmarks")
    for name, shape in shapes.items():
        graph.output(name, ["n", *shape])


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
    run_module(main)
