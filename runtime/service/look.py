"""Looking at a vault from outside, as anybody may who can read its folder."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import epoch_end, next_epochs
from sealshot.runtime.service.state import VaultState
from sealshot.runtime.vault.clock import CLOCK, TrustedClock
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.sealer import KEYS_AHEAD
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.upload import SPOOL, waiting


def look_at(vault: Path, sealing: Sealing) -> VaultState:
    """Return what a vault shows; keys of the epochs to come are fetched where they can be.

    It may take long: a network file system, an address of keys that does not answer.

    Raises:
        SealshotError: it cannot be read.
    """
    objects = list_objects(vault)
    pending = waiting(vault) if sealing.delivery else []
    trusted = TrustedClock(vault / CLOCK).peek()
    camera, keys = sealing.camera, sealing.epoch_keys
    return VaultState(
        objects=len(objects),
        bytes=sum(found.bytes for found in objects),
        quota_bytes=sealing.quota_bytes,
        free_bytes=shutil.disk_usage(vault).free,
        waiting=len(pending),
        oldest_waiting_s=_age_of_oldest(vault / SPOOL, pending),
        keys_days=_days(keys, camera.policy, trusted.time) if keys and camera else None,
        checkpoint=_written(checkpoint_path(vault / LOG)),
        clock=trusted.warning,
    )


def _days(keys: EpochKeys, policy: Policy, now: datetime) -> float:
    """Return for how many days from now on there is a key for each epoch, at most a week."""
    keys.prefetch(now, KEYS_AHEAD)
    until = now
    for epoch in next_epochs(now, policy.epoch, KEYS_AHEAD):
        if keys.get(epoch) is None:
            break
        until = epoch_end(epoch)
    return (until - now) / timedelta(days=1)


def _age_of_oldest(spool: Path, pending: list[str]) -> float:
    marks = [spool / object_id.replace("/", "_", 1) for object_id in pending]
    times = [time_s for mark in marks if (time_s := _mtime(mark)) is not None]
    return max(0.0, time.time() - min(times)) if times else 0.0


def _written(file: Path) -> datetime | None:
    time_s = _mtime(file)
    return None if time_s is None else datetime.fromtimestamp(time_s, timezone.utc)


def _mtime(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:  # sent or replaced meanwhile
        return None
