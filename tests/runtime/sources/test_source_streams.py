"""A real stream over http on loopback that dies and comes back."""

from __future__ import annotations

import io
import threading
import time
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from http_camera import SLOW_S

from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.sources import frames_of, media, open_source
from sealshot.runtime.types import Heartbeat


@pytest.mark.parametrize("camera", [(40, 1)], indirect=True)
def test_a_stream_that_dies_and_returns(camera, reports, capfd) -> None:
    spec = f"http://user:geheim@{camera.address}/live?token=hush"
    with open_source(spec) as source:
        assert source.live
        frames = []
        for frame in frames_of(source):
            frames.append(frame)
            if camera.connections == 2 and frame.image.shape[1] == 96:
                break
    indexes = [f.index for f in frames]
    times = [f.time_s for f in frames]
    assert indexes == sorted(set(indexes))
    since = len(indexes) + source.dropped - (indexes[-1] + 1)
    assert 0 <= since < 5
    assert times == sorted(times)
    assert max(np.diff(times)) > 0.7  # the outage is in the times
    assert any("gives no more frames" in r for r in reports)
    assert any("still gives no frame" in r for r in reports)
    assert any("is back after" in r for r in reports)
    assert any("from 64x48 to 96x48" in r for r in reports)
    said = " ".join([*reports, source.name, *capfd.readouterr()])
    assert "geheim" not in said
    assert "hush" not in said
    assert "user" not in said


@pytest.mark.parametrize("camera", [(40, 0, 5.0)], indirect=True)
def test_a_stream_that_falls_silent_is_given_up_and_connected_again(
    camera, reports, monkeypatch
) -> None:
    monkeypatch.setattr(media, "READ_TIMEOUT_S", 0.4)
    with open_source(f"http://{camera.address}/live") as source:
        frames = frames_of(source)
        while camera.connections < 2:
            frame = next(frames)
        assert 1.0 < frame.time_s < 4.0
    assert any("is back after" in r for r in reports)


@pytest.mark.parametrize("camera", [(10, 1, 2.5)], indirect=True)
def test_time_goes_on_while_a_stream_is_silent_and_while_it_is_away(camera, reports) -> None:
    with open_source(f"http://{camera.address}/live") as source:
        items, came_s = [], [time.monotonic()]
        while camera.connections < 2 or isinstance(items[-1], Heartbeat):
            items.append(next(source))
            came_s.append(time.monotonic())
    assert max(np.diff(came_s)) < 1
    beats = [item for item in items if isinstance(item, Heartbeat)]
    assert len(beats) >= 5  # 2.5 s of silence, then one attempt that is refused
    times = [item.time_s for item in items]
    assert times == sorted(times)
    assert beats[-1].time_s - beats[0].time_s > 2.5


def test_a_camera_of_single_pictures_is_asked_again_and_again(camera, reports) -> None:
    with open_source(f"http://{camera.address}/snap.jpg", fps=5) as source:
        assert source.live
        frames = list(islice(frames_of(source), 4))
    levels = [float(frame.image.mean()) for frame in frames]
    assert np.diff(levels) == pytest.approx([20, 20, 20], abs=2)
    assert np.diff([frame.time_s for frame in frames]).min() > 0.1
    assert any("gives one picture at a time: it is asked for 5 a second" in r for r in reports)


def test_a_single_picture_has_the_time_at_which_it_came(camera) -> None:
    """What asks for it may get it later, when the next one is there, too."""
    reader = media.open_media(f"http://{camera.address}/snap.jpg", every_s=0.2)
    time.sleep(1.0)
    pictures = [reader.read() for _ in range(2)]
    reader.close()
    first_s, second_s = (picture.stamp_s for picture in pictures if picture)
    assert 0.5 < second_s - first_s < 5


def test_a_wrong_password_is_an_error_at_once(camera, reports) -> None:
    with pytest.raises(InputError, match=r"gives no video: .*401") as caught:
        open_source(f"http://me:geheim@{camera.address}/locked")
    assert caught.value.hint == "check user and password"
    assert "geheim" not in caught.value.fact


def test_a_slow_reader_gets_new_frames_each_with_its_neighbour(camera, reports) -> None:
    with open_source(f"http://{camera.address}/live") as source:
        second = next(frames_of(source))
        for _ in range(4):
            time.sleep(0.4)  # 20 frames pass
            first = next(source)
            if first.index == second.index + 1:  # the neighbour of the very first one
                time.sleep(0.4)
                first = next(source)
            assert camera.sent - first.image.mean() < 10
            time.sleep(0.1)
            second = next(source)
            assert second.index == first.index + 1
            assert second.image.mean() - first.image.mean() == pytest.approx(1, abs=0.5)
            assert 0 < second.time_s - first.time_s < 0.1
    assert source.dropped > 40


def test_close_ends_a_stream_soon(camera, reports) -> None:
    source = open_source(f"http://{camera.address}/live")
    next(source)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 0.5
    assert not any(t.name == "sealshot-camera" for t in threading.enumerate())


def test_a_recording_over_http_is_read_losslessly(camera, make_video, reports) -> None:
    camera.files["/clip.mp4"] = make_video("clip.mp4", codec="mp4v").read_bytes()
    with open_source(f"http://{camera.address}/clip.mp4") as source:
        assert not source.live
        assert [f.index for f in source] == list(range(20))
    assert reports == []


def test_a_camera_of_few_pictures_a_second_is_seen_soon(camera, reports) -> None:
    """FFmpeg held 20 pictures back to find their rate: five seconds of four a second."""
    file = io.BytesIO()
    parts = []
    with av.open(file, "w", "mpegts", options={"flush_packets": "1"}) as output:
        stream = output.add_stream("mpeg2video", 25, options={"g": "4", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 25)
        for index in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * index, np.uint8), "bgr24")
            frame.pts = round(25 * SLOW_S * index)
            output.mux(stream.encode(frame))
            parts.append(file.getvalue()[sum(map(len, parts)) :])
    camera.slow["/live.ts"] = parts
    start = time.monotonic()
    with open_source(f"http://{camera.address}/live.ts") as source:
        next(frames_of(source))
    assert time.monotonic() - start < 10 * SLOW_S


@pytest.mark.parametrize("path", ["/missing", "/page.html"])
def test_an_address_without_video_is_refused(camera, reports, capfd, path) -> None:
    camera.files["/page.html"] = b"<html><body>log in first</body></html>" * 50
    with pytest.raises(InputError, match="gives no video") as caught:
        open_source(f"http://me:geheim@{camera.address}{path}")
    error = caught.value
    assert "geheim" not in error.fact + error.hint + "".join(capfd.readouterr())


def test_a_scheme_that_nobody_knows_is_refused_soon(reports, capfd) -> None:
    with pytest.raises(InputError, match="gives no video"):
        open_source("nonsense://me:geheim@127.0.0.1:9/live")
    assert "geheim" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(("scheme", "path"), [("rtsp", "live.mp4"), ("http", "live")])
def test_a_camera_where_nobody_listens_yet_is_waited_for(scheme, path, reports, capfd) -> None:
    start = time.monotonic()
    with open_source(f"{scheme}://me:geheim@127.0.0.1:9/{path}", give_up_after_s=0.1) as source:
        with pytest.raises(SourceError, match="connection refused") as caught:
            list(source)
        said = " ".join([*reports, source.name, caught.value.fact, *capfd.readouterr()])
    assert time.monotonic() - start < 5
    assert "gives no video yet: connection refused" in said
    assert "geheim" not in said


def test_a_recording_where_nobody_listens_is_refused(reports) -> None:
    with pytest.raises(InputError, match="gives no video: connection refused"):
        open_source("http://127.0.0.1:9/clip.mp4")
