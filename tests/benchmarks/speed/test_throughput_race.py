"""The race: turns, ratios, waiting; what races computes one function; peers are what they claim."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from sealshot.benchmarks.speed.throughput import measure as measuring
from sealshot.benchmarks.speed.throughput import race
from sealshot.benchmarks.speed.throughput.command import main, named_engines
from sealshot.benchmarks.speed.throughput.contenders import (
    EAGER,
    OURS,
    PLAIN,
    Contender,
    memory_mb,
    pinned,
)
from sealshot.benchmarks.speed.throughput.gather import EVERY_ENGINE, gather
from sealshot.benchmarks.speed.throughput.race import Entry, closed_loop, open_loop
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import FOLDER, SCORES, score_graph

REFERENCES = (measuring._is_eager, measuring._is_plain, measuring._is_default)


@pytest.fixture(scope="module")
def crops():
    """Smooth random pictures, ``uint8 [12, 1, 64, 64]``."""
    coarse = np.random.default_rng(5).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=2).repeat(8, axis=3))


def contender(way=OURS, score="quality", precision="fp32"):
    figures = {"parameters": 1, "macs_per_face": 1, "file_bytes": 1, "sha256": ""}
    return Contender(score, way, "onnxruntime", precision, Path("x.onnx"), **figures)


def entry(way, batch, seconds_a_face, score="quality", log=None):
    def run(crops):
        if log is not None:
            log.append((way, len(crops)))
        time.sleep(seconds_a_face * len(crops))
        return np.zeros(len(crops), np.float32)

    return Entry(contender(way, score), batch, 1, run)


def test_ratios_are_of_the_right_pair(crops):
    entries = [
        entry(EAGER, 1, 12e-3),
        entry(PLAIN, 4, 6e-3),
        entry(OURS, 4, 3e-3),
        entry(OURS, 8, 3e-3),
        entry(OURS, 4, 24e-3, score="rp"),
    ]
    eager, plain, ours, other_batch, other_score = closed_loop(entries, crops, 3, 0.03, REFERENCES)
    assert eager.to_eager.median == plain.to_plain.median == plain.to_default.median == 1
    assert ours.to_eager.median == pytest.approx(4, rel=0.4)
    assert ours.to_plain.median == pytest.approx(2, rel=0.4)
    assert other_batch.to_eager.median > 2
    assert other_batch.to_plain is None  # there is no plain export at a batch of 8
    assert other_score.to_eager is None
    assert other_score.to_default.median == pytest.approx(0.25, rel=0.4)


def test_each_takes_its_turn_in_each_round_and_percentiles_are_of_calls(crops):
    log = []
    entries = [entry(OURS, 2, 1e-3, log=log), entry(PLAIN, 1, 1e-3, log=log)]
    ours, plain = closed_loop(entries, crops, 4, 0.02, REFERENCES)
    turns = [way for i, (way, _) in enumerate(log) if i == 0 or log[i - 1][0] != way]
    assert len(turns) in range(4, 9)
    assert {n for way, n in log if way == OURS} == {2}
    assert ours.call_ms.count == sum(way == OURS for way, _ in log) - 4  # less one to warm up
    assert 2 <= ours.call_ms.p50 <= ours.call_ms.p95 <= ours.call_ms.p99
    assert ours.faces_per_s.low <= ours.faces_per_s.median <= ours.faces_per_s.high <= 1000
    assert ours.faces_per_s.count == 4
    assert plain.call_ms.p50 >= 1


def test_a_call_longer_than_a_turn_is_made_once(crops):
    (slow,) = closed_loop([entry(OURS, 1, 0.03)], crops, 2, 0.001, REFERENCES)
    assert slow.call_ms.count == 2
    assert slow.to_default is None


def test_who_waits_behind_others_counts_from_arrival(crops):
    """Faces that come twice as fast as they are served wait longer and longer."""
    easy = open_loop(entry(OURS, 1, 2e-3), crops, 50, 0.5)
    assert easy.face_ms.count >= 25
    assert easy.face_ms.p50 < 10
    hard = open_loop(entry(OURS, 1, 10e-3), crops, 200, 0.5)
    assert hard.face_ms.count == 100
    assert hard.face_ms.p99 > 300
    assert hard.most_waiting > 20
    assert hard.done_per_s < 101
    helped = open_loop(entry(OURS, 16, 1e-3), crops, 200, 0.5)
    assert helped.face_ms.p99 < hard.face_ms.p99 / 3


def test_few_arrivals_take_longer_but_not_for_ever(crops, monkeypatch):
    monkeypatch.setattr(race, "LONGEST_ARRIVALS_S", 1.0)
    rare = open_loop(entry(OURS, 1, 1e-4), crops, 20, 0.1)
    assert rare.face_ms.count == 20  # 1 s of them


def test_threads_are_pinned_and_let_go():
    before = os.sched_getaffinity(0)
    with pinned(1) as cores:
        assert os.sched_getaffinity(0) == set(cores)
        assert len(cores) == 1
    assert os.sched_getaffinity(0) == before
    with pytest.raises(KeyError), pinned(1):
        raise KeyError
    assert os.sched_getaffinity(0) == before


def test_memory_is_that_of_a_process_of_its_own(crops, tmp_path):
    ballast = np.ones(500_000_000, np.uint8)
    found, _ = gather([score_graph("quality")], ("onnxruntime",), tmp_path)
    small, large = memory_mb(found[0], [1, 64], 1, crops)
    assert 30 < small <= large < 0.8 * ballast.nbytes / 1e6


@pytest.mark.parametrize("score", SCORES)
def test_all_ways_compute_the_same_score(score, crops, tmp_path):
    pytest.importorskip("torch")
    found, _ = gather([score_graph(score)], ("onnxruntime", "pytorch", "plain"), tmp_path)
    exact = [c for c in found if c.precision == "fp32"]
    assert {c.way for c in exact} == {OURS, EAGER, PLAIN}
    scores = np.stack([c.open(1)(crops[:3]) for c in exact])
    assert np.ptp(scores, axis=0).max() < 1e-4 * scores.std()


def test_agreement_tells_other_weights(crops):
    pytest.importorskip("torch")
    from sealshot.benchmarks.speed.throughput.agreement import agree

    model = score_graph("quality")
    ours = contender()
    score = measuring.gather([model], ("onnxruntime",), Path())[0][0].open(1)
    (same,) = agree(model, [(ours, score)], crops)
    assert same.max_difference < 1e-4 * same.spread
    assert same.spearman == 1
    (other,) = agree(model, [(ours, lambda c: -score(c))], crops)
    assert other.max_difference > same.spread
    assert other.spearman == -1


PUBLISHED = {  # parameters in millions, MACs in millions: what the authors and their files say
    "LightQNet": (0.43, 37),
    "eDifFIQA(T)": (1.73, 222),
    "FaceQnet": (23.5, 4090),
    "CR-FIQA(S)": (43.6, 6310),
    "SER-FIQ": (65.2, 13370),
}


def test_peers_weigh_what_was_published(crops, tmp_path):
    torch = pytest.importorskip("torch")
    from sealshot.benchmarks.speed.graph_cost import read_layers
    from sealshot.benchmarks.speed.throughput.peers import PEERS, build
    from sealshot.export.nets.onnx_export import count_macs, to_onnx
    from sealshot.runtime.engines.onnx_session import open_session

    assert {peer.name for peer in PEERS} == PUBLISHED.keys()
    for peer in PEERS:
        graph = build(peer)
        parameters, macs = PUBLISHED[peer.name]
        assert sum(p.numel() for p in graph.parameters()) == pytest.approx(
            1e6 * parameters, rel=0.01
        )
        assert count_macs(graph) == pytest.approx(1e6 * macs, rel=0.01)
        assert "random weights" in peer.note
        if macs > 1000:
            continue  # a hundred megabytes and more
        path = tmp_path / "peer.onnx"
        path.write_bytes(to_onnx(graph, ["crops"], ["score"]))
        assert sum(layer.macs for layer in read_layers(path, 1)) == count_macs(graph)
        (scores,) = open_session(path, threads=1).run(["score"], {"crops": crops[:3]})
        with torch.inference_mode():
            expected = graph(torch.from_numpy(crops[:3])).numpy()
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_model_without_its_weights_is_left_out_with_the_reason(tmp_path):
    pytest.importorskip("torch")
    shutil.copy(FOLDER / "rp.onnx", tmp_path / "odd.onnx")
    fields = json.loads((FOLDER / "rp.json").read_text())
    (tmp_path / "odd.json").write_text(json.dumps({**fields, "samples": 0}))
    found, left_out = gather([tmp_path / "odd.onnx"], ("plain",), tmp_path)
    assert found == []
    (why,) = (entry.why for entry in left_out if "plain" in entry.what)
    assert "does not hold the weights" in why
    assert str(tmp_path) not in why


def test_the_command_measures_prints_and_writes(demo, tmp_path, capsys):
    out = tmp_path / "throughput.json"
    argv = ["--engines", "onnxruntime,tensorrt", "--score", "quality", "--batch", "2,1", "--json"]
    argv += ["--clip", str(demo.clip), "--faces", "4", "--rounds", "2", "--seconds", "0.01"]
    assert main([*argv, "--runs", "1", "--arrivals", "100", "-o", str(out)]) == 0
    written = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == written
    assert written["kind"] == "throughput"
    fp32 = [row for row in written["rows"] if row["precision"] == "fp32"]
    assert [row["batch"] for row in fp32] == [1, 2]
    for row in written["rows"]:
        assert row["closed"]["faces_per_s"]["count"] == 2
        assert row["open"]["arrivals_per_s"] == 100
        assert row["peak_mb"] > 30
        assert len(row["cores"]) == row["threads"] == 1
    (frames,) = written["frames"]
    assert frames["people"] == 2
    assert "quality fp32, tensorrt" in [entry["what"] for entry in written["left_out"]]
    assert str(tmp_path) not in out.read_text()
    assert written["conditions"]["seconds"] > 0


def test_the_tables_name_what_was_measured_and_what_not(demo, capsys):
    argv = ["--engines", "onnxruntime,tensorrt", "--score", "quality", "--batch", "1"]
    argv += ["--clip", str(demo.clip), "--faces", "2", "--rounds", "1", "--seconds", "0.01"]
    assert main([*argv, "--runs", "1"]) == 0
    said = capsys.readouterr()
    assert "quality fp32, onnxruntime" in said.out
    assert "open loop" in said.out
    assert "not measured: quality fp32, tensorrt" in said.err


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["--engines", "abacus"], "no engine 'abacus'"),
        (["--score", "beauty"], "no score"),
        (["--batch", "0"], "whole number"),
        (["--batch", "1,,2"], "whole number"),
        (["--clip", "{tmp}/absent.mp4"], "not a file"),
        (["--seconds", "-1"], "above 0"),
    ],
)
def test_wrong_options_are_refused(argv, fact, demo, tmp_path):
    clip = [] if "--clip" in argv else ["--clip", str(demo.clip)]
    with pytest.raises(InputError, match=fact):
        main([a.format(tmp=tmp_path) for a in argv] + clip)


def test_all_engines_are_all():
    assert named_engines("all") == EVERY_ENGINE
    assert named_engines("plain,peers") == ("plain", "peers")
