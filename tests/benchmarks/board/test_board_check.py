"""`sealshot board check`: verdicts, what is left after Ctrl-C, the page, broken engines."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import numpy as np
import onnx
import pytest

from sealshot.benchmarks.board.check import golden as golden_module
from sealshot.benchmarks.board.check import run as run_module
from sealshot.benchmarks.board.check import steps as steps_module
from sealshot.benchmarks.board.check.golden import golden
from sealshot.benchmarks.board.check.steps import (
    ABSENT,
    FAILED,
    PASSED,
    Candidate,
    Outcome,
    Plan,
    Subject,
    accuracy_step,
    compare,
    energy_step,
    engine_step,
    numerics_step,
)
from sealshot.runtime.cli.main import main
from sealshot.runtime.engines import Scorer, open_engine
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.weights import SCORES, score_graph


@pytest.fixture(scope="module")
def reference():
    return golden("quality")


def plan(out, **changes):
    return Plan(
        **{
            **dict(
                out=out,
                scores=("quality",),
                engines=(),
                data=None,
                recognizer=None,
                meter="none",
                seconds=0.1,
                threads=1,
            ),
            **changes,
        }
    )


class Broken(Scorer):
    """The shipped score, and something wrong with it."""

    def __init__(self, wrong):
        self._right = open_engine(score_graph("quality"), "onnxruntime", "fp32", threads=1)
        self._wrong = wrong

    def score(self, crops):
        return self._wrong(self._right, crops)


def score_of(precision, wrong, reference):
    candidate = Candidate("quality", "broken", precision, None)
    return compare(candidate, Broken(wrong), reference)


GOOD = {
    "right": lambda e, x: e.score(x),
    "one part in a thousand off": lambda e, x: e.score(x) * np.float32(1.001),
}
WRONG = {
    "zeroed": lambda e, x: np.zeros(len(x), np.float32),
    "turned over": lambda e, x: -e.score(x),
    "not a number": lambda e, x: np.where(np.arange(len(x)) == 1, np.nan, e.score(x)),
    "infinite": lambda e, x: e.score(x) / 0.0,
    "axes swapped": lambda e, x: e.score(np.ascontiguousarray(x.transpose(0, 1, 3, 2))),
    "faces shifted by one": lambda e, x: np.roll(e.score(x), 1),
    "first of the batch only": lambda e, x: np.repeat(e.score(x[:1]), len(x)),
    "one face lost": lambda e, x: e.score(x)[: max(0, len(x) - 1)] if len(x) == 3 else e.score(x),
    "depends on the batch": lambda e, x: e.score(x) + np.float32(len(x)),
    "no empty batch": lambda e, x: e.score(x) if len(x) else np.zeros(1, np.float32),
}


@pytest.mark.parametrize("how", GOOD)
def test_an_engine_that_is_right_passes(reference, how):
    assert score_of("fp32", GOOD[how], reference)["state"] == PASSED


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_engine_that_is_wrong_fails(reference, how, precision):
    row = score_of(precision, WRONG[how], reference)
    assert row["state"] == FAILED
    json.dumps(row, allow_nan=False)


def test_int8_may_be_off_as_far_as_its_ranks_hold(reference):
    noise = np.random.default_rng(0).normal(0, 1, len(reference.crops)).astype(np.float32)
    spread = np.float32(reference.scores.std())

    def off(share):
        return lambda e, x: e.score(x) + share * spread * noise[: len(x)]

    assert score_of("int8", off(np.float32(0.01)), reference)["state"] == PASSED
    assert score_of("fp32", off(np.float32(0.02)), reference)["state"] == FAILED
    assert score_of("int8", off(np.float32(0.5)), reference)["state"] == FAILED


@pytest.mark.parametrize("name", SCORES)
def test_golden_scores_are_those_of_the_models_that_ship(name):
    reference = golden(name)
    assert reference.made_by is None
    assert len(reference.scores) == len(reference.crops) >= 20
    assert np.isfinite(reference.scores).all()


@pytest.mark.parametrize("name", SCORES)
def test_this_machine_gives_the_golden_scores(tmp_path, name):
    outcome = numerics_step(Subject(plan(tmp_path, scores=(name,), engines=("onnxruntime",))))
    assert outcome.verdict == PASSED, outcome.rows
    assert "float64" in outcome.why


def own_model(tmp_path):
    """Write a model that no golden scores belong to."""
    graph = onnx.load(str(score_graph("quality")))
    graph.producer_version = "mine"
    path = tmp_path / "mine.onnx"
    onnx.save(graph, str(path))
    manifest = load_manifest(score_graph("quality"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    dataclasses.replace(manifest, sha256=digest).write(path)
    return path


def test_an_engine_against_itself_proves_nothing(tmp_path):
    spec = str(own_model(tmp_path))
    outcome = numerics_step(Subject(plan(tmp_path, scores=(spec,), engines=("onnxruntime",))))
    assert outcome.verdict == ABSENT
    assert "only the engine that gives the reference" in outcome.why


def test_damaged_golden_scores_are_an_error(tmp_path, monkeypatch):
    for content in (b"", b"PK no archive", b"PK\x03\x04 half", None):
        (tmp_path / "golden.npz").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "golden.npz").write_bytes(content)
        monkeypatch.setattr(golden_module, "FILE", tmp_path / "golden.npz")
        with pytest.raises(SealshotError, match="golden scores"):
            golden("quality")


def test_an_engine_that_is_asked_for_must_be_usable(tmp_path):
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        outcome = engine_step(Subject(plan(tmp_path, engines=("tensorrt",))))
        assert outcome.verdict == FAILED
        assert "tensorrt was asked for" in outcome.why
    outcome = engine_step(Subject(plan(tmp_path)))
    assert outcome.verdict == PASSED


def test_what_is_not_here_is_not_a_failure(tmp_path):
    subject = Subject(plan(tmp_path))
    assert accuracy_step(subject).verdict == ABSENT
    assert energy_step(subject).verdict == ABSENT
    assert "no meter was asked for" in energy_step(subject).why


@pytest.mark.parametrize(
    ("code", "rank", "verdict"), [(0, 1.0, PASSED), (1, 1.0, FAILED), (0, 0.99, FAILED)]
)
def test_accuracy_is_gated_by_curves_and_ranks(tmp_path, monkeypatch, code, rank, verdict):
    model = own_model(tmp_path)
    lower = tmp_path / "mine.fp16.onnx"
    lower.write_bytes(model.read_bytes())
    start = dict(start="FNMR 0.05", errors=9, reference=0.8, candidate=0.81, verdict="as it is")
    result = {"rank": rank, "starts": [{**start, "loss_low": -0.01, "loss_high": 0.03}]}

    def compare_curves(module, argv):
        asked.append(argv)
        return code, json.dumps(result)

    asked = []
    monkeypatch.setattr(steps_module, "quietly", compare_curves)
    chosen = plan(tmp_path, scores=(str(model),), data=tmp_path, recognizer=tmp_path / "m.onnx")
    outcome = accuracy_step(Subject(chosen))
    assert outcome.verdict == verdict
    assert asked[0][:4] == ["--reference", str(model), "--candidate", str(lower)]
    assert outcome.rows[0]["loss, 95 %"] == "-0.010 to +0.030"


def test_energy_is_measured_where_there_is_a_meter(tmp_path, monkeypatch):
    found = {
        "why_not": "",
        "left_out": [],
        "loads": [
            {
                "name": "quality fp32, onnxruntime",
                "unit": "face",
                "per_s": {"median": 1000.0},
                "channels": [
                    {
                        "name": "VDD_IN",
                        "is_total": True,
                        "watts": {"median": 5.0},
                        "joules_each": {"median": 0.005},
                    }
                ],
            }
        ],
    }

    def bench(module, argv):
        asked.append((module, argv))
        (tmp_path / "energy.json").write_text(json.dumps(found))
        return 0, ""

    asked = []
    log = tmp_path / "power.csv"
    log.write_text("time,watts\n")
    monkeypatch.setattr(steps_module, "quietly", bench)
    outcome = energy_step(Subject(plan(tmp_path, meter=f"csv:{log}")))
    assert outcome.verdict == PASSED
    assert outcome.rows[0]["J each"] == 0.005
    assert asked[0][0] == "sealshot.benchmarks.energy.command"


def raises(error):
    def step(_subject):
        raise error

    return step


def walk(tmp_path, *steps):
    subject = Subject(plan(tmp_path))
    report = run_module.run(subject, steps, "sealshot board check -o <out>")
    written = json.loads((tmp_path / "check.json").read_text())
    return report, written, (tmp_path / "check.html").read_text()


def ok(_subject):
    return Outcome(PASSED, "all is well", ({"x": 1.5, "y": "<b>"}, {"x": 2, "z": True}))


def test_a_step_that_fails_does_not_stop_the_others(tmp_path):
    report, written, page = walk(
        tmp_path,
        ("a", ok),
        ("b", raises(SealshotError("the board is on fire", "pour water"))),
        ("c", raises(ZeroDivisionError("a defect"))),
        ("d", lambda _: Outcome(ABSENT, "no such thing")),
        ("e", ok),
    )
    verdicts = [step["outcome"]["verdict"] for step in written["steps"]]
    assert verdicts == [PASSED, FAILED, FAILED, ABSENT, PASSED]
    assert report.verdict == written["verdict"] == FAILED
    assert "the board is on fire; pour water" in page
    assert "ZeroDivisionError: a defect" in page


def test_ctrl_c_leaves_what_is_done(tmp_path):
    report, written, page = walk(tmp_path, ("a", ok), ("b", raises(KeyboardInterrupt())), ("c", ok))
    verdicts = [step["outcome"]["verdict"] for step in written["steps"]]
    assert verdicts == [PASSED, "interrupted", "not run"]
    assert report.verdict == "interrupted"
    assert "stopped by the user" in page


def test_a_kill_leaves_what_is_done(tmp_path):
    subject = Subject(plan(tmp_path))

    def look(_subject):  # what is on the disk while the second step runs
        seen.append(json.loads((tmp_path / "check.json").read_text()))
        return Outcome(PASSED, "")

    seen = []
    run_module.run(subject, [("a", ok), ("b", look)], "")
    assert [step["outcome"]["verdict"] for step in seen[0]["steps"]] == [PASSED, "not run"]


class Tags(HTMLParser):
    VOID = ("meta",)

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            assert self.open, f"</{tag}> closes nothing"


def test_the_page_is_whole_and_fetches_nothing(tmp_path):
    _, _, page = walk(tmp_path, ("a", ok))
    tags = Tags()
    tags.feed(page)
    assert tags.open in ([], ["html"])
    assert not {"script", "img", "link", "iframe"} & set(tags.seen)
    assert "&lt;b&gt;" in page
    assert "&lt;out&gt;" in page


def test_a_result_that_cannot_be_written_is_an_input_error(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["board", "check", "-o", str(tmp_path / "file")]) == 2
    assert "hint: " in capsys.readouterr().err


def test_command_from_end_to_end(tmp_path, capsys):
    out = tmp_path / "check"
    argv = ["board", "check", "-o", str(out), "--score", "quality", "--threads", "1"]
    assert main([*argv, "--skip", "throughput", "--meter", "none", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((out / "check.json").read_text())
    assert [step["name"] for step in shown["steps"]] == [
        "environment",
        "engines",
        "numerics",
        "accuracy",
        "energy",
    ]
    assert shown["environment"]["commit"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "-o/--output"),
        (["-o", "x", "--engine", "abacus"], "invalid choice: 'abacus'"),
        (["-o", "x", "--data", "/nowhere"], "there is no /nowhere"),
        (["-o", "x", "--score", "none.onnx"], "there is no none.onnx"),
    ],
)
def test_a_wrong_command_is_an_error(capsys, argv, says):
    assert main(["board", "check", *argv]) == 2
    assert says in capsys.readouterr().err


def test_sigint_to_the_program(tmp_path):
    out = tmp_path / "check"
    argv = ["board", "check", "-o", str(out), "--score", "quality", "--skip", "numerics"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sealshot", *argv, "--seconds", "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "throughput" in line:
            break
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    written = json.loads((out / "check.json").read_text())
    verdicts = {step["name"]: step["outcome"]["verdict"] for step in written["steps"]}
    # the second is how CPython ends when the signal came within exec of a string, as imports use
    assert process.returncode in (130, -signal.SIGINT)
    assert verdicts["engines"] == PASSED
    assert verdicts["throughput"] == "interrupted"
    assert verdicts["energy"] == "not run"
    assert not list(out.glob("*.part"))
