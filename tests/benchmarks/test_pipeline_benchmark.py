"""The benchmark of the whole pipeline: what it measures is what one run did, and no more."""

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.benchmarks import pipeline
from sealshot.benchmarks.pipeline import STAGES, main, measure, peak_mb
from sealshot.benchmarks.script import write_result
from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.run import Summary
from sealshot.runtime.stages import Settings


@pytest.fixture(scope="module")
def result(demo):
    """The demo clip, measured once, by a parent that holds more memory than a run needs."""
    ballast = np.ones(600_000_000, np.uint8)
    before = set(Path(tempfile.gettempdir()).glob("sealshot-benchmark-*"))
    measured = measure(Settings(source=str(demo.clip)), 1)
    assert peak_mb() > ballast.nbytes / 1e6
    assert set(Path(tempfile.gettempdir()).glob("sealshot-benchmark-*")) == before
    return measured


def test_the_memory_is_that_of_the_run_alone(result):
    assert 60 < result.peak_mb < 600


def test_it_measures_a_real_run(result, demo):
    (once,) = result.runs
    assert (once.frames, once.people) == (175, 2)
    assert once.stages_ms.keys() == set(STAGES)
    assert all(ms > 0 for ms in once.stages_ms.values())
    assert once.start_s > 0
    assert result.clip.name == demo.clip.name
    assert (result.clip.width, result.clip.height, result.clip.fps) == (960, 540, 25)


def test_the_figures_fit_together(result):
    (once,) = result.runs
    wall_ms = 1e3 / once.fps
    beside, rest = ("decode", "detect"), ("track", "score", "select", "seal")
    assert sum(once.stages_ms[stage] for stage in beside) < 1.05 * wall_ms
    assert sum(once.stages_ms[stage] for stage in rest) < 1.05 * wall_ms
    assert once.cpu_ms < 1.1 * (os.cpu_count() or 1) * wall_ms


def test_the_result_says_where_it_comes_from_and_no_path(result, demo):
    environment = result.environment
    assert environment.date.endswith("Z")
    assert environment.machine
    assert environment.cores >= 1
    assert {"python", "sealshot", "onnxruntime"} <= environment.versions.keys()
    assert len(result.clip.sha256) == len(result.model_sha256) == 64
    assert str(demo.folder) not in repr(result)


def test_it_prints_medians_and_writes_them(result, demo, tmp_path, capsys, monkeypatch):
    runs = [replace(result.runs[0], fps=fps, peak_mb=mb) for fps, mb in ((9, 5), (30, 7), (20, 6))]
    left = iter(runs)
    monkeypatch.setattr(pipeline, "run_once", None)  # it would be run in a process of its own

    class Pool:
        def __init__(self, *_args, **_options): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def submit(self, *_):
            return self

        def result(self):
            return next(left)

    monkeypatch.setattr(pipeline, "ProcessPoolExecutor", Pool)
    out = tmp_path / "results" / "pipeline.json"
    assert main([str(demo.clip), "--repeat", "3", "-o", str(out)]) == 0
    written = json.loads(out.read_text())
    assert (written["fps"], written["peak_mb"]) == (20, 7)
    assert [run["fps"] for run in written["runs"]] == [9, 30, 20]
    said = capsys.readouterr().out
    assert "20.0" in said
    assert "9.0 to 30.0" in said
    assert "detect, ms a frame" in said


def test_a_run_that_failed_is_no_measurement(monkeypatch, demo):
    lost = SourceError("the clip is gone")

    def broken(*_args, **_options) -> Summary:
        fields = {"people": (), "people_seen": 0, "frames": 9, "dropped": 0, "passing": 0}
        rest = {"seconds": 1.0, "stages_ms": {}, "engine": "", "interrupted": False}
        return Summary(**fields, **rest, failure=lost)

    monkeypatch.setattr(pipeline, "run", broken)
    with pytest.raises(SourceError, match="gone"):
        pipeline.run_once(Settings(source=str(demo.clip)))


@pytest.mark.parametrize("case", ["absent", "folder", "text", "bad score"])
def test_bad_input_is_refused(case, demo, tmp_path):
    text = tmp_path / "letter.mp4"
    text.write_text("Dear reader,\n")
    argv = {
        "absent": [str(tmp_path / "absent.mp4")],
        "folder": [str(tmp_path)],
        "text": [str(text)],
        "bad score": [str(demo.clip), "--score", "beauty"],
    }[case]
    with pytest.raises(InputError):
        main(argv)


def test_an_error_comes_out_of_the_other_process_whole(demo):
    with pytest.raises(InputError, match="no tracker") as raised:
        measure(Settings(source=str(demo.clip), tracker="sort"), 1)
    assert "bytetrack" in raised.value.hint


def test_one_frame_is_too_few(tmp_path):
    clip = tmp_path / "one.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
    writer.write(np.zeros((120, 160, 3), np.uint8))
    writer.release()
    with pytest.raises(InputError, match="too few frames"):
        pipeline.run_once(Settings(source=str(clip)))


def test_a_result_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_result(tmp_path / "file" / "result.json", {})
