"""Cameras in one process: paced like real ones, counted one by one."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from sealshot.benchmarks.speed.throughput.cameras import Played, main
from sealshot.runtime.errors import InputError


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


def test_a_clip_is_played_again_and_again_at_its_rate(clip, monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    monkeypatch.setattr("time.sleep", lambda s: now_s.__setitem__(0, now_s[0] + s))
    reader, times, levels = Played(clip, 10, sandbox=False), [], []
    for _ in range(7):
        picture = reader.read()
        times.append(now_s[0])
        levels.append(int(picture.image.mean()) // 50)
    reader.close()
    assert reader.due_s == pytest.approx([100.0 + 0.1 * i for i in range(7)])
    assert np.diff(times) == pytest.approx(0.1)
    assert levels == [0, 1, 2, 0, 1, 2, 0]


def test_each_number_of_cameras_is_a_row_and_each_camera_is_told(clip, tmp_path, capsys):
    target = tmp_path / "cameras.json"
    assert main([str(clip), "--counts", "1,2", "--seconds", "1", "-o", str(target)]) == 0
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
    assert "CPU ms a frame" in capsys.readouterr().out


def test_what_is_no_clip_is_told(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        main([str(tmp_path / "none.mp4")])
