"""What is running, since when, and what is wrong: written for whoever asks, read by `status`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from sealshot.runtime.errors import InputError
from sealshot.runtime.files import file_error, write_atomic
from sealshot.runtime.seal.times import format_time, utc_now

FILE = "status.json"
LATE_S = 15.0
"""A state that is older was left by a service that hangs or was killed."""

Phase = Literal["starting", "running", "waiting", "resting", "ended", "stopped"]
"""``waiting``: it failed, and is tried again. ``resting``: it is outside of its hours. ``ended``: a
recording is over."""


class VaultState(Struct, frozen=True, kw_only=True):
    """What a vault shows to anybody who may read its folder."""

    objects: int
    bytes: int
    quota_bytes: int | None
    free_bytes: int
    """Of its file system."""
    waiting: int
    """Shots that no server has acknowledged, where they are uploaded."""
    oldest_waiting_s: float
    keys_days: float | None
    """For how long from now there are epoch keys; None without a policy."""
    checkpoint: datetime | None
    """When the log was last signed."""
    clock: str
    """What is wrong with the system's clock; empty if nothing."""


class CameraState(Struct, frozen=True, kw_only=True):
    """One camera."""

    name: str
    phase: Phase
    since: datetime
    """Of the phase."""
    problem: str
    """What went wrong last; empty while nothing is."""
    frames: int
    fps: float
    """Over the last ten seconds."""
    last_frame: datetime | None
    dropped: int
    people: int
    """Since the service started."""
    people_today: int
    """Of this day, UTC."""
    mean_score: float | None
    """Of the last people."""
    engine: str
    vault: VaultState | None
    """None until it was looked at."""
    public_pictures: int | None = None
    """Pictures of the public stream that were written since the start; None where there is none."""
    public_problem: str = ""
    """Why there are none at present."""


class Alarm(Struct, frozen=True):
    """Something that breaks the promise if nobody acts."""

    name: str
    """Such as ``upload-stuck``."""
    camera: str
    text: str
    since: datetime

    @property
    def sentence(self) -> str:
        """What it says, of which camera."""
        return f"{self.camera}: {self.text}" if self.camera else self.text


class State(Struct, frozen=True, kw_only=True):
    """A whole service."""

    version: str
    pid: int
    started: datetime
    written: datetime
    cameras: tuple[CameraState, ...]
    alarms: tuple[Alarm, ...] = ()
    ended: datetime | None = None
    """When it ended by itself or was stopped; None while it runs, and where it was killed."""

    def age_s(self, now: datetime) -> float:
        """Return how old it is."""
        return (now - self.written).total_seconds()


def default_file() -> Path:
    """Return where a service of this user writes its state: what is gone after a restart."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder and os.geteuid() and (user := os.environ.get("XDG_RUNTIME_DIR")):
        folder = f"{user}/sealshot"
    return Path(folder or "/run/sealshot") / FILE


def write_state(file: Path, state: State) -> None:
    """Write a state so that a reader sees all of it or the one before.

    Raises:
        SealshotError: it cannot be written.
    """
    try:
        write_atomic(file, msgspec.json.encode(state), mode=0o644)
    except OSError as error:
        raise file_error(f"cannot write the state {file}", error, "make room there") from error


def read_state(file: Path) -> State:
    """Read a state, however old it is.

    Raises:
        InputError: there is none.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        raise InputError(
            f"no service writes {file}",
            hint="start `sealshot serve`; --state names the file of another one",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}", hint="check path and rights"
        ) from None
    except msgspec.MsgspecError:
        raise InputError(
            f"{file} is no state of a service of this version", hint="restart the service"
        ) from None


def wrongs(state: State, now: datetime | None = None) -> list[str]:
    """Return what is wrong, one sentence each; nothing where all is well."""
    age_s = state.age_s(now or utc_now())
    late = []
    if state.ended is None and age_s > LATE_S:
        since = f"since {format_time(state.written)}, for {age_s:.0f} s"
        late = [f"the service has not told its state {since}: it hangs or was killed"]
    cameras = [f"{each.name}: {each.problem}" for each in state.cameras if each.problem]
    return (
        late
        + cameras
        + [alarm.sentence for alarm in state.alarms if alarm.name != "camera-failing"]
    )
