"""Engines: a score graph in, scores out; anything else is refused with the reason."""

import hashlib

import cv2
import numpy as np
import onnx
import pytest
from engine_stand_ins import manifest
from onnx import TensorProto, helper

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.engines import open_engine, open_onnxruntime
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.stages import Stopwatch, Watcher
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Face, Frame
from sealshot.runtime.weights import SCORES, score_graph


def write_graph(path, nodes, inputs=(("crops", TensorProto.UINT8),)):
    """Write a graph from `crops` to `score`, and its manifest."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, t, ["n", 1, 64, 64]) for n, t in inputs],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    manifest(path)
    return path


def mean_nodes(source="crops"):
    return [
        helper.make_node("Cast", [source], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["score"], axes=[1, 2, 3], keepdims=0),
    ]


@pytest.fixture
def mean_graph(tmp_path):
    return write_graph(tmp_path / "mean.onnx", mean_nodes())


def test_scores_are_those_of_the_graph(mean_graph):
    crops = np.random.default_rng(0).integers(0, 256, (5, 1, 64, 64), dtype=np.uint8)
    engine = open_engine(mean_graph, threads=1)
    assert engine.score(crops) == pytest.approx(crops.mean(axis=(1, 2, 3)), rel=1e-6)
    assert engine.score(crops[:0]).shape == (0,)
    assert "ONNX Runtime" in engine.description


def test_what_is_no_score_graph_is_refused(tmp_path):
    other = write_graph(tmp_path / "o.onnx", mean_nodes("x"), [("x", TensorProto.UINT8)])
    with pytest.raises(InputError, match="not a score graph"):
        open_onnxruntime(other)
    real = write_graph(tmp_path / "f.onnx", mean_nodes(), [("crops", TensorProto.FLOAT)])
    with pytest.raises(InputError, match="not a score graph"):
        open_onnxruntime(real)


def test_junk_is_refused(tmp_path, mean_graph):
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"junk" * 100)
    text = mean_graph.with_suffix(".json").read_text()
    right = hashlib.sha256(mean_graph.read_bytes()).hexdigest()
    wrong = hashlib.sha256(junk.read_bytes()).hexdigest()
    junk.with_suffix(".json").write_text(text.replace(right, wrong))
    with pytest.raises(InputError, match="not a model that ONNX Runtime can load"):
        open_onnxruntime(junk)


def test_an_unknown_engine_or_score_is_refused(mean_graph):
    with pytest.raises(InputError, match="no engine 'warp'"):
        open_engine(mean_graph, "warp")
    with pytest.raises(InputError, match="no score 'best'"):
        score_graph("best")


@pytest.mark.parametrize("name", SCORES)
def test_what_ships_runs_and_is_bit_for_bit_the_same_for_the_same_crop(name):
    engine = open_engine(score_graph(name), threads=1)
    assert engine.manifest.name == name
    crops = np.full((3, 1, 64, 64), 128, np.uint8)
    scores = engine.score(crops)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, engine.score(crops))
    model = onnx.load(score_graph(name))
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


def test_a_score_that_is_no_number_stops_the_run(tmp_path):
    nodes = [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "float"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["nan"]),
        helper.make_node("ReduceMean", ["nan"], ["score"], axes=[1, 2, 3], keepdims=0),
    ]
    engine = open_onnxruntime(write_graph(tmp_path / "nan.onnx", nodes))
    watcher = Watcher(
        open_tracker("euclidean"), engine, Selector(engine.manifest.percentile), Stopwatch()
    )
    face = Face(np.array([0, 0, 40, 40], np.float32), 0.9, np.zeros((5, 2), np.float32))
    with pytest.raises(SealshotError, match="no number in frame 7"):
        watcher.step(Frame(7, 0.0, np.zeros((50, 50, 3), np.uint8)), [face])


def test_the_default_score_falls_as_a_face_gets_worse():
    image = cv2.imread(str(PORTRAIT))
    box = np.array([75, 60, 165, 174], np.float32)
    (clear,) = crop_resize_grey(image, [box])
    dark, blurred, flat = (
        (clear * 0.2).astype(np.uint8),
        cv2.GaussianBlur(clear[0], (0, 0), 3)[None],
        np.full_like(clear, 128),
    )
    engine = open_engine(score_graph("quality"), threads=1)
    scores = engine.score(np.stack([clear, dark, blurred, flat]))
    assert (scores[1:] < scores[0] - 1).all()
    assert scores[3] < scores[1:3].min()
