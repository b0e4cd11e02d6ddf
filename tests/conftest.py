"""What tests share: where the development data lies, and how a test asks for it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("sealshot", deadline=None)  # a busy machine takes long
settings.load_profile("sealshot")


def shared_folder() -> Path:
    """The folder with `data/` and `models/`; $SEALSHOT_DATA names its `data/`."""
    named = os.environ.get("SEALSHOT_DATA")
    return Path(named).parent if named else ROOT.parent / "shared"


@pytest.fixture(scope="session")
def data() -> Path:
    """The development data; the test skips where it is absent (and fails in CI)."""
    return _present(shared_folder() / "data")


@pytest.fixture(scope="session")
def reference_models() -> Path:
    """The reference models beside the data."""
    return _present(shared_folder() / "models")


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        reason = f"no development data at {folder} (set $SEALSHOT_DATA)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


class _Collector(logging.Handler):
    """Keeps the sentences that a person would read."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """What sealshot logged so far in this test, from any thread."""
    collector, logger = _Collector(), logging.getLogger("sealshot")
    logger.addHandler(collector)
    yield collector.sentences
    logger.removeHandler(collector)


@dataclass(frozen=True)
class Demo:
    """What `sealshot demo` made."""

    folder: Path
    output: str

    @property
    def clip(self) -> Path:
        """A clip of two people."""
        return self.folder / "clip.avi"

    @property
    def key(self) -> Path:
        """An identity file."""
        return self.folder / "authority.key"

    @property
    def recipient(self) -> str:
        """The recipient of :attr:`key`."""
        return self.key.read_text().partition("public key: ")[2].split()[0]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The folder that `sealshot demo` leaves; fails if the demo's own check does."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "sealshot", "demo", "-o", str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Demo(folder, done.stdout)
