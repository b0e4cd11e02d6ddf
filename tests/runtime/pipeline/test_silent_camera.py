"""A real stream that is cut while two people are in view: time goes on without it."""

from __future__ import annotations

import errno
import threading
import time
from datetime import timedelta
from pathlib import Path

from sealshot.runtime.errors import VaultError
from sealshot.runtime.pipeline.run import run
from sealshot.runtime.pipeline.settings import Emit, Settings
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.times import epoch_of, utc_now
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.vault.store import Vault

LOST_S = 1.0
"""The default tracker takes who is away for longer as gone: then the shot is due."""


def wait_for(condition, limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_silent_camera_stops_no_clock(camera, identity, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.5)
    vault, stop, now = tmp_path / "vault", Stop(), utc_now()
    today, yesterday = (epoch_of(now - timedelta(days), "day") for days in (0, 1))
    older, over = vault / yesterday / f"{1:032x}.age", vault / "2020-01-01" / f"{2:032x}.age"
    older.parent.mkdir(parents=True)
    older.write_bytes(bytes(10**6))
    settings = Settings(camera.address, emit=Emit("end"))
    sealing = Sealing(
        recipients=(identity.recipient,),
        retention=timedelta(7),
        quota_bytes=10**6 + 10_000,  # room for the older one, and for no shot beside it
    )
    summaries = []
    watching = threading.Thread(
        target=lambda: summaries.append(run(settings, sealing, vault, stop=stop))
    )
    watching.start()
    try:
        assert wait_for(lambda: camera.cut_at is not None, 60)
        assert older.exists()
        assert not list((vault / today).glob("*.age"))  # both are in view: nothing is due
        over.parent.mkdir()
        over.write_bytes(b"as of a run that was ill")
        assert wait_for(lambda: len(list((vault / today).glob("*.age"))) == 2, 20)
        assert wait_for(lambda: not over.exists(), 5)
    finally:
        stop.set()
        watching.join(30)
    assert not older.exists()  # the quota took it
    sealed_at = [path.stat().st_mtime for path in (vault / today).glob("*.age")]
    late_s = [at - camera.cut_at - LOST_S for at in sealed_at]
    assert max(late_s) < 2
    (summary,) = summaries
    assert summary.people_seen == 2
    assert summary.interrupted


def test_who_is_lost_to_a_disk_that_is_full_to_the_end_is_told(
    camera, identity, tmp_path: Path, monkeypatch
) -> None:
    def store(*_: object, **__: object) -> str:
        raise VaultError("no room", "free some") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Vault, "store", store)
    settings = Settings(camera.address, stop_after_s=2.0)
    summary = run(settings, Sealing(recipients=(identity.recipient,)), tmp_path / "vault")
    assert (summary.people, summary.people_seen) == ((), 0)
    assert summary.failure is not None
    assert summary.failure.fact.endswith("had no room: sealed shots that are lost: 2")
