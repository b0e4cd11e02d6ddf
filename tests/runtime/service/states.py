"""States of a service, as tests want them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import msgspec

from sealshot.runtime.service.state import Alarm, CameraState, State, VaultState

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def a_vault(**more: object) -> VaultState:
    vault = VaultState(
        objects=12,
        bytes=240_000,
        quota_bytes=1_000_000,
        free_bytes=10**11,
        waiting=0,
        oldest_waiting_s=0.0,
        keys_days=6.5,
        checkpoint=NOW,
        clock="",
    )
    return msgspec.structs.replace(vault, **more)


def a_camera(name: str = "north", **more: object) -> CameraState:
    camera = CameraState(
        name=name,
        phase="running",
        since=NOW,
        problem="",
        frames=250,
        fps=25.0,
        last_frame=NOW,
        dropped=1,
        people=3,
        people_today=2,
        mean_score=0.3,
        engine="an engine",
        vault=a_vault(),
    )
    return msgspec.structs.replace(camera, **more)


def a_state(*cameras: CameraState, alarms: tuple[Alarm, ...] = ()) -> State:
    started = NOW - timedelta(days=1)
    return State(version="1.2", pid=7, started=started, written=NOW, cameras=cameras, alarms=alarms)
