"""Shots are sealed beside the frames, and none of them is lost or out of order."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sealshot.runtime.errors import VaultError
from sealshot.runtime.pipeline.sealing import WAITING, VaultSink
from sealshot.runtime.pipeline.sinks import Beat, End
from sealshot.runtime.pipeline.stages import Stopwatch
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.types import Shot

BOX = (0.0, 0.0, 8.0, 8.0)
PIXELS = np.zeros((8, 8, 3), np.uint8)


class Disk:
    """A keeper whose disk waits until it is let go."""

    def __init__(self) -> None:
        self.free, self.done = threading.Event(), list[str]()
        self.failure: VaultError | None = None

    def tick(self) -> None:
        self.done.append("tick")

    def put(self, shot: Shot, _origin: object, _picture: str, replaces: str | None) -> str:
        assert self.free.wait(30)
        if self.failure:
            raise self.failure
        self.done.append(f"{shot.track} for {replaces}")
        return f"id {shot.track} {shot.frame}"

    def put_originals(self, *_: object) -> str:
        self.done.append("originals")
        return "originals"


def beat(*due: Shot) -> Beat:
    return Beat(0.0, (), due, 0)


def shot(track: int, frame: int = 0) -> Shot:
    return Shot(track, frame, 0.0, "2026-11-30T12:00:00Z", BOX, 0.3, 50.0, 9, "best", PIXELS)


@pytest.fixture
def disk():
    disk = Disk()
    yield disk
    disk.free.set()


@pytest.fixture
def sink(disk: Any):
    sink = VaultSink(disk, Origin("a", "quality", "0" * 64), "jpg", Stopwatch())
    yield sink
    disk.free.set()
    sink.close()


def end(*due: Shot) -> End:
    return End((), due, 0, interrupted=False, failure=None)


def test_frames_go_on_while_the_disk_works(disk: Disk, sink: VaultSink) -> None:
    sink.beat(beat(shot(1)))
    sink.beat(beat())
    sink.beat(beat(shot(2), shot(1, 5)))
    disk.free.set()
    sink.end(end(shot(3)))
    assert [said for said in disk.done if said != "tick"] == [
        "1 for None",
        "2 for None",
        "1 for id 1 0",
        "3 for None",
    ]
    assert sink.count == 3
    assert {track: one.object_id for track, one in sink.people.items()} == {
        1: "id 1 5",
        2: "id 2 0",
        3: "id 3 0",
    }


def test_no_more_wait_than_are_allowed(disk: Disk, sink: VaultSink) -> None:
    for track in range(WAITING):
        sink.beat(beat(shot(track)))
    one_more = threading.Thread(target=sink.beat, args=(beat(shot(99)),))
    one_more.start()
    one_more.join(0.2)
    assert one_more.is_alive()
    disk.free.set()
    one_more.join(30)
    assert not one_more.is_alive()


def test_time_is_kept_where_nothing_is_due(disk: Disk, sink: VaultSink) -> None:
    sink.beat(beat())
    assert disk.done == ["tick"]


def test_what_a_public_stream_covered_follows_what_was_due(disk: Disk, sink: VaultSink) -> None:
    threading.Timer(0.1, disk.free.set).start()
    sink.beat(beat(shot(1)))
    sink.put_originals(SimpleNamespace(), datetime.now(timezone.utc))  # type: ignore[arg-type]
    assert disk.done == ["tick", "1 for None", "originals"]


@pytest.mark.parametrize("call", [lambda sink: sink.beat(beat(shot(2))), lambda s: s.end(end())])
def test_what_fails_is_raised_later(disk: Disk, sink: VaultSink, call: Any) -> None:
    disk.failure = VaultError("the disk is full", "free some space")
    sink.beat(beat(shot(1)))
    waiting = sink._waiting[0]
    disk.free.set()
    assert waiting.exception(30) is disk.failure
    with pytest.raises(VaultError, match="full"):
        call(sink)
