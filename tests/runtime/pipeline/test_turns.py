"""Cameras take turns: few at a time, and first that which has had least."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import replace

import pytest

from sealshot.runtime.errors import SourceError
from sealshot.runtime.pipeline.many import Camera, watch_many
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.turns import TURNS, Turn, Turns
from sealshot.runtime.pipeline.watch import watch


def work(seconds: float) -> None:
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def until_waiting(turns: Turns, count: int) -> None:
    while True:
        with turns.lock:
            if len(turns.waiting) == count:
                return
        time.sleep(0.001)


def test_no_more_work_at_once_than_there_are_places() -> None:
    turns, most, now, lock = Turns(2), [0], [0], threading.Lock()

    def camera() -> None:
        turn = Turn(turns)
        for _ in range(20):
            with turn.taken():
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                time.sleep(0.001)
                with lock:
                    now[0] -= 1

    threads = [threading.Thread(target=camera) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]
    assert (turns.free, turns.waiting) == (2, [])


def test_who_has_had_least_goes_on_first() -> None:
    turns, order = Turns(1), list[str]()
    dear, cheap, holder = Turn(turns), Turn(turns), Turn(turns)
    with dear.taken():
        work(0.05)
    with cheap.taken():
        work(0.001)

    def wait(turn: Turn, name: str) -> None:
        with turn.taken():
            order.append(name)

    with holder.taken():
        waiting = [
            threading.Thread(target=wait, args=one) for one in ((dear, "dear"), (cheap, "cheap"))
        ]
        for count, thread in enumerate(waiting, start=1):
            thread.start()
            until_waiting(turns, count)
    for thread in waiting:
        thread.join()
    assert order == ["cheap", "dear"]


def test_who_had_nothing_to_do_has_nothing_in_store() -> None:
    turns = Turns(1)
    busy, idle = Turn(turns), Turn(turns)
    for _ in range(3):
        with busy.taken():
            work(0.01)
    with idle.taken():
        assert idle.start_s >= 0.02


class Failing(Sink):
    def seen(self, _) -> None:
        raise SourceError("the disk is full")


def test_a_camera_that_fails_gives_its_turn_back(script, stages) -> None:
    before = TURNS.free
    cameras = [
        Camera(script((0.0, 1), (0.1, 1)), replace(stages(), alone=False), [Failing()])
        for _ in range(before + 1)
    ]
    done = watch_many(cameras)
    assert [str(one.failure) for one in done] == ["the disk is full"] * len(cameras)
    assert TURNS.free == before


def test_who_waits_for_a_disk_holds_up_no_other(script, stages) -> None:
    done, waited = threading.Event(), list[bool]()

    class Slow(Sink):
        def seen(self, _) -> None:
            waited.append(done.wait(20))

    class Quick(Sink):
        def end(self, _) -> None:
            done.set()

    sinks: list[Sink] = [*(Slow() for _ in range(TURNS.free)), Quick()]
    frames = [(n / 10, 1) for n in range(3)]
    watch_many([Camera(script(*frames), replace(stages(), alone=False), [sink]) for sink in sinks])
    assert waited
    assert all(waited)


@pytest.mark.parametrize("alone", [True, False])
def test_no_picture_is_held_while_the_next_is_waited_for(script, stages, alone) -> None:
    pictures, held = list[weakref.ref](), list[int]()

    class Noting(Sink):
        def seen(self, seen) -> None:
            pictures.append(weakref.ref(seen.frame.image))

    def look() -> None:
        end_s = time.monotonic() + 10
        while len(pictures) < 2 and time.monotonic() < end_s:
            time.sleep(0.01)  # where they are looked at in another thread
        time.sleep(0.1)
        held.append(sum(one() is not None for one in pictures))

    source = script((0.0, 1), (0.1, 1), look, (0.2, 1))
    watch(source, replace(stages(), alone=alone), [Noting()])
    assert held == [0]
