"""Names of recordings, and files that are none: what they are read as, and how that ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from typing import NoReturn

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.sandbox import process
from sealshot.runtime.sources import open_source


def test_the_address_of_a_file_is_a_file(make_video, reports) -> None:
    path = make_video("a #1.avi")
    for address in (path.as_uri(), f"FILE://{path}"):
        with open_source(address) as source:
            assert (source.name, source.live) == (str(path), False)
            assert len(list(source)) == 20
    with pytest.raises(InputError, match="there is no file or folder /no/such"):
        open_source("file:///no/such.avi")


@pytest.mark.parametrize("sandbox", [True, False])
def test_what_waits_for_a_file_that_gives_no_more_can_be_ended(
    make_video, tmp_path, sandbox
) -> None:
    path = tmp_path / "stalled"
    os.mkfifo(path)
    frames, ended = [], threading.Event()

    def write() -> None:
        with path.open("wb") as file:
            file.write(make_video(frames=60).read_bytes()[:-2000])
            file.flush()
            ended.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    source = open_source(str(path), sandbox=sandbox)
    reader = threading.Thread(target=lambda: frames.extend(source))
    reader.start()
    reader.join(2)
    assert reader.is_alive()
    begun = time.monotonic()
    source.close()
    took_s = time.monotonic() - begun
    reader.join(5 * sandbox)
    assert reader.is_alive() != sandbox  # in this process nothing wakes FFmpeg
    ended.set()
    writer.join()
    reader.join(20)
    assert took_s < 5
    assert not reader.is_alive()
    assert source._reader is None  # freed by the thread that waited
    assert 5 < len(frames) < 60


def test_what_does_not_start_says_nothing_of_the_file(make_video, monkeypatch) -> None:
    def start(*_: object) -> NoReturn:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(process, "start", start)
    path = make_video()
    with pytest.raises(InputError) as caught:
        open_source(str(path))
    assert caught.value.fact == (
        f"{path} cannot be read: the process that would parse it does not start: "
        "Resource temporarily unavailable"
    )
    for way_out in ("processes", "`sealshot run --no-sandbox`", "sandbox = false in cameras.toml"):
        assert way_out in caught.value.hint
    path.write_bytes(bytes(4096))
    monkeypatch.undo()
    with pytest.raises(InputError, match="is not a video that FFmpeg can read: invalid data"):
        open_source(str(path))


def test_a_program_whose_standard_streams_are_closed_reads_too(make_video) -> None:
    code = "import os, sys; from sealshot.runtime.sources import open_source; "
    code += "os._exit(len(list(open_source(sys.argv[1]))))"
    command = ["sh", "-c", 'exec "$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run([*command, str(make_video(frames=7))]).returncode == 7
