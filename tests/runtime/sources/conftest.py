"""Small videos, such as say by their grey level which frame it is, and a camera over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from http_camera import Camera
from odd_files import write_clip

LEVEL_STEP = 4

MakeVideo = Callable[..., Path]


def level(index: int) -> int:
    return 10 + LEVEL_STEP * index


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    def make(
        name: str = "clip.avi",
        frames: int = 20,
        size: tuple[int, int] = (64, 48),
        fps: float = 10.0,
        codec: str = "MJPG",
    ) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, size)
        assert writer.isOpened()
        for index in range(frames):
            writer.write(np.full((size[1], size[0], 3), level(index), np.uint8))
        writer.release()
        return path

    return make


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the demo's clip, lossless, 320x180."""
    options = "-vf scale=320:180:flags=area -c:v ffv1 -pix_fmt bgr0"
    return write_clip(tmp_path_factory.mktemp("odd") / "base.mkv", *options.split())


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Iterator[Camera]:
    server = Camera(*getattr(request, "param", ()))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
