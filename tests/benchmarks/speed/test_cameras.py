"""Cameras in one process: paced like real ones, counted one by one."""

from __future__ import annotations

import json
import math
import time

import av
import numpy as np
import pytest

from sealshot.benchmarks.speed.throughput.cameras import Times, main
from sealshot.benchmarks.speed.throughput.players import Player, playing
from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.sources.reader import Coming


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "grey.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuvj420p"
        for level in (40, 90, 140):
            image = np.full((120, 160, 3), level, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


def test_a_clip_is_played_again_and_again_at_its_rate(clip):
    with playing([clip], 10) as (address,):
        reader, came_s, levels = Player(address), [], []
        while len(levels) < 7:
            read = reader.read()
            came_s.append(time.monotonic())
            if isinstance(read, Coming):
                read.ask(False)
            else:
                levels.append((len(reader.due_s) - 1, int(bgr_of(read.pixels).mean()) // 50))
        reader.close()
    assert len(reader.due_s) >= 7
    assert np.diff(reader.due_s) == pytest.approx(0.1, abs=0.01)
    assert 0 < came_s[-1] - reader.due_s[levels[-1][0]] < 1
    assert all(level == number % 3 for number, level in levels)


def test_what_is_late_counts_from_when_a_picture_could_be_shown(tmp_path):
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"bf": "2", "b_strategy": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for level in range(20, 220, 10):
            image = np.full((120, 160, 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    with playing([path], 25) as (address,):
        reader = Player(address)
        while len(reader.due_s) < 20:
            reader.read()
        late_s = time.monotonic() - reader.due_s[-1]
        reader.close()
    assert np.diff(reader.due_s) == pytest.approx(0.04, abs=0.002)
    assert -0.01 < late_s < 0.5


def test_what_is_dropped_is_counted_by_when_it_was_due():
    times = Times("tcp://nobody")
    times.due_s += [0.5 * n for n in range(12)]
    times.done_s.update({index: 0.5 * index + 0.1 for index in (1, 4, 5, 6, 8, 9)})
    assert times.dropped(1.0, 3.0) == (2, 2)
    assert times.dropped(3.0, math.inf) == (2, 1)  # what came after the last one is not judged
    assert times.late_ms(95) == pytest.approx(100)


def test_each_number_of_cameras_is_a_row_and_each_camera_is_told(clip, tmp_path, capsys):
    target = tmp_path / "cameras.json"
    assert main([str(clip), "--counts", "1,2", "--seconds", "2", "-o", str(target)]) == 0
    result = json.loads(target.read_text())
    assert [len(row["cameras"]) for row in result["rows"]] == [1, 2]
    for row in result["rows"]:
        assert row["cpu_ms"] > 0
        assert row["once_mb"] > 50
        for camera in row["cameras"]:
            assert camera["clip"] == "grey.avi"
            assert camera["people"] == 0
            assert camera["failure"] is None
            assert 0 < camera["fps"] < 16
            assert 0 <= camera["dropped"] <= 1
            assert camera["dropped_at_start"] >= 0
    assert "CPU ms a frame" in capsys.readouterr().out


def test_what_is_no_clip_is_told(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        main([str(tmp_path / "none.mp4")])
