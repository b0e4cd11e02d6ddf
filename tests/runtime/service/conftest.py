"""A service whose cameras do what a test says."""

from __future__ import annotations

import pytest
from cameras import Cameras

from sealshot.runtime.service import station as stations


@pytest.fixture
def cameras(monkeypatch) -> Cameras:
    made = Cameras()
    monkeypatch.setattr(stations, "run", made.run)
    return made
