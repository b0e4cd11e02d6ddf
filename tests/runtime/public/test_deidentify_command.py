"""`sealshot deidentify`: what stays as it was, what is left out, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.benchmarks.accuracy import uncovered
from sealshot.runtime.cli.main import main
from sealshot.runtime.public.recording import Recording
from sealshot.runtime.public.stream import PublicStream
from sealshot.runtime.public.writer import VideoWriter

MakeClip = Callable[..., Path]
VARIABLE_MS = (0, 40, 95, 250, 251, 400)


@pytest.mark.parametrize(
    ("video", "why"),
    [
        (".", "error: . is a folder\nhint: name one video file"),
        ("none.mp4", "error: there is no video file none.mp4\nhint: check the path"),
        ("rtsp://camera/1", "error: rtsp://camera/1 is no file\nhint: a camera is watched by"),
        ("0", "error: 0 is no file\nhint: a camera is watched by"),
    ],
)
def test_what_is_no_file_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    video: str,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["deidentify", video, "-o", "out.mp4"]) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_time_stamps_pixel_aspect_and_colours_stay(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path, suffix: str
) -> None:
    clip = make_clip(ms=VARIABLE_MS, aspect=Fraction(4, 3), colours=(2, 1, 13, 6))
    out = tmp_path / f"out{suffix}"
    assert main(["deidentify", str(clip), "-o", str(out)]) == 0
    before, after = facts(clip), facts(out)
    for name in ("times_s", "pixel_aspect", "colours", "size"):
        assert getattr(after, name) == getattr(before, name), name
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == [out.name]


def test_distances_stay_where_the_clock_of_mpeg_ts_begins_anew(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path
) -> None:
    """It has 33 bits: after 26 and a half hours it starts from 0."""
    overflow_ms, out = 2**33 // 90, tmp_path / "out.mkv"
    clip = make_clip("clip.ts", ms=tuple(range(overflow_ms - 400, overflow_ms + 800, 100)))
    assert main(["deidentify", str(clip), "-o", str(out)]) == 0
    distances = np.round(np.diff(facts(out).times_s), 2).tolist()
    distances.remove(0.04)  # nobody says how long this one was
    assert distances == [0.1] * 10


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray"])
@pytest.mark.parametrize("codec", ["h264", "h265", "ffv1", "mjpeg"])
def test_every_codec_takes_every_format(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path, format: str, codec: str
) -> None:
    clip, out = make_clip(format=format, ms=(0, 40, 80)), tmp_path / "out.mkv"
    assert main(["deidentify", str(clip), "-o", str(out), "--codec", codec]) == 0
    after = facts(out)
    assert after.times_s == (0, 0.04, 0.08)
    if codec == "ffv1" and format != "gray":
        assert after.format == format
        assert np.array_equal(after.luma, facts(clip).luma)  # nobody is in it
    held = "yuv420p" if format == "gray" else format
    eight = held.removesuffix("10le")
    assert after.format.replace("yuvj", "yuv") == (eight if codec == "mjpeg" else held)


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_an_odd_size_loses_a_row_only_where_the_codec_must(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path, codec: str
) -> None:
    clip, out = make_clip(size=(97, 65), ms=(0, 40)), tmp_path / "out.mkv"
    assert main(["deidentify", str(clip), "-o", str(out), "--codec", codec]) == 0
    assert facts(out).size == ((96, 64) if codec == "h264" else (97, 65))


@pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot make such a clip"
)
@pytest.mark.parametrize("format", ["yuv420p", "yuv422p"])
def test_pictures_that_lie_on_their_side_are_turned_upright(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path, format: str
) -> None:
    clip = make_clip("clip.mp4", turned=90, aspect=Fraction(4, 3), format=format)
    out = tmp_path / "out.mp4"
    assert main(["deidentify", str(clip), "-o", str(out)]) == 0
    after = facts(out)
    assert after.size == (64, 96)
    assert after.pixel_aspect == Fraction(3, 4)
    down = after.luma.mean(axis=1).astype(int)  # the ramp runs upwards or downwards now
    assert abs(down[0] - down[-1]) > 100
    assert np.ptp(after.luma.mean(axis=0)) < 10


def test_sound_is_left_out_unless_it_is_asked_for_and_nothing_else_goes_along(
    make_clip: MakeClip, facts: Callable[[Path], object], tmp_path: Path
) -> None:
    clip = make_clip("clip.mp4", sound="aac")
    assert facts(clip).metadata["title"] == "a name"
    quiet, loud = tmp_path / "quiet.mp4", tmp_path / "loud.mp4"
    assert main(["deidentify", str(clip), "-o", str(quiet)]) == 0
    assert main(["deidentify", str(clip), "-o", str(loud), "--keep-audio"]) == 0
    assert facts(quiet).streams == ("video",)
    assert facts(loud).streams == ("video", "audio")
    assert "title" not in facts(quiet).metadata | facts(loud).metadata

    def heard(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert heard(loud) == heard(clip)


@pytest.mark.parametrize(("codec", "size"), [("h265", (16, 8)), ("h264", (16400, 16))])
def test_a_size_that_a_codec_does_not_take_is_said_before_any_picture(
    make_clip: MakeClip,
    tmp_path: Path,
    codec: str,
    size: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip, out = make_clip(size=size, ms=(0, 40)), tmp_path / "out.mkv"
    assert main(["deidentify", str(clip), "-o", str(out), "--codec", codec]) == 2
    width, height = size
    assert f"does not take pictures of {width} x {height}\nhint: " in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_sound_that_a_container_does_not_take_is_said_before_any_picture(
    make_clip: MakeClip, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out = make_clip(sound="flac"), tmp_path / "out.mov"
    assert main(["deidentify", str(clip), "-o", str(out), "--keep-audio"]) == 2
    assert "mov does not take the sound as it is (flac)" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("arguments", "fact", "hint"),
    [
        (["-o", "out.webm"], "names no container", "end with .mp4"),
        (["-o", "out.mp4", "--codec", "ffv1"], "mp4 does not take ffv1", ".mkv"),
        (["-o", "there.mkv"], "exists and is not overwritten", "another file name"),
        (["-o", "out.mkv", "--keep-audio"], "has no sound", "--keep-audio"),
        (["-o", "no/folder/out.mkv"], "cannot write", "folder"),
        (["-o", "out.mkv", "--min-face", "3"], "cannot look for faces of 3 px", "12 px"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_leaves_nothing(
    make_clip: MakeClip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    fact: str,
    hint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    clip = make_clip()
    Path("there.mkv").write_text("mine")
    assert main(["deidentify", str(clip), *arguments]) == 2
    told = capsys.readouterr().err
    assert fact in told.splitlines()[0]
    assert hint in told.splitlines()[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mkv", "there.mkv"]
    assert Path("there.mkv").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (b"", "is empty", "name a video file"),
        (b"no video at all\n" * 20, "is a text file, not a video", "name a video file"),
        (b"\x1aE\xdf\xa3" + bytes(99), "is not a video that FFmpeg can read: ", "lacks its index"),
    ],
)
def test_what_is_no_video_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, what: str, hint: str
) -> None:
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(content)
    assert main(["deidentify", str(clip), "-o", str(tmp_path / "out.mkv")]) == 2
    fact, told = capsys.readouterr().err.splitlines()
    assert fact.startswith(f"error: {clip} {what}")
    assert hint in told
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mkv"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    make_clip: MakeClip, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(ms=tuple(range(0, 8000, 40)), size=(320, 240), format="yuv444p")
    out = small_disk / "out.mkv"
    assert main(["deidentify", str(clip), "-o", str(out), "--codec", "ffv1"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert f"error: cannot write {out}: No space left on device" in lines
    assert not list(small_disk.iterdir())


def test_ctrl_c_keeps_what_was_looked_at(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(ms=tuple(range(0, 120_000, 40)), size=(64, 48))
    out = tmp_path / "out.mkv"
    command = [sys.executable, "-m", "sealshot", "deidentify", str(clip), "-o", str(out), "--json"]
    command += ["--codec", "ffv1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    part, end = Path(f"{out}.part"), time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 5000) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    answer, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    summary = json.loads(answer)
    assert summary["interrupted"]
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == summary["pictures"] < 3000
    assert not part.exists()


def test_nobody_shows_an_eye(make_walk: MakeClip, tmp_path: Path) -> None:
    clip, out, judged = make_walk(), tmp_path / "out.mkv", tmp_path / "judged.json"
    assert main(["deidentify", str(clip), "-o", str(out), "--codec", "ffv1"]) == 0
    judge = ["--judge", "mtcnn:exact", "-o", str(judged)]
    assert uncovered.main([str(clip), str(out), *judge]) == 0
    figures = json.loads(judged.read_text())
    assert figures["face_frames"] >= 10
    assert figures["uncovered"] == []
    # and the judge does tell an eye that is not covered
    assert uncovered.main([str(clip), str(clip), *judge]) == 0
    assert len(json.loads(judged.read_text())["uncovered"]) == figures["face_frames"]


def test_a_file_without_a_picture_is_not_kept(make_clip: MakeClip, tmp_path: Path) -> None:
    clip, out = make_clip(), tmp_path / "out.mkv"
    with (
        Recording(clip) as recording,
        VideoWriter(out, recording.form, "ffv1") as writer,
    ):
        stream = PublicStream(writer, [])
        for item in recording:
            stream.take(item.picture, item.see)
        stream.finish(whole=False)  # 0.4 s: not one had waited for a second
    assert not stream.pictures
    assert [p.name for p in tmp_path.iterdir()] == [clip.name]
