"""Video files: every frame, its time, and what is no video."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.sidedata.sidedata import SideDataContainer

from sealshot.runtime.errors import InputError
from sealshot.runtime.sandbox.media import Media
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sandbox.show import Shower
from sealshot.runtime.sources import open_source
from sealshot.runtime.sources.capture import as_bgr
from sealshot.runtime.sources.reader import Picture
from sealshot.runtime.sources.video import Video
from sealshot.runtime.types import Frame


def frame_level(frame: Frame) -> int:
    return round((float(frame.image.mean()) - 10) / 4)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("b.mp4", "mp4v")])
def test_every_frame_comes_once_in_order_with_its_time(make_video, reports, name, codec) -> None:
    path = make_video(name, codec=codec)
    with open_source(str(path)) as source:
        assert (source.live, source.frames, source.fps, source.dropped) == (False, 20, 10.0, 0)
        frames = list(source)
    assert [f.index for f in frames] == list(range(20))
    above = [float(f.image.mean() - frames[0].image.mean()) for f in frames]
    assert above == pytest.approx([4 * i for i in range(20)], abs=1.5)
    assert [f.time_s for f in frames] == pytest.approx([i / 10 for i in range(20)], abs=2e-3)
    assert frames[0].time_s == 0
    assert all(f.image.shape == (48, 64, 3) and f.image.dtype == np.uint8 for f in frames)
    assert reports == []


def test_frames_do_not_share_memory(make_video, reports) -> None:
    with open_source(str(make_video(frames=3))) as source:
        first, second, _ = source
    assert not np.shares_memory(first.image, second.image)


def test_fps_replaces_the_times_of_the_file(make_video, reports) -> None:
    with open_source(str(make_video(frames=4)), fps=2.0) as source:
        assert [f.time_s for f in source] == [0.0, 0.5, 1.0, 1.5]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="makes its video with ffmpeg")
def test_variable_frame_rate_and_late_start_are_kept(tmp_path, reports) -> None:
    path, kept = tmp_path / "vfr.mkv", (0, 1, 4, 9, 25, 26, 64)
    select = "+".join(f"eq(n,{n})" for n in kept)
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=100:d=1"]
    command += ["-vf", f"select='{select}',setpts=PTS+5/TB", "-fps_mode", "vfr", "-c:v", "mpeg4"]
    subprocess.run([*command, str(path)], check=True)
    with open_source(str(path)) as source:
        times = [f.time_s for f in source]
    assert times == pytest.approx([n / 100 for n in kept], abs=2e-3)


class Fake:
    """A reader whose time stamps (ms) and widths are given."""

    fps, frames, end_s, damaged, moves, created = 10.0, None, None, 0, True, None

    def __init__(self, stamps: list[float | None], *, widths: list[int] | None = None) -> None:
        self.stamps, self.widths = stamps, widths or [4] * len(stamps)
        self.at, self.released = -1, False

    def read(self) -> Picture | None:
        self.at += 1
        if self.at >= len(self.stamps):
            return None
        stamp = self.stamps[self.at]
        image = np.full((4, self.widths[self.at], 3), 50 + self.at, np.uint8)
        return Picture(image, None if stamp is None else stamp / 1000)

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self.released = True


def test_times_never_run_back(reports) -> None:
    def times(*stamps: float) -> list[float]:
        return [f.time_s for f in Video(Fake(list(stamps)), "x")]

    assert times(0, 0, 0) == pytest.approx([0, 0.1, 0.2])
    assert times(500, 540, 600) == pytest.approx([0, 0.04, 0.1])
    assert times(0, 900, 100, 2000) == pytest.approx([0, 0.9, 1.0, 2.0])
    assert times(0, float("nan"), 300) == pytest.approx([0, 0.1, 0.3])
    assert times(0, None, 300) == pytest.approx([0, 0.1, 0.3])


HOURS = 7200_000


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 100, 200 + HOURS, 300, 400], [0, 100, 200, 300, 400]),
        ([0, 100, 200 + HOURS, 300 + HOURS, 400, 500], [0, 100, 200, 300, 400, 500]),
        ([HOURS, 100, 200, 300], [0, 100, 200, 300]),
        ([0, 100, 200, 300 + HOURS], [0, 100, 200, 300 + HOURS]),  # nobody contradicts it
        ([0, 100, 200 + HOURS, 300 + HOURS], [0, 100, 200 + HOURS, 300 + HOURS]),
        ([5000, 5100, 5200, 0, 100, 250], [0, 100, 200, 300, 400, 550]),  # a clock anew
        ([0, 100, 9000, 9100, 200, 300, 400], [0, 100, 200, 300, 400, 500, 600]),
        ([0, 100, 0, 300, 400], [0, 100, 200, 300, 400]),
        ([100, 100, 100, 100], [0, 100, 200, 300]),
        ([0, 100, *(3e14 + 100 * n for n in range(9))], [100 * n for n in range(11)]),  # year 11500
    ],
    ids=lambda case: None,
)
def test_a_stamp_that_its_successors_contradict_is_dropped(stamps, expected) -> None:
    times = [1000 * f.time_s for f in Video(Fake(stamps), "x")]
    assert times == pytest.approx(expected)


def gif(path: Path) -> None:
    # 3 frames of 2x2, 100 ms each, by hand: header, palette, then one block a frame
    data = b"GIF89a" + bytes([2, 0, 2, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255])
    for _ in range(3):
        data += bytes([0x21, 0xF9, 4, 0, 10, 0, 0, 0])  # delay 10/100 s
        data += bytes([0x2C, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 3, 0x44, 0x02, 0x05, 0])
    path.write_bytes(data + b";")


def test_gifs_work(tmp_path, reports) -> None:
    gif(tmp_path / "a.gif")
    with open_source(str(tmp_path / "a.gif")) as source:
        frames = list(source)
    assert [f.time_s for f in frames] == pytest.approx([0, 0.1, 0.2], abs=0.011)
    assert frames[0].image.shape == (2, 2, 3)


def test_a_looped_recording_runs_on(make_video, reports) -> None:
    path = make_video(frames=3)
    with open_source(str(path), loop=True) as source:
        assert (source.frames, source.live) == (None, False)
        frames = [next(source) for _ in range(8)]
    assert [f.index for f in frames] == list(range(8))
    assert [frame_level(f) for f in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [f.time_s for f in frames] == pytest.approx([i / 10 for i in range(8)], abs=2e-3)
    assert list(source) == []  # closed


def text(path: Path) -> None:
    path.write_text("a line of text that is long enough to be drawn\n" * 100)


def utf16(path: Path) -> None:
    path.write_text("ein Text\n" * 400, encoding="utf-16")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def mp4_head(path: Path) -> None:
    path.write_bytes(bytes.fromhex("0000001c667479706d703432") + bytes(5000))


NOT_VIDEO: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing.mp4", lambda path: None, "there is no file"),
    ("notes.txt", text, "is a text file, not a video"),
    ("art.ans", text, "is a text file, not a video"),
    ("art.idf", text, "is a text file, not a video"),
    ("README.md", text, "is a text file, not a video"),
    ("text.mp4", text, "is a text file, not a video"),
    ("wide.txt", utf16, "text file|is not a video"),
    ("empty.mp4", Path.touch, "is empty"),
    ("noise.mp4", noise, "is not a video"),
    ("noise.jpg", noise, "no frame that can be decoded"),
    ("head.mp4", mp4_head, "is not a video"),
    ("folder", Path.mkdir, "there is no image in the folder"),
]


@pytest.mark.parametrize(("name", "make", "fact"), NOT_VIDEO, ids=[c[0] for c in NOT_VIDEO])
def test_what_is_no_video_is_refused(tmp_path, capfd, reports, name, make, fact) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError, match=fact) as caught:
        open_source(str(tmp_path / name))
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")  # OpenCV and FFmpeg are quiet


@pytest.mark.parametrize("spec", ["", "  "])
def test_an_empty_source_is_refused(spec, reports) -> None:
    with pytest.raises(InputError, match="empty"):
        open_source(spec)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bad_rate_is_refused(make_video, reports, fps) -> None:
    with pytest.raises(InputError, match="not a rate"):
        open_source(str(make_video(frames=2)), fps=fps)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(make_video, reports) -> None:
    path = make_video(frames=2)
    path.chmod(0)
    with pytest.raises(InputError, match="may not be read"):
        open_source(str(path))


def test_a_name_that_looks_like_a_protocol_is_a_file(make_video, reports, monkeypatch) -> None:
    path = make_video("data:clip.avi", frames=2)
    monkeypatch.chdir(path.parent)
    with open_source(path.name) as source:
        assert len(list(source)) == 2


@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_a_truncated_video_gives_its_frames_and_says_so(make_video, reports, capfd, keep) -> None:
    path = make_video(frames=40, size=(640, 480))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with open_source(str(path)) as source:
        expected = source.frames
        frames = list(source)
        assert source.frames == len(frames)
    assert 40 * keep - 8 < len(frames) < 40 * keep + 2
    assert [frame_level(f) for f in frames] == list(range(len(frames)))
    if expected == 40:
        assert len(reports) == 1
        assert "ended early" in reports[0]
    assert capfd.readouterr().err == ""


def test_a_truncated_mkv_says_so(data, tmp_path, reports) -> None:
    whole = (data / "clips" / "signer-hands-occlude.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[:150_000])
    with open_source(str(tmp_path / "cut.mkv")) as source:
        frames = list(source)
    assert 30 < len(frames) < 60
    assert len(reports) == 1
    assert f"ended early: {len(frames)} of about 87" in reports[0]


def test_the_frames_of_an_mkv_that_does_not_begin_at_zero_are_counted_right(data, reports) -> None:
    with open_source(str(data / "clips/signer-hands-occlude.mkv")) as source:
        assert source.frames == 87
        assert len(list(source)) == 87
    assert reports == []


def test_frames_that_change_size_are_passed_on_and_reported_once(reports) -> None:
    reader = Fake([0, 1, 2, 3], widths=[4, 8, 4, 16])
    with Video(reader, "x") as source:
        assert [f.image.shape[1] for f in source] == [4, 8, 4, 16]
    assert reports == ["x: the frames change size, from 4x4 to 8x4 pixels"]
    assert reader.released


def test_a_file_whose_frames_change_size_does_not_freeze(tmp_path, reports) -> None:
    path = tmp_path / "joined.mjpeg"  # FFmpeg scales to the first size; OpenCV < 4.13 repeats
    with path.open("wb") as file:
        for index, width in enumerate((64, 64, 128, 128, 64)):
            image = np.full((width, width, 3), 40 * index, np.uint8)
            file.write(cv2.imencode(".jpg", image)[1].tobytes())
    with open_source(str(path)) as source:
        levels = [float(f.image.mean()) for f in source]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=2)


@pytest.mark.parametrize("matrix", [8, 10, 14])  # YCgCo, BT.2020 constant luminance, ICtCp
def test_a_matrix_that_ffmpeg_cannot_convert_is_told_and_shown(tmp_path, reports, matrix) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.colorspace, video.options = matrix, {"crf": "4"}
        for index in range(5):
            picture = np.full((48, 64, 3), 60 + 20 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
            frame.colorspace = matrix
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    with open_source(str(path)) as source:
        levels = [frame.image.mean() for frame in source]
    assert levels == pytest.approx([60, 80, 100, 120, 140], abs=5)
    (report,) = reports
    assert f"matrix {matrix} of H.273" in report


def test_a_frame_that_cannot_be_shown_is_passed_over_and_counted(
    make_video, reports, monkeypatch
) -> None:
    shown = Shower.show

    def show(self: Shower, frame: av.VideoFrame, aspect: Fraction, turn: Turn) -> av.VideoFrame:
        if frame.pts == 7:
            raise av.error.OSError(95, "Operation not supported")
        return shown(self, frame, aspect, turn)

    monkeypatch.setattr(Shower, "show", show)
    with open_source(str(make_video()), sandbox=False) as source:
        assert [frame_level(frame) for frame in source] == [i for i in range(20) if i != 7]
    (report,) = reports
    assert report.endswith("passed over: 1")


def test_a_recording_that_gains_a_stream_ends_as_others_do(make_video, reports) -> None:
    media = Media(Request(str(make_video())))
    real = media._container

    class Gained:
        """What PyAV 18 does at the end of some files in which a stream appears later."""

        format = real.format

        def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
            yield from (packet for packet in real.demux(stream) if packet.size)
            raise IndexError("list index out of range")

    media._frames._container = Gained()
    pictures = list(iter(media.read, None))
    media._frames._container = real
    media.close()
    assert len(pictures) == 20


def test_grey_and_bgra_captures_become_bgr() -> None:
    for shape in ((6, 8), (6, 8, 1), (6, 8, 4), (6, 8, 3)):
        image = as_bgr(np.full(shape, 7, np.uint8))
        assert image.shape == (6, 8, 3)
        assert (image == 7).all()
    with pytest.raises(InputError, match="uint16"):
        as_bgr(np.zeros((6, 8), np.uint16))


def test_close_from_another_thread_ends_the_iteration(make_video, reports) -> None:
    source = open_source(str(make_video(frames=5)), loop=True)
    timer = threading.Timer(0.2, source.close)
    timer.start()
    assert sum(1 for _ in source) > 0
    timer.join()
    source.close()
    assert list(source) == []


def test_no_decoded_frame_outlives_its_picture(make_video) -> None:
    """Not even until Python collects its garbage: a 1080p frame is 3 MB, and 25 come a second."""
    path = make_video("a.mp4", codec="mp4v")
    gc.collect()
    gc.disable()
    try:
        with open_source(str(path)) as source:
            assert len(list(source)) == 20
        kept = sum(isinstance(o, SideDataContainer) for o in gc.get_objects())
    finally:
        gc.enable()
    assert kept <= 1
