"""A camera that serves MJPEG over HTTP on loopback, and may die and come back."""

from __future__ import annotations

import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

FPS = 50
SLOW_S = 0.25


class Camera(ThreadingHTTPServer):
    """Serves MJPEG; after ``dies_after`` frames it falls silent, hangs up, refuses the next."""

    daemon_threads = True

    def __init__(self, dies_after: int = 10**9, refuses: int = 0, stalls_s: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stalls_s = stalls_s
        self.dies_after, self.refuses, self.refused = dies_after, refuses, 0
        self.connections, self.sent = 0, 0
        self.files: dict[str, bytes] = {}
        self.slow: dict[str, list[bytes]] = {}
        """Streams, as what comes of them every ``SLOW_S``."""
        self.snapshots = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Camera

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in self.server.files:
            self.send_file(self.server.files[path])
        elif path in self.server.slow:
            self.send_slowly(self.server.slow[path])
        elif path == "/snap.jpg":
            self.snapshot()
        elif path == "/locked":
            self.send_error(401)
        elif path != "/live":
            self.send_error(404)
        elif self.server.connections and self.server.refused < self.server.refuses:
            self.server.refused += 1
            self.send_error(503)
        else:
            self.stream()

    def send_file(self, body: bytes) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:])

    def send_slowly(self, parts: list[bytes]) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # the reader went away
            for part in parts:
                self.wfile.write(part)
                time.sleep(SLOW_S)

    def snapshot(self) -> None:
        self.server.snapshots += 1
        image = np.full((48, 64, 3), 20 * self.server.snapshots, np.uint8)
        body = cv2.imencode(".jpg", image)[1].tobytes()
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.server.connections += 1
        self.server.refused = 0
        width = 64 if self.server.connections % 2 else 96
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for _ in range(self.server.dies_after):
            image = np.full((48, width, 3), self.server.sent % 250, np.uint8)
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:  # the reader went away
                return
            self.server.sent += 1
            time.sleep(1 / FPS)
        time.sleep(self.server.stalls_s)
