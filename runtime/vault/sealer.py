"""Whom a camera seals to, and the sealing itself: a name in the vault, and bytes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sealshot.runtime.age import age
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.epochs import EpochKey, EpochKeys
from sealshot.runtime.seal.payload import Times
from sealshot.runtime.seal.quorum import Camera, seal_to_quorum
from sealshot.runtime.seal.times import epoch_of
from sealshot.runtime.vault.notices import Notices
from sealshot.runtime.vault.store import AGE, SEALED

KEYS_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SealedShot:
    """A shot, or originals, that only its recipients, or a quorum, can open."""

    name: str
    """In the vault: ``<epoch>/<id>.sealed`` or ``.age``."""
    data: bytes


class Sealer(Protocol):
    """Seals, in memory."""

    def seal(
        self, plain: bytes, times: Times, content: str = "shot", id: str | None = None
    ) -> SealedShot:
        """Seal a packed shot, or originals.

        Args:
            plain: what is sealed.
            times: when it was taken, and is sealed.
            content: what it is, see :data:`sealshot.runtime.seal.container.FORMATS`.
            id: 32 hexadecimal digits; None takes random ones.

        Raises:
            SealshotError: there is no key to seal to.
        """


class RecipientSealer:
    """Seals so that each of the recipients opens a shot alone."""

    def __init__(self, recipients: tuple[age.Recipient, ...]) -> None:
        self._recipients = recipients

    def seal(
        self, plain: bytes, times: Times, content: str = "shot", id: str | None = None
    ) -> SealedShot:
        """Seal; nothing outside of the seal tells what it is."""
        name = id or secrets.token_hex(16)
        data = age.encrypt(plain, self._recipients)
        return SealedShot(f"{epoch_of(times.sealed, 'day')}/{name}{AGE}", data)


class QuorumSealer:
    """Seals under the policy of a camera, to the key of the present epoch.

    Raises:
        InputError: there is no key to seal to at ``now``.
    """

    def __init__(self, camera: Camera, keys: EpochKeys, notices: Notices, now: datetime) -> None:
        self._camera, self._keys, self._notices = camera, keys, notices
        keys.prefetch(now, KEYS_AHEAD)
        self._epoch_key(now)

    def seal(
        self, plain: bytes, times: Times, content: str = "shot", id: str | None = None
    ) -> SealedShot:
        """Seal to the authorities and to the custodian's key of the epoch."""
        name, key = id or secrets.token_hex(16), self._epoch_key(times.sealed)
        data = seal_to_quorum(plain, self._camera, key, times.sealed, times.taken, name, content)
        return SealedShot(f"{key.epoch}/{name}{SEALED}", data)

    def _epoch_key(self, now: datetime) -> EpochKey:
        policy = self._camera.policy
        epoch, key = epoch_of(now, policy.epoch), self._keys.current(now)
        if key is None:
            raise InputError(
                f"there is no key for the epoch {epoch}, and none before it that still lives",
                hint=f"the custodian publishes at {policy.epoch_keys}: check it, the "
                "network and the clock",
            )
        late = key.epoch != epoch
        self._notices.tell(
            "epoch",
            f"there is no key for the epoch {epoch}: shots are sealed to that of {key.epoch}, and "
            "are forgotten as early as its own"
            if late
            else "",
        )
        return key
