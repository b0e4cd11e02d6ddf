"""What a process gives that is no picture of a stream: it is not believed either."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.lossless import pieces_of
from sealshot.runtime.sandbox import process
from sealshot.runtime.sandbox.messages import Data, Ended, Guards, Need, Opened, pack
from sealshot.runtime.seal.originals import Originals, Piece
from sealshot.runtime.sources import apart
from sealshot.runtime.sources.contents import attachments, packets
from sealshot.runtime.sources.images import images
from sealshot.runtime.sources.onvif import profiles_of, stream_address
from sealshot.runtime.sources.reader import NoVideoError

PIECE = Piece(0, 0.0, (0, 0, 1, 1), "", "", 4)
PART = Originals("5f" * 16, 0, (1,), 16, 16, "yuv420p", (PIECE, PIECE), bytes(8))
NO_FILE = Path("/no/such/file")
READ: dict[str, Callable[[], Iterator[object]]] = {
    "packets": lambda: packets(NO_FILE, b"mark"),
    "attachments": lambda: attachments(NO_FILE),
    "pieces": lambda: pieces_of(PART),
    "profiles": lambda: iter(profiles_of("onvif://127.0.0.1")),
    "stream_address": lambda: iter([stream_address("onvif://127.0.0.1")]),
}
ROOM = Need(64)
WHOLE = Data(384)
LIES = {
    "more than there is": ([ROOM, Data(5000)], set(READ)),
    "no room": ([Data(1)], set(READ)),
    "a terabyte": ([Need(1 << 40)], set(READ)),
    "an answer to something else": ([Opened(True, False, b"", 25.0, 1.0, 1, 0.0)], set(READ)),
    "bytes": ([b"\x07" * 40], set(READ)),
    "nothing in it": ([ROOM, Data(0)], set(READ) - {"attachments"}),
    "zeros": ([ROOM, Data(40)], set(READ) - {"attachments"}),
    "too few": ([Need(384), WHOLE, Ended(0, False)], {"pieces"}),
    "too many": ([Need(384), WHOLE, WHOLE, WHOLE], {"pieces"}),
    "none": ([Ended(0, False)], {"pieces", "profiles", "stream_address"}),
}


def lying(monkeypatch: pytest.MonkeyPatch, lie: list[object]) -> list[subprocess.Popen[bytes]]:
    """Let a process be started that says something; return those that were."""
    started = []

    def start(line: int, memory: int, _: object) -> subprocess.Popen[bytes]:
        end = socket.socket(fileno=os.dup(line))

        def say() -> None:
            for one in [Guards(True, True), *lie]:
                end.send(one if isinstance(one, bytes) else pack(one))
            while end.recv(8):
                pass

        threading.Thread(target=say, daemon=True).start()
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    monkeypatch.setattr(process, "start", start)
    return started


@pytest.mark.parametrize(
    ("lie", "read"), [(lie, read) for lie, (_, those) in LIES.items() for read in sorted(those)]
)
def test_what_cannot_be_is_not_believed(monkeypatch, lie, read) -> None:
    if read in ("profiles", "stream_address"):
        pytest.importorskip("onvif")
    monkeypatch.setattr(apart, "CLOSE_S", 0.0)
    started = lying(monkeypatch, LIES[lie][0])
    with pytest.raises((NoVideoError, ValueError)):
        list(islice(READ[read](), 1000))
    (one,) = started
    assert one.returncode == -signal.SIGKILL


@pytest.mark.parametrize("lie", [[Ended(0, False)], [ROOM, Data(40)], [ROOM, Data(7)]])
def test_who_says_nothing_of_a_picture_is_asked_for_the_next_one(monkeypatch, reports, lie) -> None:
    monkeypatch.setattr(apart, "CLOSE_S", 0.0)
    started = lying(monkeypatch, lie)
    paths = [Path(f"/no/such/{number}.png") for number in range(3)]
    assert list(images(paths)) == [None] * 3
    assert len(started) == len(reports) == 3
    assert all("is left out: the process that parses it" in report for report in reports)


def test_who_ends_before_it_parsed_anything_blames_no_picture(monkeypatch, reports) -> None:
    """As where NumPy starts threads, which would keep their rights."""
    started = []

    def start(*_: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["false"]))
        return started[-1]

    monkeypatch.setattr(process, "start", start)
    with pytest.raises(InputError, match="/no/such cannot be read: the process") as caught:
        list(images([Path("/no/such/1.png"), Path("/no/such/2.png")]))
    assert "--no-sandbox" in caught.value.hint
    assert (len(started), reports) == (1, [])


def test_who_may_start_no_thread_is_told_and_no_picture_blamed(monkeypatch, reports) -> None:
    monkeypatch.setattr(
        process, "BOOT", "import threading; threading.Thread.start = None; " + process.BOOT
    )
    with pytest.raises(InputError, match="the process that parses it ended with code 1") as caught:
        list(images([Path("/no/such/1.png")]))
    assert "more processes" in caught.value.hint

    def start(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    process._starter.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(InputError, match="does not start: Resource temporarily") as caught:
        list(images([Path("/no/such/1.png")]))
    assert "more processes" in caught.value.hint
    assert reports == []


def test_whatever_starts_no_process_is_raised(monkeypatch) -> None:
    monkeypatch.setattr(process, "_packages", lambda: ("a\0b",))
    with pytest.raises(ValueError, match="null byte"):
        process.start(0, 0)


def test_what_is_handed_over_is_in_memory_alone_and_gone_afterwards() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with apart.handed_over(b"one", b"two") as memory:
        assert os.pread(memory, 9, 0) == b"onetwo"
        assert "memfd" in os.readlink(f"/proc/self/fd/{memory}")  # noqa: PTH115
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
