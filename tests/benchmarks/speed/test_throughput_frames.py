"""The benchmark of the whole pipeline: what it measures is what one run did, and no more."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.conditions.process import own_peak_mb
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.conditions.spread import Spread
from sealshot.benchmarks.speed.throughput import frames
from sealshot.benchmarks.speed.throughput.frames import STAGES, describe_clip, measure
from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.pipeline.run import Summary
from sealshot.runtime.pipeline.settings import Settings


@pytest.fixture(scope="module")
def result(demo):
    """The demo clip, measured once, by a parent that holds more memory than a run needs."""
    ballast = np.ones(600_000_000, np.uint8)
    before = set(Path(tempfile.gettempdir()).glob("sealshot-benchmark-*"))
    (measured,) = measure([Settings(source=str(demo.clip))], 1)
    assert own_peak_mb() > ballast.nbytes / 1e6
    assert set(Path(tempfile.gettempdir()).glob("sealshot-benchmark-*")) == before
    return measured


@pytest.fixture(scope="module")
def once(demo):
    """One run in this process."""
    return frames.run_once(Settings(source=str(demo.clip)))


def test_the_memory_is_that_of_the_run_alone(result):
    assert 60 < result.peak_mb < 600


def test_it_measures_a_real_run(result, demo):
    assert (result.frames, result.people) == (175, 2)
    assert result.stages_ms.keys() == set(STAGES)
    assert all(ms.median > 0 for ms in result.stages_ms.values())
    assert result.start_s.median > 0
    clip = describe_clip(str(demo.clip))
    assert (clip.name, clip.width, clip.height, clip.fps) == (demo.clip.name, 960, 540, 25)
    assert len(clip.sha256) == 64
    assert str(demo.folder) not in repr((result, clip))


def test_the_figures_fit_together(once):
    wall_ms = 1e3 / once.fps
    threads = ("decode",), ("look",), ("detect",), ("track", "score", "select", "seal")
    for stages in threads:
        assert sum(once.stages_ms[stage] for stage in stages) < 1.05 * wall_ms
    assert once.cpu_ms < 1.1 * (os.cpu_count() or 1) * wall_ms


def test_runs_take_turns_and_are_summed_up(once, demo, monkeypatch):
    fps = iter([9, 30, 20, 40, 31, 50])
    asked = []
    monkeypatch.setattr(frames, "run_once", None)  # it would be run in a process of its own

    class Pool:
        def __init__(self, *_args, **_options): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def submit(self, _run, settings):
            asked.append(settings.score)
            return self

        def result(self):
            value = next(fps)
            return replace(once, fps=value, peak_mb=value + 1)

    monkeypatch.setattr(frames, "ProcessPoolExecutor", Pool)
    every = [Settings(source=str(demo.clip), score=score) for score in ("quality", "rp")]
    quality, rp = measure(every, 3)
    assert asked == ["quality", "rp"] * 3
    assert (quality.score, rp.score) == ("quality", "rp")
    assert quality.fps == Spread(20, 9, 31, 3)
    assert rp.fps == Spread(40, 30, 50, 3)
    assert (quality.peak_mb, rp.peak_mb) == (32, 51)
    assert len(quality.model_sha256) == 64
    assert quality.settings.source == demo.clip.name


def test_a_run_that_failed_is_no_measurement(monkeypatch, demo):
    lost = SourceError("the clip is gone")

    def broken(*_args, **_options) -> Summary:
        fields = {"people": (), "people_seen": 0, "frames": 9, "dropped": 0, "passing": 0}
        rest = {"seconds": 1.0, "stages_ms": {}, "engine": "", "interrupted": False}
        return Summary(**fields, **rest, failure=lost)

    monkeypatch.setattr(frames, "run", broken)
    with pytest.raises(SourceError, match="gone"):
        frames.run_once(Settings(source=str(demo.clip)))


@pytest.mark.parametrize("case", ["absent", "folder", "text"])
def test_what_is_no_clip_is_refused(case, tmp_path):
    text = tmp_path / "letter.mp4"
    text.write_text("Dear reader,\n")
    source = {"absent": tmp_path / "absent.mp4", "folder": tmp_path, "text": text}[case]
    with pytest.raises(InputError):
        describe_clip(str(source))


def test_an_error_comes_out_of_the_other_process_whole(demo):
    with pytest.raises(InputError, match="no tracker") as raised:
        measure([Settings(source=str(demo.clip), tracker="sort")], 1)
    assert "bytetrack" in raised.value.hint


def test_one_frame_is_too_few(tmp_path, capsys):
    clip = tmp_path / "one.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
    writer.write(np.zeros((120, 160, 3), np.uint8))
    writer.release()
    with pytest.raises(InputError, match="too few frames"):
        frames.run_once(Settings(source=str(clip), sandbox=False))
    assert capsys.readouterr().err == ""  # no word of keys: those of a benchmark open nothing


def test_a_result_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_result(tmp_path / "file" / "result.json", {})
