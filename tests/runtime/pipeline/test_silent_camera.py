"""A real stream that is cut while two people are in view: time goes on without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest

from sealshot.runtime.pipeline.run import run
from sealshot.runtime.pipeline.settings import Emit, Settings
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.times import epoch_of, utc_now
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault.keeper import Sealing

BOTH_IN_VIEW = slice(60, 110)
"""Frames of the demo's clip."""
LOST_S = 1.0
"""The default tracker takes who is away for longer as gone: then the shot is due."""


class Camera(ThreadingHTTPServer):
    """Serves pictures as MJPEG at 25 a second, once; then the line is dead, and stays open."""

    daemon_threads = True

    def __init__(self, pictures: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pictures = pictures
        self.cut_at: float | None = None  # wall time
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Camera

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for jpeg in self.server.pictures if self.server.cut_at is None else ():
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(1 / 25)
        self.server.cut_at = self.server.cut_at or time.time()
        self.server.over.wait()


@pytest.fixture
def camera(demo) -> Iterator[Camera]:
    clip, pictures = cv2.VideoCapture(str(demo.clip)), []
    while (read := clip.read())[0]:
        pictures.append(cv2.imencode(".jpg", read[1])[1].tobytes())
    server = Camera(pictures[BOTH_IN_VIEW])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def wait_for(condition, limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_silent_camera_stops_no_clock(camera, identity, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.5)
    vault, stop, now = tmp_path / "vault", Stop(), utc_now()
    today, yesterday = (epoch_of(now - timedelta(days), "day") for days in (0, 1))
    older, over = vault / yesterday / f"{1:032x}.age", vault / "2020-01-01" / f"{2:032x}.age"
    older.parent.mkdir(parents=True)
    older.write_bytes(bytes(10**6))
    settings = Settings(f"http://127.0.0.1:{camera.server_port}/live", emit=Emit("end"))
    sealing = Sealing(
        recipients=(identity.recipient,),
        retention=timedelta(7),
        quota_bytes=10**6 + 10_000,  # room for the older one, and for no shot beside it
    )
    summaries = []
    watching = threading.Thread(
        target=lambda: summaries.append(run(settings, sealing, vault, stop=stop))
    )
    watching.start()
    try:
        assert wait_for(lambda: camera.cut_at is not None, 60)
        assert older.exists()
        assert not list((vault / today).glob("*.age"))  # both are in view: nothing is due
        over.parent.mkdir()
        over.write_bytes(b"as of a run that was ill")
        assert wait_for(lambda: len(list((vault / today).glob("*.age"))) == 2, 20)
        assert wait_for(lambda: not over.exists(), 5)
    finally:
        stop.set()
        watching.join(30)
    assert not older.exists()  # the quota took it
    sealed_at = [path.stat().st_mtime for path in (vault / today).glob("*.age")]
    late_s = [at - camera.cut_at - LOST_S for at in sealed_at]
    assert max(late_s) < 2
    (summary,) = summaries
    assert summary.people_seen == 2
    assert summary.interrupted
