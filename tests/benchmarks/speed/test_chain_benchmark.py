"""`sealshot bench chain`: on stand-ins for TensorRT and the GPU, and where there is neither."""

import json

import numpy as np
import pytest
from engine_stand_ins import *  # noqa: F403

from sealshot.benchmarks.speed import chain
from sealshot.export.tensorrt.build import build
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights import score_graph


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(chain, "FACES", (1, 3))


def test_three_ways_are_measured_and_agree(trt, tmp_path, capsys):
    build(score_graph("quality"))
    out = tmp_path / "chain.json"
    assert chain.main(["--precision", "fp32", "--rounds", "2", "-o", str(out)]) == 0
    fields = json.loads(out.read_text())
    assert [row["faces"] for row in fields["rows"]] == [1, 3]
    for row in fields["rows"]:
        assert min(row["graph_us"], row["launches_us"], row["cpu_crops_us"]) > 0
        assert 0 <= row["largest_difference"] <= chain.FARTHEST
    assert "TensorRT 10.3.0" in capsys.readouterr().out


def test_without_a_plan_it_says_why_nothing_was_measured(trt, tmp_path, capsys):
    out = tmp_path / "chain.json"
    assert chain.main(["-o", str(out)]) == 1
    assert "has no TensorRT plan" in json.loads(out.read_text())["why_not"]
    said = capsys.readouterr()
    assert said.out.startswith("chain: not measured. ")
    assert "sealshot export" in said.err


def test_other_scores_than_the_engines_are_an_error(trt, monkeypatch):
    build(score_graph("quality"))
    monkeypatch.setattr(
        chain, "crop_resize_grey", lambda image, boxes: np.zeros((len(boxes), 1, 64, 64), np.uint8)
    )
    with pytest.raises(SealshotError, match="gives other scores"):
        chain.main(["--rounds", "1"])
