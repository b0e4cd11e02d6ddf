"""Cameras over RTSP: a server of our own on the loopback, read by FFmpeg as users' cameras are."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator

import av
import numpy as np
import onvif_device
import pytest
import rtsp_camera

from sealshot.runtime.sources import frames_of, open_source

FPS = 12


def encoded(count: int) -> list[list[bytes]]:
    """Return the NAL units of grey pictures that grow brighter."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="h264") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {"tune": "zerolatency", "x264-params": "aud=1", "g": "1000"}
        for index in range(count):
            picture = np.full((48, 64, 3), 20 + 3 * index, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode(None))
    return rtsp_camera.pictures(stream.getvalue())


class Camera(rtsp_camera.Camera):
    """Gives grey pictures; hangs up on the first readers as a camera that starts does."""

    def __init__(self, *, hangs_up: int = 0) -> None:
        super().__init__()
        self.hangs_up, self.given, self._units = hangs_up, 0, encoded(60)

    def answers(self) -> bool:
        self.hangs_up -= 1
        return self.hangs_up < 0

    def pictures(self) -> Iterator[list[bytes]]:
        for units in self._units:
            yield units
            self.given += 1
            time.sleep(1 / FPS)


@pytest.fixture
def serve() -> Iterator[type[Camera]]:
    cameras = []

    def start(**given: int) -> Camera:
        cameras.append(camera := Camera(**given))
        threading.Thread(target=camera.serve_forever, daemon=True).start()
        return camera

    yield start
    for camera in cameras:
        camera.shutdown()
        camera.server_close()


def test_the_first_frame_is_not_held_back_until_a_rate_is_found(serve) -> None:
    camera = serve()
    with open_source(camera.address) as source:
        assert source.live
        first = next(frames_of(source))
        # FFmpeg by itself asks for some forty pictures first; they all come at once then
        assert camera.given < FPS * 1.5
        assert first.image.shape == (48, 64, 3)
    assert camera.asked_for.startswith("RTP/AVP/TCP")


def test_a_device_by_onvif_is_watched_and_asked_anew_when_it_comes_back(serve) -> None:
    pytest.importorskip("onvif")
    camera = serve(hangs_up=1)
    device = onvif_device.Device(stream=camera.address)
    try:
        with open_source(device.spec) as source:
            assert source.live
            assert next(frames_of(source)).image.shape == (48, 64, 3)
    finally:
        device.close()
    assert device.asked.count("GetStreamUri main") == 2


def test_a_camera_that_hangs_up_while_it_starts_is_waited_for(serve, reports) -> None:
    camera = serve(hangs_up=2)
    with open_source(camera.address) as source:
        assert next(frames_of(source)).image.shape == (48, 64, 3)
    assert "gives no video yet" in reports[0]
