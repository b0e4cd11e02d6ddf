"""A process that parses and was taken over says what it likes: it is not believed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading

import numpy as np
import pytest

from sealshot.runtime.sandbox import process
from sealshot.runtime.sandbox.messages import (
    Guards,
    Need,
    Opened,
    Raw,
    Ready,
    Shown,
    pack,
    unpack,
)
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.raw import raw_of
from sealshot.runtime.sources.reader import NoVideoError

SHOWN = Shown(4, 3, 12, 0, base=(1, 25))
FORM = Raw(b"yuv420p", 4, 2, planes=((8, 4), (2, 2), (2, 2)))


def planar(form: Raw = FORM, **other: int) -> list[Need | Shown]:
    """A picture that is its planes."""
    return [Need(64), Shown(4, 2, 0, 0, base=(1, 25), raw=form)._replace(**other)]


LIES = {
    "a larger picture": [Need(64), SHOWN._replace(height=10**6)],
    "rows that are too short": [Need(64), SHOWN._replace(stride=11)],
    "no pixel": [Need(64), SHOWN._replace(width=0)],
    "no room": [SHOWN],
    "a terabyte": [Need(1 << 40)],
    "another format": [Need(64), SHOWN._replace(raw=Raw(b"nonsense", 4, 3))],
    "planes that are too large": [
        Need(64),
        SHOWN._replace(raw=Raw(b"gray", 4, 3, planes=((1 << 20, 4),))),
    ],
    "planes that are too many": [
        Need(64),
        SHOWN._replace(raw=Raw(b"gray", 4, 3, planes=((12, 4), (12, 4)))),
    ],
    "no planes": planar(Raw()),
    "planes of another picture": planar(FORM._replace(width=8)),
    "planes of another form": planar(FORM._replace(format=b"yuv444p")),
    "planes of half a pixel": planar(FORM._replace(height=3), height=3),
    "planes that are turned": planar(turn=1),
    "too few planes": planar(FORM._replace(planes=FORM.planes[:2])),
    "planes with rows that are too short": planar(FORM._replace(planes=((8, 3), (2, 2), (2, 2)))),
    "planes with too few rows": planar(FORM._replace(planes=((8, 4), (2, 2), (1, 2)))),
    "planes behind the memory": planar(FORM._replace(planes=((8, 4), (1 << 20, 2), (2, 2)))),
    "a second answer": [Opened(True, False, b"", 25.0, 1.0, 1, 0.0)],
    "a picture to be asked for": [Ready(0, (1, 25), 0, moves=True)],
    "bytes": [b"\x07" * 40],
    "nothing": [b"\x03"],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_cannot_be_is_not_believed(monkeypatch, lie) -> None:
    """A process that was taken over says what it likes: it is stopped, and nothing is given out."""

    def start(line: int, memory: int, _: object) -> subprocess.Popen[bytes]:
        end = socket.socket(fileno=os.dup(line))
        messages = [Guards(True, True), Opened(True, False, b"x", 25.0, 1.0, 1, 0.0), *lie]

        def say() -> None:
            for one in messages:
                end.send(one if isinstance(one, bytes) else pack(one))
            end.recv(8), end.recv(8)

        threading.Thread(target=say, daemon=True).start()
        return subprocess.Popen(["sleep", "60"])

    monkeypatch.setattr(process, "start", start)
    reader = open_media("/no/such/file")
    with pytest.raises(NoVideoError, match=r"says what cannot be|one of its pictures takes"):
        reader.read()
    reader.close()
    assert reader._process.returncode == -signal.SIGKILL


def test_no_number_of_a_colour_is_one_that_a_frame_cannot_take() -> None:
    """A negative one is an error that nobody waits for."""
    said = unpack(pack(SHOWN)[:1] + b"\xff" * (len(pack(SHOWN)) - 1))
    assert isinstance(said, Shown)
    raw = said.raw._replace(format=b"gray", width=4, height=3, planes=((12, 4),))
    assert raw_of(raw, np.zeros(12, np.uint8), Turn()).frame.width == 4
