"""Small models and data sets that tests of the evidence share; no development data is needed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import sealshot.runtime.demo
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.types import Face

PORTRAIT = Path(sealshot.runtime.demo.__file__).with_name("portrait.jpg")
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)[None, None]


def write_graph(path: Path, nodes, inputs, outputs, constants=None) -> Path:
    """Write an ONNX file; ``inputs`` and ``outputs`` are (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*x) for x in inputs],
        [helper.make_tensor_value_info(*x) for x in outputs],
        [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


CROPS = ("crops", TensorProto.UINT8, ["n", 1, 64, 64])


def write_sharpness(path: Path, sign: float = 1.0) -> Path:
    """Write a score graph: the mean squared Laplacian, times ``sign``."""
    return write_graph(
        path,
        [
            helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["x", "laplace"], ["edges"]),
            helper.make_node("Mul", ["edges", "edges"], ["squared"]),
            helper.make_node("ReduceMean", ["squared"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "sign"], ["score"]),
        ],
        [CROPS],
        [("score", TensorProto.FLOAT, ["n"])],
        {"laplace": LAPLACE, "sign": np.float32(sign)},
    )


def write_matcher(path: Path, *, sidecar: bool = True) -> Path:
    """Write a matcher of 126 numbers: the means of tiles of 16x16 px."""
    write_graph(
        path,
        [
            helper.make_node(
                "AveragePool", ["image"], ["tiles"], kernel_shape=[16, 16], strides=[16, 16]
            ),
            helper.make_node("Flatten", ["tiles"], ["embedding"]),
        ],
        [("image", TensorProto.FLOAT, ["n", 3, 112, 96])],
        [("embedding", TensorProto.FLOAT, ["n", 126])],
    )
    if sidecar:
        alignment = {
            "size": [96, 112],
            "points": [[30.3, 51.7], [65.5, 51.5], [48, 71.7], [33.5, 92.4], [62.7, 92.2]],
            "mean": 127.5,
            "scale": 128,
        }
        path.with_suffix(".json").write_text(json.dumps(alignment))
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with ``matcher.onnx``, ``sharp.onnx``, its copy and its opposite ``broken.onnx``."""
    folder = tmp_path_factory.mktemp("models")
    write_matcher(folder / "matcher.onnx")
    write_sharpness(folder / "sharp.onnx")
    write_sharpness(folder / "copy.onnx")
    write_sharpness(folder / "broken.onnx", sign=-1)
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    """Four "people": one public-domain portrait in four tints, in five pictures, worse and worse.

    One more picture shows nothing, and one file is no picture.
    """
    folder = tmp_path_factory.mktemp("people")
    portrait = cv2.imread(str(PORTRAIT))
    rng = np.random.default_rng(0)
    for person, tint in enumerate(([1, 1, 1], [0.5, 1, 1], [1, 0.6, 1], [1, 0.9, 0.75])):
        (folder / f"p{person}").mkdir()
        for k in range(5):
            picture = portrait * np.array(tint) + rng.normal(0, 2, portrait.shape)
            picture = cv2.GaussianBlur(picture, (0, 0), 0.3 + 0.4 * k)
            cv2.imwrite(
                str(folder / f"p{person}" / f"{k}.png"), picture.clip(0, 255).astype(np.uint8)
            )
    cv2.imwrite(str(folder / "p0" / "nobody.png"), np.full((120, 100, 3), 90, np.uint8))
    (folder / "p1" / "torn.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """A cache folder that tests of one session share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def make_view():
    """Make a view: a function of a picture, a box and landmarks (default: a frontal face)."""

    def make(image, box=None, landmarks=None, confidence=0.9):
        height, width = image.shape[:2]
        box = np.array([0, 0, width, height] if box is None else box, np.float32)
        if landmarks is None:
            eyes_nose_mouth = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.77], [0.65, 0.77]]
            landmarks = box[:2] + np.array(eyes_nose_mouth) * (box[2:] - box[:2])
        face = Face(box, confidence, np.asarray(landmarks, np.float32))
        return View(lambda: image, face, crop_resize_grey(image, [face.box])[0, 0])

    return make


@pytest.fixture(scope="session")
def portrait_view(make_view) -> View:
    """The face of the public-domain portrait."""
    image = cv2.imread(str(PORTRAIT))
    marks = [[99, 97], [143, 97], [121, 122], [103, 141], [139, 141]]
    return make_view(image, [76, 60, 166, 164], marks)


@pytest.fixture(scope="session")
def write_onnx():
    """Write a graph of ``crops``: a function of path, nodes, outputs and constants."""
    return lambda path, nodes, outputs, constants=None: write_graph(
        path, nodes, [CROPS], outputs, constants
    )
