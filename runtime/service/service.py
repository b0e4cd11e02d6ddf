"""A service: its cameras, each for itself, and the round that looks after them."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_folder
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.service.config import Camera, Config
from sealshot.runtime.service.events import Event
from sealshot.runtime.service.notify import Notify
from sealshot.runtime.service.reports import Reports
from sealshot.runtime.service.state import CameraState
from sealshot.runtime.service.station import Opened, Opener, Station

logger = logging.getLogger(__name__)

ROUND_S = 0.5
TELL_EVERY_S = 2.0
STOP_S = 75.0
"""How long a stop waits for who is in view to be sealed, and for uploads; systemd waits longer."""
MOVING_S = 10.0
"""A watch that took no item for so long does not move."""
STUCK_S = 120.0
STUCK_STARTING_S = 900.0
"""A camera that hangs for so long is healed by a new process alone: the others are sealed first."""


class Service:
    """Watches the cameras of a configuration until it is stopped.

    Args:
        config: what to watch.
        opener: reads the files that a camera's part names.
        state_file: where it is told how it goes.
        base: folder that paths in the configuration start from.
    """

    def __init__(
        self, config: Config, opener: Opener, state_file: Path, base: Path = Path()
    ) -> None:
        self._config, self._opener, self._state_file = config, opener, state_file
        self._base = base
        self._reports: Reports | None = None
        self._stations: dict[str, Station] = {}
        self._notify = Notify()
        self._ready = False
        self._tell_at = 0.0

    def run(self, stop: Stop, reload: Callable[[], Config | None]) -> int:
        """Watch until all cameras have ended or somebody stops it.

        Args:
            stop: set by signals.
            reload: gives a new configuration once it is asked for, else None.

        Returns:
            The exit code: 1 where a camera hung, a recording broke off, or a stop lost a shot.
        """
        code = 0
        with stop.heeded():
            self._reports = Reports(self._config, self._base, self._state_file)
            self._apply(self._config)
            while not stop.is_set() and not self._all_over():
                config = reload()
                if config is not None:
                    self._notify.reloading()
                    self._reports.apply(config)
                    self._apply(config)
                    self._reports.tell(Event(kind="service", state="reloaded"))
                    self._ready = False
                stuck = self._round()
                if stuck:
                    logger.error("camera %s hangs: the service ends, to be started again", stuck)
                    code = 1
                    break
                time.sleep(ROUND_S)
            self._notify.stopping()
            left = self._stop(list(self._stations.values()))
            self._tell()
            self._reports.close()
        failed = any(station.failed for station in self._stations.values())
        return 1 if left or failed else code

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from telling their state in the same file while the block runs.

        Raises:
            InputError: another service does, or there is no such place.
        """
        folder = self._state_file.parent
        make_folder(folder, "name another file with --state")
        try:
            lock = os.open(folder / f".{self._state_file.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InputError(
                f"cannot write into {folder}: {error.strerror}",
                hint="name another file with --state",
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise InputError(
                f"another service tells its state in {self._state_file}",
                hint="stop it, or name another file with --state",
            ) from None
        finally:
            os.close(lock)

    def cameras(self) -> tuple[CameraState, ...]:
        """Return how they are."""
        return tuple(station.state() for station in self._stations.values())

    def _open(self, camera: Camera) -> Opened:
        """Open one of as many cameras as there are now."""
        opened = self._opener(camera)
        settings = replace(opened.settings, cameras=len(self._config.camera))
        return replace(opened, settings=settings)

    def _apply(self, config: Config) -> None:
        """Start what is new, end what is gone; a camera whose part is the same goes on."""
        self._config = config
        gone = [s for n, s in self._stations.items() if config.camera.get(n) != s.camera]
        self._stop(gone)
        kept = {n: s for n, s in self._stations.items() if s not in gone}
        self._stations = {}
        for name, camera in config.camera.items():
            station = kept.get(name)
            if station is None:
                station = Station(name, camera, self._open, self._on_person)
                station.start()
            self._stations[name] = station

    def _stop(self, stations: list[Station]) -> list[str]:
        """Stop some stations; return the names of those that did not end in time."""
        for station in stations:
            station.stop()
        until, left = time.monotonic() + STOP_S, []
        for station in stations:
            if not station.join(until - time.monotonic()):
                logger.error("camera %s did not end in %.0f s", station.name, STOP_S)
                left.append(station.name)
        return left

    def _all_over(self) -> bool:
        return all(station.phase == "ended" for station in self._stations.values())

    def _round(self) -> str:
        """Look after everybody; return the name of a camera that hangs."""
        stations = list(self._stations.values())
        if not self._ready and all(station.phase != "starting" for station in stations):
            self._ready = True
            self._notify.ready(self._summary())
        watching = [station for station in stations if station.phase in ("starting", "running")]
        if not watching or min(station.still_s() for station in watching) < MOVING_S:
            self._notify.feed()
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_EVERY_S
            self._tell()
        for station in watching:
            limit_s = STUCK_S if station.phase == "running" else STUCK_STARTING_S
            if station.still_s() > limit_s:
                return station.name
        return ""

    def _tell(self) -> None:
        if self._ready:
            self._notify.status(self._summary())
        if self._reports is not None:
            self._reports.show(self.cameras())

    def _summary(self) -> str:
        stations = self._stations.values()
        running = sum(station.phase == "running" for station in stations)
        people = sum(station.tally.people for station in stations)
        return f"{running} of {len(stations)} cameras running, people so far: {people}"

    def _on_person(self, camera: str) -> None:
        """Take that somebody was seen."""
        if self._reports is not None:
            self._reports.person(camera)
