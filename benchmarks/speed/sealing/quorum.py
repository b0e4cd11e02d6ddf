"""Sealing to a quorum as one operation, to be measured: all parties in one place, for once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sealshot.runtime.seal import quorum
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.day_keys import DayKeys, enrol
from sealshot.runtime.seal.epochs import EpochKey, EpochKeys, publish
from sealshot.runtime.seal.keys import PrivateKey
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import epoch_of, utc_now
from sealshot.runtime.vault.keeper import Sealing

AUTHORITIES = ("judge", "police", "ombudsman")
NEEDED = 2


class Quorum:
    """Three authorities of which two open, a custodian, and a camera.

    Args:
        new_identity: makes a key pair of the kind that all of them have.
        folder: for the custodian's keys of :meth:`sealing`.
    """

    def __init__(self, new_identity: Callable[[], PrivateKey], folder: Path) -> None:
        self._now = utc_now()
        self._identities = {name: new_identity() for name in AUTHORITIES}
        self._epoch_identity = new_identity()
        authorities = tuple(
            Party("authority", name, SigningKey.generate().verify_key, identity.recipient)
            for name, identity in self._identities.items()
        )
        self._folder, self._custodian = folder, SigningKey.generate()
        custodian = Party("custodian", "custodian", self._custodian.verify_key)
        policy = make_policy(NEEDED, "30d", "day", "public", custodian, authorities)
        home = folder / f"camera-{secrets.token_hex(4)}"
        home.mkdir(parents=True)
        enrol(home, SigningKey.generate(), self._now, days=2)
        self._camera = quorum.Camera("camera", DayKeys(home), policy)
        self._epoch = EpochKey(
            epoch_of(self._now, "day"), self._epoch_identity.recipient, self._now + timedelta(30)
        )

    def sealing(self) -> Sealing:
        """Return what `sealshot run` seals with, once the custodian has published keys."""
        secret, public = self._folder / "secret", self._folder / "public"
        for folder in (secret, public):
            folder.mkdir(parents=True, exist_ok=True)
        policy = self._camera.policy
        publish(self._custodian, policy, secret, public, self._now, timedelta(1))
        return Sealing(
            camera=self._camera,
            epoch_keys=EpochKeys(policy, None, self._folder),
            retention=policy.retention_time,
        )

    def seal(self, plain: bytes) -> bytes:
        """Return the signed container, as a camera makes it."""
        shot_id = secrets.token_hex(16)
        return quorum.seal_to_quorum(
            plain, self._camera, self._epoch, self._now, self._now, shot_id
        )

    def open(self, sealed: bytes) -> bytes:
        """Verify a container, open two shares and the epoch's secret, then the payload.

        What the answers between the parties cost, their sealing and warrants, is left out.
        """
        container = read_container(sealed)
        shares = {
            name: quorum.open_share(container, name, self._identities[name])
            for name in AUTHORITIES[:NEEDED]
        }
        secret = quorum.open_epoch(container, self._epoch_identity)
        return quorum.open_payload(container, shares, secret)
