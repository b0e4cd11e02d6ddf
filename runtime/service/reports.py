"""Telling how it goes: the state for `status`, alarms, events, the page; none of it stops a camera.

What cannot be opened, as a page whose port another program has, is told and tried again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sealshot import __version__
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.alarms import Watchman, since_boot_s
from sealshot.runtime.service.config import Config
from sealshot.runtime.service.events import Event, Outlet
from sealshot.runtime.service.outlets import Part, parts_of
from sealshot.runtime.service.state import Alarm, CameraState, State, write_state
from sealshot.runtime.service.web import Web

logger = logging.getLogger(__name__)

AGAIN_S = 30.0
"""After so long what could not be opened is tried again."""

TOLD_ELSEWHERE = {"camera-failing", "events-stuck"}
"""Alarms whose cause is in the log already."""


@dataclass
class _Told:
    """A part of the configuration, and what became of it."""

    part: Part
    opened: Outlet | Web | None = None
    problem: str = ""
    try_at: float = 0.0


class Reports:
    """Tells how a service goes.

    Args:
        config: says to whom.
        base: folder that paths in it start from.
        state_file: for `sealshot status`.
    """

    def __init__(self, config: Config, base: Path, state_file: Path) -> None:
        self._base, self._state_file = base, state_file
        self._watchman = Watchman(config.alarms)
        self._parts: list[_Told] = []
        self._phases: dict[str, str] = {}
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._file_problem = ""
        started = utc_now()
        self._state = State(
            version=__version__, pid=os.getpid(), started=started, written=started, cameras=()
        )
        self.apply(config)
        self.tell(Event(kind="service", state="started"))

    def apply(self, config: Config) -> None:
        """Take a new configuration; what it says as before goes on."""
        self._watchman.limits = config.alarms
        kept = {told.part[0]: told for told in self._parts}
        new: list[_Told] = []
        for part in parts_of(config, self._base):
            told = kept.get(part[0])
            if told is not None and told.part[1] == part[1]:
                new.append(told)
            else:
                new.append(_Told(part))
        for told in self._parts:
            if told.opened is not None and told not in new:
                told.opened.close()
        self._parts = new
        self._open()

    def person(self, camera: str) -> None:
        """Take that somebody was seen."""
        self.tell(Event(kind="person", camera=camera))

    def tell(self, event: Event) -> None:
        """Give an event to all outlets."""
        for outlet in self._outlets():
            outlet.tell(event)

    def show(self, cameras: Sequence[CameraState]) -> None:
        """Take how the cameras are, and tell what changed."""
        self._open()
        now = utc_now()
        problems = [told.problem for told in self._parts if told.problem]
        problems += [why for outlet in self._outlets() if (why := outlet.problem())]
        alarms = self._watchman.look(cameras, now, since_boot_s(), problems)
        self._state = msgspec.structs.replace(
            self._state, written=now, cameras=tuple(cameras), alarms=alarms
        )
        for event in self._changes(cameras, alarms):
            self.tell(event)
        for outlet in self._outlets():
            outlet.show(self._state)
        self._write()

    def close(self) -> None:
        """Tell the end, and let go of all."""
        self.tell(Event(kind="service", state="stopped"))
        for told in self._parts:
            if told.opened is not None:
                told.opened.close()
        self._state = msgspec.structs.replace(self._state, ended=utc_now())
        self._write()

    def _changes(self, cameras: Sequence[CameraState], alarms: Sequence[Alarm]) -> Iterator[Event]:
        for camera in cameras:
            if self._phases.get(camera.name) != camera.phase:
                self._phases[camera.name] = camera.phase
                yield Event(kind="camera", camera=camera.name, state=camera.phase)
        now = {(alarm.name, alarm.camera): alarm for alarm in alarms}
        before, self._alarms = self._alarms, now
        for key, alarm in now.items():
            if key not in before:
                if alarm.name not in TOLD_ELSEWHERE:
                    logger.warning("%s", alarm.sentence)
                yield Event(
                    kind="alarm",
                    camera=alarm.camera,
                    state="on",
                    alarm=alarm.name,
                    text=alarm.text,
                )
        for key, alarm in before.items():
            if key not in now:
                yield Event(kind="alarm", camera=alarm.camera, state="off", alarm=alarm.name)

    def _outlets(self) -> Iterator[Outlet]:
        for told in self._parts:
            if told.opened is not None and not isinstance(told.opened, Web):
                yield told.opened

    def _open(self) -> None:
        for told in self._parts:
            if told.opened is not None or time.monotonic() < told.try_at:
                continue
            where, _, read = told.part
            try:
                told.opened = read()(lambda: self._state)
                told.problem = ""
            except SealshotError as error:
                told.try_at = time.monotonic() + AGAIN_S
                problem = f"{'.'.join(map(str, where))}: {error.fact}"
                if problem != told.problem:
                    logger.warning("%s; it is tried again (hint: %s)", problem, error.hint)
                told.problem = problem

    def _write(self) -> None:
        try:
            write_state(self._state_file, self._state)
            self._file_problem = ""
        except SealshotError as error:  # a full disk ends no camera
            if error.fact != self._file_problem:
                logger.warning("%s (hint: %s)", error.fact, error.hint)
            self._file_problem = error.fact
