"""A public stream beside a watch: what fails, what a kill leaves, what a quota takes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.sinks import End, Seen
from sealshot.runtime.public.hiding import Hiding
from sealshot.runtime.public.restore import messages_in_packets
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.service import public as publics
from sealshot.runtime.service.public import Public, PublicFolder
from sealshot.runtime.types import Face, Frame, Image, Tracks

TEN = datetime(2026, 11, 21, 10, tzinfo=timezone.utc)
END = End((), (), 0, False, None)


class Nobody:
    def detect(self, _image: Image) -> list:
        return []


class Somebody:
    def detect(self, _image: Image) -> list[Face]:
        return [Face(np.float32([40, 40, 90, 100]), 0.9, np.zeros((5, 2), np.float32))]


def seen(index: int) -> Seen:
    image = np.random.default_rng(index).integers(0, 255, (128, 160, 3)).astype(np.uint8)
    return Seen(Frame(index, index / 25, image), Tracks((), ()), np.empty(0), (), 0)


def sink(path: Path) -> PublicSink:
    return PublicSink(path, "h264", [Nobody()], Hiding())


def test_a_stream_that_fails_ends_no_watch_and_is_begun_again(tmp_path, monkeypatch) -> None:
    folders = [tmp_path / "none", tmp_path]
    public = Public()
    public.begin(lambda: sink(folders.pop(0) / "a.mkv"))
    monkeypatch.setattr(publics, "AGAIN_S", 1e9)
    index = 0
    while not public.problem:  # it is told with a later picture
        public.seen(seen(index))
        index += 1
    assert "none" in public.problem
    public._again_at = 0.0
    for later in range(index, index + 40):
        public.seen(seen(later))
    assert public.problem == ""
    public.end(END)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mkv"]
    assert public.pictures == 40


def test_what_cannot_even_begin_is_told(monkeypatch) -> None:
    def make() -> PublicSink:
        raise SealshotError("there is no such model")

    public = Public()
    public.begin(make)
    public.seen(seen(0))
    assert (public.problem, public.pictures) == ("there is no such model", 0)


def test_a_kill_leaves_the_hour_up_to_then(tmp_path) -> None:
    whole, cut = sink(tmp_path / "a.mkv"), tmp_path / "2026-11-21T10-00-00Z.mkv.part"
    for index in range(100):
        whole.seen(seen(index))
    whole.end(END)
    cut.write_bytes((tmp_path / "a.mkv").read_bytes()[: -(64 << 10)])
    PublicFolder(tmp_path, None).begin()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "2026-11-21T10-00-00Z.mkv",
        "a.mkv",
    ]


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
def test_a_full_disk_leaves_the_hour_up_to_then_and_what_it_covers(small_disk, monkeypatch) -> None:
    monkeypatch.setattr(publics, "AGAIN_S", 1e9)
    files, sealed = PublicFolder(small_disk, None), []

    def make() -> PublicSink:
        files.begin()
        first = files.file(TEN)
        detectors, seal = [Somebody()], lambda part, _: sealed.append(part) or ""
        return PublicSink(first, "h264", detectors, Hiding(), 25.0, seal, files.file)

    public = Public()
    public.begin(make)
    index = 0
    while not public.problem:
        public.seen(seen(index))
        index += 1
    assert "No space left on device" in public.problem
    [left] = small_disk.iterdir()
    assert left.name == "2026-11-21T10-00-00Z.mkv.part"
    assert sealed
    public._again_at = 0.0
    public.seen(seen(index))
    public.end(END)
    kept = small_disk / "2026-11-21T10-00-00Z.mkv"
    shown = [message for _, message in messages_in_packets(kept)]
    assert 10 < len(shown) <= index
    assert all(message.regions for message in shown)
    named = {number for message in shown for number, *_ in message.parts}
    assert named
    assert named <= {part.part for part in sealed}


def test_the_oldest_files_go_above_the_quota(tmp_path) -> None:
    folder = PublicFolder(tmp_path / "p", 250)
    folder.begin()
    for hour in range(5):
        folder.file(TEN + timedelta(hours=hour)).write_bytes(bytes(100))
    (tmp_path / "p" / "notes.txt").write_bytes(bytes(1000))
    assert folder.file(TEN + timedelta(hours=4)).name == "2026-11-21T14-00-00Z_1.mkv"
    left = sorted(file.name for file in (tmp_path / "p").iterdir())
    assert left == ["2026-11-21T13-00-00Z.mkv", "2026-11-21T14-00-00Z.mkv", "notes.txt"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "p").write_text("a file")
    with pytest.raises(SealshotError, match="p"):
        PublicFolder(tmp_path / "p", None).begin()
