"""What a process takes: with what it starts, and each page once."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from sealshot.benchmarks.conditions.process import Most, cpu_s, ran, resident_mb, tree
from sealshot.runtime.errors import SealshotError

MB = 1_000_000
TWO = """
import mmap, os, subprocess, sys, time
with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 0)
    sum(shared[::4096])
    if len(sys.argv) == 2:
        child = subprocess.Popen([sys.executable, "-c", os.environ["CODE"], sys.argv[1], "child"])
        own = bytearray(60_000_000)
        own[::4096] = b"x" * len(own[::4096])
        while time.process_time() < .3: pass
        child.wait()
    else:
        time.sleep(1.5)
print("said")
"""


def test_all_processes_count_and_what_they_share_counts_once(tmp_path):
    file = tmp_path / "shared"
    file.write_bytes(os.urandom(80 * MB))
    once = ran(
        "it",
        [sys.executable, "-c", TWO, str(file)],
        tmp_path,
        os.environ | {"CODE": TWO},
        "do not",
    )
    assert once.said == "said\n" * 2
    assert once.cpu_s >= 0.3
    assert once.seconds >= 1.5
    assert once.peak_mb > 80 + 80 + 60  # the file, twice
    assert 80 + 60 < once.once_mb < once.peak_mb - 60


def test_what_fails_is_told(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no paper')"]
    with pytest.raises(SealshotError, match="the printer ended with 1: no paper"):
        ran("the printer", command, tmp_path, os.environ, "get some")


def test_a_process_that_ended_has_none():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert tree(done.pid) == [done.pid]
    assert resident_mb([done.pid]) == cpu_s([done.pid]) == 0


def test_the_most_of_all_counts_is_kept():
    with Most() as most:
        before = resident_mb([os.getpid()])
        held = os.urandom(100 * MB)
        until_s = time.monotonic() + 60
        while (counted := most.mb) < before + 60 and time.monotonic() < until_s:
            time.sleep(0.01)
        del held
    assert before + 60 < counted <= most.mb
