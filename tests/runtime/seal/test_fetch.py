"""What a custodian publishes is fetched in bounded time, from a server that may be hostile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sealshot.runtime.seal import fetch as fetching
from sealshot.runtime.seal.fetch import fetch

Send = Callable[[socket.socket, threading.Event], None]
Serve = Callable[[Send], str]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


def drip(connection: socket.socket, stop: threading.Event, start: bytes) -> None:
    connection.sendall(start)
    while not stop.wait(0.05):
        connection.sendall(b"x")


DRIPS = {
    "of the first line": b"HTTP/1.1 200 ",
    "of the header": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "of the body": b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose every answer is sent by a function; return its address."""
    stop = threading.Event()
    threads, servers = [], []

    def start(send: Send) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    with suppress(OSError):  # who asked has gone
                        send(connection, stop)

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield start
    stop.set()
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize("what", DRIPS)
def test_a_server_that_drips_bytes_stalls_nobody(
    what: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "DEADLINE_S", 0.5)
    dripping = threading.Event()
    where = serve(lambda connection, stop: drip(connection, dripping, DRIPS[what]))
    start = time.monotonic()
    assert fetch(where, Path(), "x", 65536) is None
    assert 0.4 < time.monotonic() - start < 3
    start = time.monotonic()
    if what != "of the body":  # who waits for that gives up by itself
        assert fetch(where, Path(), "x", 65536) is None
        assert time.monotonic() - start < 0.2, "it was asked again while it still drips"
    dripping.set()


def test_it_is_asked_again_once_it_lets_go(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "DEADLINE_S", 0.3)
    dripping = threading.Event()
    answers: list[Send] = [
        lambda connection, stop: drip(connection, dripping, b"HTTP/1.1 "),
        lambda connection, stop: connection.sendall(HEAD + b"full"),
    ]
    where = serve(lambda connection, stop: answers.pop(0)(connection, stop))
    assert fetch(where, Path(), "x", 65536) is None
    late = fetching._late[where]
    dripping.set()
    late.join(10)
    assert fetch(where, Path(), "x", 65536) == b"full"


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP at all\r\n\r\n", HEAD + b"cut", b"HTTP/1.1 404 Not Found\r\n\r\n"],
    ids=["nothing", "garbage", "cut short", "not found"],
)
def test_what_is_no_answer_is_none(answer: bytes, serve: Serve) -> None:
    where = serve(lambda connection, stop: connection.sendall(answer))
    assert fetch(where, Path(), "x", 65536) is None


def test_no_more_is_read_than_the_limit(serve: Serve) -> None:
    where = serve(lambda connection, stop: connection.sendall(HEAD + b"full"))
    assert fetch(where, Path(), "x", 3) == b"ful"
    assert fetch(where, Path(), "x", 4) == b"full"
