"""`bench throughput --against`: two builds in turns, here stand-ins."""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.benchmarks.speed.throughput import against
from sealshot.benchmarks.speed.throughput.against import Build, measure_against, repeated
from sealshot.benchmarks.speed.throughput.command import main
from sealshot.runtime.errors import InputError, SealshotError

STAND_IN = """
import json, os, sys, time
if sys.argv[1] == "--help":
    sys.exit()
assert sys.argv[1] == "run" and "--json" in sys.argv and "--vault" in sys.argv
held = bytearray({mb} * 1_000_000)
time.sleep({seconds})
cores = len(os.sched_getaffinity(0))
print(json.dumps({{"frames": 100, "seconds": {seconds} / 2, "people": [{{}}] * cores}}))
sys.exit({code})
"""


def stand_in(folder, name, *, seconds=0.2, mb=30, code=0):
    script = folder / f"{name}.py"
    script.write_text(STAND_IN.format(seconds=seconds, mb=mb, code=code))
    return Build(name, "0" * 40, (sys.executable, str(script)), os.environ, {"sealshot": "0"})


@pytest.fixture
def two_builds(tmp_path, monkeypatch):
    def make(**older):
        monkeypatch.setattr(against, "_older", lambda _: stand_in(tmp_path, "older", **older))
        monkeypatch.setattr(against, "_this", lambda: stand_in(tmp_path, "this"))

    return make


def test_ratios_are_this_build_over_the_older_one(demo, two_builds, tmp_path, capsys):
    two_builds(seconds=1.0, mb=150)
    out = tmp_path / "against.json"
    argv = ["--against", "x", "--clip", str(demo.clip), "--runs", "2", "--cores", "1"]
    assert main([*argv, "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "frames/s of the whole process" in said
    found = json.loads(out.read_text())
    assert found["kind"] == "against"
    assert [b["build"] for b in found["builds"]] == ["older", "this"]
    assert [b["people"] for b in found["builds"]] == [[1, 1], [1, 1]]  # that many cores
    assert found["cores"] == 1
    assert found["run_fps_ratio"]["median"] == pytest.approx(5)
    assert found["peak_ratio"]["median"] < 0.7
    assert found["once_ratio"]["median"] < 0.7
    older, this = found["builds"]
    for build in older, this:  # what a start takes counts
        assert build["fps"]["high"] < build["run_fps"]["low"]
    least, most = (this["fps"][a] / older["fps"][b] for a, b in (("low", "high"), ("high", "low")))
    assert least <= found["fps_ratio"]["median"] <= most
    assert older["once_mb"]["median"] > 150 > this["once_mb"]["median"]
    assert older["around_s"]["median"] >= 0.5  # half of its second is not of its frames
    assert 0 < this["help_s"]["median"] < this["around_s"]["median"]
    assert len(os.sched_getaffinity(0)) >= 1


def test_a_run_that_fails_ends_it(demo, two_builds):
    two_builds(code=3)
    with pytest.raises(SealshotError, match="older ended with 3"):
        measure_against("x", str(demo.clip), frames=0, rounds=1, cores=0)


@pytest.mark.parametrize(("runs_done", "rounds"), [(0, 0), (1, 0), (3, 1), (4, 2)])
def test_an_interrupt_leaves_the_rounds_that_both_have_done(
    demo, two_builds, tmp_path, monkeypatch, capsys, runs_done, rounds
):
    two_builds()
    run, left = against._run, iter(range(runs_done))

    def interrupted(*given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return run(*given)

    monkeypatch.setattr(against, "_run", interrupted)
    if not rounds:
        with pytest.raises(KeyboardInterrupt):
            measure_against("x", str(demo.clip), frames=0, rounds=9, cores=0)
        return
    out = tmp_path / "stopped.json"
    argv = ["--against", "x", "--clip", str(demo.clip), "--runs", "9", "-o", str(out)]
    assert main(argv) == 130
    found = json.loads(out.read_text())
    assert found["rounds"] == rounds
    assert [len(build["people"]) for build in found["builds"]] == [rounds, rounds]
    assert f"stopped after {rounds} of 9 rounds" in capsys.readouterr().err


@pytest.mark.parametrize("commit", ["no-such-commit", "--help"])
def test_a_commit_that_is_not_there_is_told(demo, commit):
    with pytest.raises(InputError, match="no commit"):
        measure_against(commit, str(demo.clip), frames=0, rounds=1, cores=0)


def test_more_cores_than_there_are_are_refused(demo, two_builds):
    two_builds()
    with pytest.raises(InputError, match="cores"):
        measure_against("x", str(demo.clip), frames=0, rounds=1, cores=10_000)


@pytest.mark.parametrize("option", [["--tracks", "a.mp4"], ["--batch", "2"], ["--rounds", "2"]])
def test_what_belongs_to_another_question_is_refused(option):
    with pytest.raises(InputError):
        main(["--against", "x", *option])
    with pytest.raises(InputError, match="belong to --against"):
        main(["--frames", "5"])


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as video:
        return [float(frame.time) for frame in video.decode(video=0)]


def test_a_clip_is_repeated_as_it_is(demo, tmp_path):
    once = times_of(demo.clip)
    times = times_of(repeated(demo.clip, len(once) + 1, tmp_path))
    assert len(times) == 2 * len(once)
    steps = [b - a for a, b in pairwise(times)]
    assert min(steps) > 0
    assert max(steps) < 2 * (once[1] - once[0])


def test_a_clip_whose_first_packets_have_no_dts_is_repeated_whole(tmp_path):
    clip = tmp_path / "reordered.mkv"
    with av.open(str(clip), "w") as out:
        stream = out.add_stream("libx264", 25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(12):
            picture = np.full((48, 64, 3), 20 * level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        out.mux(stream.encode())
    with av.open(str(clip)) as made:
        assert next(made.demux(video=0)).dts is None
    times = times_of(repeated(clip, 13, tmp_path))
    assert len(times) == 24
    assert min(b - a for a, b in pairwise(times)) > 0


def test_what_is_no_video_is_not_repeated(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be repeated"):
        repeated(tmp_path / "x.mp4", 5, tmp_path)
