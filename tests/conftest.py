"""What tests share: where the development data lies, and how a test asks for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
