"""Names of recordings, and files that are none: what they are read as, and how that ends."""

from __future__ import annotations

import os
import threading
import time

import pytest

from sealshot.runtime.errors import InputError
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
    ended.set()
    writer.join()
    reader.join(20)
    assert took_s < 5
    assert not reader.is_alive()
    assert source._reader is None  # freed by the thread that waited
    assert 5 < len(frames) < 60
