"""The benchmark of scoring: all contenders compute one function, and each is timed on its own."""

import json
import shutil
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from sealshot.benchmarks import scoring
from sealshot.benchmarks.scoring import (
    EAGER,
    PLAIN,
    SHIPPED,
    Contender,
    agree,
    contenders,
    load_graph,
    main,
    race,
)
from sealshot.export.onnx_export import to_onnx
from sealshot.runtime.errors import InputError
from sealshot.runtime.manifest import load_manifest
from sealshot.runtime.models import FOLDER, SCORES, score_graph


@pytest.fixture(scope="module")
def crops():
    """Smooth random pictures, ``uint8 [12, 1, 64, 64]``."""
    coarse = np.random.default_rng(5).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=2).repeat(8, axis=3))


@pytest.fixture(scope="module", params=SCORES)
def shipped(request):
    model = score_graph(request.param)
    return model, load_graph(model, load_manifest(model))


def test_the_weights_of_the_shipped_graph_make_the_pytorch_model_again(shipped, crops):
    model, graph = shipped
    agreement = agree(graph, model, crops)
    assert agreement.crops == len(crops)
    assert agreement.max_difference < 1e-4 * agreement.spread
    assert agreement.spearman == 1


def test_other_weights_do_not_agree(shipped, crops):
    """The comparison can fail."""
    model, graph = shipped
    weight = next(p for name, p in graph.named_parameters() if name.endswith("bias"))
    before = weight.data.clone()
    weight.data += 0.5
    try:
        assert agree(graph, model, crops).max_difference > 1e-3
    finally:
        weight.data = before


def test_all_contenders_give_the_same_scores(shipped, crops, tmp_path):
    model, graph = shipped
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(to_onnx(graph, ["crops"], ["score"]))
    rivals = contenders(graph, plain, model)
    assert {(r.name, r.batch, r.threads) for r in rivals} == {
        *((EAGER, n, t) for n in (1, 32) for t in (1, 2)),
        *((name, n, t) for name in (PLAIN, SHIPPED) for n in (1, 8, 32) for t in (1, 2)),
    }
    scores = np.stack([rival.score(crops[:3]) for rival in rivals])
    assert scores.shape == (len(rivals), 3)
    assert np.ptp(scores, axis=0).max() < 1e-4 * scores.std()


@pytest.mark.parametrize("case", ["other tensors", "other architecture"])
def test_a_graph_that_pytorch_cannot_rebuild_is_refused(case, tmp_path):
    model = tmp_path / "x.onnx"
    shutil.copy(FOLDER / ("mtcnn_pnet.onnx" if case == "other tensors" else "rp.onnx"), model)
    manifest = load_manifest(score_graph("quality"))
    with pytest.raises(InputError, match="does not hold the weights"):
        load_graph(model, manifest)


def test_a_race_counts_and_compares(crops):
    scored = {}

    def rival(name, batch, threads, seconds):
        key = (name, batch, threads)

        def score(some):
            assert 1 <= len(some) <= batch
            scored[key] = scored.get(key, 0) + len(some)
            time.sleep(seconds * len(some))
            return np.zeros(len(some), np.float32)

        return Contender(*key, score)

    rivals = [rival(EAGER, 1, 1, 12e-3), rival(PLAIN, 8, 1, 6e-3), rival(SHIPPED, 8, 1, 3e-3)]
    eager, plain, shipped = race([*rivals, rival(SHIPPED, 8, 2, 3e-3)], crops, 3)[:3]
    rounds = 3
    assert scored[EAGER, 1, 1] == rounds * (12 + 1)  # and one to warm up
    assert scored[SHIPPED, 8, 1] == rounds * (12 + 8)
    assert eager.to_eager == plain.to_plain == 1
    assert 1.2 < plain.to_eager < shipped.to_eager < 8
    assert 1.2 < shipped.to_plain < 4
    assert 0 < eager.faces_per_s <= 1 / 12e-3


def test_a_contender_without_a_rival_has_no_ratio(crops):
    (alone,) = race([Contender(SHIPPED, 8, 2, lambda some: some[:, 0, 0, 0] * 1.0)], crops, 1)
    assert alone.to_eager is None
    assert alone.to_plain is None


def test_the_result_is_printed_and_written(demo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scoring, "THREADS", (1,))
    out = tmp_path / "scoring.json"
    argv = [str(demo.clip), "--faces", "8", "--rounds", "1", "-o", str(out)]
    assert main(argv) == 0
    written = json.loads(out.read_text())
    assert written["score"] == "quality"
    assert written["source"] == demo.clip.name
    assert len(written["speeds"]) == 8
    assert all(s["faces_per_s"] > 0 and s["cpu_ms_per_face"] > 0 for s in written["speeds"])
    assert {"torch", "onnx"} <= written["environment"]["versions"].keys()
    said = capsys.readouterr().out
    assert PLAIN in said
    assert "Spearman" in said


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["{tmp}/absent.mp4"], "no file"),
        (["{clip}", "--faces", "0"], "whole number"),
        (["{tmp}", "--faces", "4"], "0 faces"),
        (["{clip}", "--faces", "4", "--score", "beauty"], "no score"),
    ],
)
def test_bad_input_is_refused(argv, fact, demo, tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(InputError, match=fact):
        main([a.format(clip=demo.clip, tmp=tmp_path) for a in argv])
