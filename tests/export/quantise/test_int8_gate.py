"""The accuracy gate lets the int8 model that ships pass, and stops models broken on purpose."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytest.importorskip("torch")

from sealshot.benchmarks.accuracy.erc.compare import main as compare
from sealshot.benchmarks.speed.throughput.tracks import follow, in_order, same_choice
from sealshot.export.golden import draw_faces
from sealshot.export.quantise.precisions import Calibration, int8_graph
from sealshot.export.rebuild import load_graph
from sealshot.runtime.engines import Screen, open_for_tracks, open_onnxruntime
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.weights import FOLDER, score_graph

INT8 = FOLDER / "rp.int8.onnx"
PEOPLE = 150
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def gate(data, reference_models, tmp_path_factory):
    """The gate on some people of the set: candidate -> exit code and figures."""
    folder = tmp_path_factory.mktemp("people")
    for person in sorted(p for p in (data / "lfw-dev").iterdir() if p.is_dir())[:PEOPLE]:
        (folder / person.name).symlink_to(person)
    cache = tmp_path_factory.mktemp("cache")

    def run(candidate, capsys):
        argv = ["--reference", "rp", "--candidate", str(candidate), str(folder), "--json"]
        argv += ["--recognizer", str(reference_models / "mobilefacenet_112x96.onnx")]
        argv += ["--cache", str(cache), "--pairs", "all", "--fnmr", "0.05", "--replicates", "400"]
        argv += ["--tolerance", "0.03", "--rank", "0.995"]  # fewer people, wider intervals
        code = compare(argv)
        return code, json.loads(capsys.readouterr().out)

    return run


def wrong_calibration():
    """Calibrated on crops that are nearly black."""
    path = score_graph("rp")
    graph = load_graph(path, load_manifest(path))
    return int8_graph(graph, Calibration(draw_faces(16) // 12, "dark"))


def edited(ending, change):
    model = onnx.load(INT8)
    found = [t for t in model.graph.initializer if t.name.endswith(ending)]
    assert found
    for tensor in found[:1]:
        value = np.ascontiguousarray(change(numpy_helper.to_array(tensor)))
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    return model


BROKEN = {
    "wrong calibration": wrong_calibration,
    "zeroed head": lambda: edited("/head/Gemm_output_0_weight", np.zeros_like),
    "swapped axis": lambda: edited(
        "encoder.0/Conv_output_0_weight", lambda w: w.transpose(0, 1, 3, 2)
    ),
}


def test_the_model_that_ships_passes(gate, capsys):
    code, found = gate(INT8, capsys)
    assert code == 0
    assert found["rank"] >= 0.995
    start = found["starts"][0]
    assert abs(start["candidate"] - start["reference"]) <= 0.02 * start["reference"]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_model_is_stopped(gate, capsys, tmp_path, kind):
    path = tmp_path / "broken.onnx"
    onnx.save(BROKEN[kind](), path)
    manifest = load_manifest(INT8)
    replace(manifest, sha256=hashlib.sha256(path.read_bytes()).hexdigest()).write(path)
    code, found = gate(path, capsys)
    assert code == 1, found
    assert not found["passed"]


@pytest.fixture(scope="module")
def footage(data):
    """The faces of all clips, frame by frame."""
    clips = sorted(p for p in (data / "clips").iterdir() if p.suffix in (".mp4", ".mkv", ".gif"))
    return [follow(str(clip)) for clip in clips]


def chosen(footage, engine):
    """Scores of the faces of each clip, of which each track's highest is its choice."""
    return [clip.scores(in_order(engine)) for clip in footage]


def test_the_frames_that_int8_chooses_are_as_good(footage):
    """Float32 finds them as good, or next to it."""
    full, small = open_onnxruntime(score_graph("rp")), open_onnxruntime(INT8)
    percentile = full.manifest.percentile
    near = [
        percentile(float(exact[track].max())) - percentile(float(exact[track[i]])) <= 2
        for clip, exact, rough in zip(
            footage, chosen(footage, full), chosen(footage, small), strict=True
        )
        for track in clip.tracks
        for i in [rough[track].argmax()]
    ]
    assert len(near) > 30
    assert np.mean(near) >= 0.95


def test_int8_that_screens_chooses_the_frames_of_fp32(footage):
    full = open_for_tracks(score_graph("rp"), "onnxruntime", "fp32")
    screen = open_for_tracks(score_graph("rp"), "onnxruntime", "int8")
    assert isinstance(screen, Screen)
    right = chosen(footage, full)
    assert same_choice(footage, right, chosen(footage, screen)) >= 0.95
    assert same_choice(footage, right, chosen(footage, open_onnxruntime(INT8))) < 0.95
    assert screen.again < 0.4 * sum(map(len, right))  # else fp32 alone were faster
