"""Fixtures of the tests of faults: a place to break writers in, and the tools for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from yard import Order, Yard


@pytest.fixture(scope="session")
def strace() -> None:
    """Ask for strace, with the right to attach to a process."""
    reason = "`strace` is not installed (apt-get install strace)"
    if shutil.which("strace"):
        with subprocess.Popen(["sleep", "9"]) as target:
            time.sleep(0.05)
            done = subprocess.Popen(
                ["strace", "-p", str(target.pid)], stderr=subprocess.PIPE, text=True
            )
            assert done.stderr is not None
            reason = done.stderr.readline()
            target.kill()
            done.communicate()
    if "attached" not in reason:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory, parties: Any) -> Iterator[Yard]:
    """Where writers are broken."""
    yard = Yard(tmp_path_factory.mktemp("faults"), parties)
    yield yard
    yard.close()


@pytest.fixture
def order(yard: Yard) -> Iterator[Order]:
    """An order on a vault of its own, with a quota that its last step exceeds."""
    vault = yard.new_vault()
    yield Order(vault, quota_bytes=int(5.5 * yard.object_bytes))
    shutil.rmtree(vault)


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print figures past pytest's capture, for whoever quotes them."""

    def say(text: str) -> None:
        with capfd.disabled():
            print(f"\n{text}")

    return say
