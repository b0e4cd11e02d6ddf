"""When a running camera looks for a new version of its policy: at each turn of an epoch.

So a new custodian begins with an epoch of its own. A version that cannot take force is told, looked
at again every ten minutes, and the one before it goes on: what it seals only its own quorum opens.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.quorum import Camera
from sealshot.runtime.seal.times import epoch_of
from sealshot.runtime.vault.notices import Notices
from sealshot.runtime.vault.record import Record
from sealshot.runtime.vault.sealer import QuorumSealer

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 600.0


class Turns:
    """Looks for new versions.

    Args:
        camera: who seals, under the version in force.
        read: returns the epoch keys of the newest version that is there.
        record: of its vault.
        notices: where warnings go.
        now: the time.
    """

    def __init__(
        self,
        camera: Camera,
        read: Callable[[], EpochKeys],
        record: Record,
        notices: Notices,
        now: datetime,
    ) -> None:
        self.camera, self._read, self._record, self._notices = camera, read, record, notices
        self._epoch = epoch_of(now, camera.policy.epoch)
        self._look_at: float | None = None

    def take(self, now: datetime) -> QuorumSealer | None:
        """Return what seals under a new version, which the log knows then; None of no new one."""
        epoch = epoch_of(now, self.camera.policy.epoch)
        failed = self._look_at is not None and time.monotonic() >= self._look_at
        if epoch == self._epoch and not failed:
            return None
        self._epoch, self._look_at = epoch, None
        try:
            keys = self._read()
            self._record.check_policy(keys.policy)
            if keys.policy.version == self.camera.policy.version:
                self._notices.tell("policy", "")
                return None
            camera = replace(self.camera, policy=keys.policy)
            sealer = QuorumSealer(camera, keys, self._notices, now)
            self._record.log_policy(camera.policy, now)
        except SealshotError as error:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            self._notices.tell(
                "policy",
                f"version {self.camera.policy.version} of the policy stays in force: {error.fact} "
                f"(hint: {error.hint})",
            )
            return None
        self._notices.tell("policy", "")
        self.camera = camera
        logger.info("version %d of the policy is in force", camera.policy.version)
        return sealer
