"""Four cameras of a real RTSP server, over TCP and UDP: packets lost and late, gone and back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Frame, Heartbeat

SYSTEM_PYTHON, SERVER = "/usr/bin/python3", Path(__file__).parent / "gst_rtsp.py"
FPS, SECONDS = 25, 30


def has_server() -> bool:
    needs = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        return subprocess.run([SYSTEM_PYTHON, "-c", needs], capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_server(), reason="there is no GStreamer RTSP server")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(tmp_path_factory.mktemp("clip") / "clip.mp4", slices=1)


def rendered(path: Path, slices: int) -> Path:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        form = {"g": "25", "preset": "ultrafast"}
        form["x264-params"] = f"sliced-threads=0:slices={slices}"
        video = container.add_stream("libx264", rate=FPS, options=form)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        noise = rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)
        for index in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, index, axis=1), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.fixture
def serve(clip: Path) -> Iterator[object]:
    servers = []

    def start(*options: str, of: Path = clip) -> tuple[subprocess.Popen[str], str]:
        command = [SYSTEM_PYTHON, str(SERVER), str(of), *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout is not None
        return server, server.stdout.readline().strip()

    yield start
    for server in servers:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    "options", [(), ("--udp",), ("--udp", "--loss", "0.03")], ids=["tcp", "udp", "udp with loss"]
)
def test_four_cameras_of_one_server_are_read(serve, options) -> None:
    _, port = serve(*options)
    with ExitStack() as stack:
        sources = [
            stack.enter_context(open_source(f"rtsp://127.0.0.1:{port}/{mount}"))
            for mount in range(4)
        ]
        for source in sources:
            frames = frames_of(source)
            times = [next(frames).time_s for _ in range(15)]
            assert source.live
            assert all(after > before for before, after in pairwise(times))


def test_packets_that_overtake_each_other_cost_no_picture(serve, clip) -> None:
    """A tenth of them comes after the next one."""
    _, port = serve("--udp", "--late", "0.1")
    with open_source(str(clip)) as recording:
        sent = {frame.image.tobytes() for frame in frames_of(recording)}
    with open_source(f"rtsp://127.0.0.1:{port}/0") as source:
        frames = frames_of(source)
        got = [next(frames) for _ in range(40)]
    assert all(after.time_s > before.time_s for before, after in pairwise(got))
    assert {frame.image.tobytes() for frame in got} <= sent


def test_key_frames_with_parameter_sets_between_their_slices_are_whole(serve, tmp_path) -> None:
    """As GStreamer sends those of several slices; FFmpeg would make a picture of each slice."""
    clip = rendered(tmp_path / "slices.mp4", slices=3)
    _, port = serve(of=clip)
    with open_source(str(clip)) as recording:
        sent = {frame.image.tobytes() for frame in frames_of(recording)}
    with open_source(f"rtsp://127.0.0.1:{port}/0") as source:
        frames = frames_of(source)
        got = [next(frames) for _ in range(40)]
    assert {frame.image.tobytes() for frame in got} <= sent


def test_a_server_of_udp_that_is_killed_is_waited_for(serve) -> None:
    server, port = serve("--udp")
    with open_source(f"rtsp://127.0.0.1:{port}/0") as source:
        assert next(frames_of(source)).image.shape == (120, 160, 3)
        server.kill()
        server.wait()
        until = time.monotonic() + 30
        items = iter(source)
        while not isinstance(next(items), Heartbeat):  # what was under way
            assert time.monotonic() < until
        serve("--udp", "--port", port)
        while not isinstance(next(items), Frame):
            assert time.monotonic() < until
