"""Running an iterator ahead of its reader."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.sources import ahead


def threads() -> int:
    return sum(t.name == "sealshot-ahead" for t in threading.enumerate())


@given(st.lists(st.integers()), st.integers(0, 5))
def test_the_items_come_in_order(items: list[int], depth: int) -> None:
    with ahead(items, depth) as running:
        assert list(running) == items
    assert threads() == 0


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_it_runs_at_most_depth_items_ahead(depth: int) -> None:
    made = 0

    def count() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    with ahead(count(), depth) as running:
        assert next(running) == 1
        time.sleep(0.1)
        assert made == 1 + depth + 1  # taken, waiting, and the one that was made meanwhile
    assert threads() == 0


def test_making_and_using_overlap() -> None:
    def slow() -> Iterator[int]:
        for i in range(10):
            time.sleep(0.02)
            yield i

    start = time.monotonic()
    with ahead(slow(), 2) as running:
        for _ in running:
            time.sleep(0.02)
    assert time.monotonic() - start < 0.34  # 0.4 one after the other


def test_an_exception_arrives_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    with ahead(failing(), 5) as running:
        assert [next(running), next(running)] == [1, 2]
        with pytest.raises(ValueError, match="broken"):
            next(running)
        assert list(running) == []  # once


def test_closing_early_ends_the_thread_and_closes_the_generator() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with ahead(endless(), 2) as running:
        next(running)
    assert closed.is_set()
    assert threads() == 0
    assert list(running) == []
    running.close()


def test_interrupt_wakes_a_source_that_waits() -> None:
    wake = threading.Event()

    def waiting() -> Iterator[int]:
        yield 1
        wake.wait(30)

    start = time.monotonic()
    with ahead(waiting(), 2, interrupt=wake.set) as running:
        next(running)
    assert time.monotonic() - start < 5
    assert threads() == 0


def test_depth_must_not_be_negative() -> None:
    with pytest.raises(ValueError, match="depth"):
        ahead([], -1)


CTRL_C = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
from sealshot.runtime.sources import ahead
def slow():
    while True:
        time.sleep(0.01)
        yield 1
try:
    with ahead(slow(), 4) as running:
        for i, _ in enumerate(running):
            if i == 5:
                print("running", flush=True)
            time.sleep(0.02)
except KeyboardInterrupt:
    print("clean", flush=True)
"""


def test_ctrl_c_reaches_the_reader_and_leaves_nothing_behind() -> None:
    process = subprocess.Popen([sys.executable, "-c", CTRL_C], stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "clean\n", "")
