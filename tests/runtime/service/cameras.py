"""What the tests of a service share: cameras that do what a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from sealshot.runtime.errors import VaultError
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat
from sealshot.runtime.service.config import Camera, Config
from sealshot.runtime.service.station import Opened
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Sealing


def until(holds: Callable[[], object], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not come to this"
        time.sleep(0.02)


def shot(track: int, score: float = 1.0) -> Shot:
    image = np.zeros((8, 8, 3), np.uint8)
    return Shot(track, 0, 0.0, "2026-11-21T10:00:00Z", (0, 0, 8, 8), score, 50.0, 9, "best", image)


class Cameras:
    """Stands for the watching: each camera does what ``acts`` has for its source."""

    def __init__(self) -> None:
        self.acts: dict[str, Callable[..., object]] = {}
        self.watches: list[str] = []
        self.recorded: dict[str, Exception] = {}
        """Recordings, and what they break off with."""
        self.losing: set[str] = set()
        """Those whose shots find no room as they are stopped."""
        self.lock = threading.Lock()

    def run(self, settings, sealing, vault, *, picture, stop, connect):
        with self.lock:
            self.watches.append(settings.source)
        act = self.acts.get(settings.source)
        if act is not None and (failure := act()) is not None:
            raise failure
        live = settings.source not in self.recorded
        source = SimpleNamespace(name=settings.source, dropped=0, live=live)
        stages = SimpleNamespace(engine=SimpleNamespace(description="an engine"))
        sinks, due = connect(source, stages, lambda *_: "", str), (shot(1),)
        if not live:
            return SimpleNamespace(failure=self.recorded[settings.source])
        while not stop.is_set():
            for sink in sinks:
                sink.beat(Beat(0.0, (), due, 1))
            due = ()
            time.sleep(0.01)
        lost = VaultError("shots are lost") if settings.source in self.losing else None
        return SimpleNamespace(failure=lost)

    def opener(self, camera: Camera) -> Opened:
        assert camera.source is not None
        return Opened(Settings(camera.source), Sealing(), Path(camera.vault))


def config(*names: str) -> Config:
    return Config(camera={n: Camera(source=n, to=("age1",), vault=f"/none/{n}") for n in names})
