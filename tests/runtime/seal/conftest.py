"""Sealed shots of a policy, and what their parties would answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sealshot.runtime.cli.commands.custodian import SECRETS
from sealshot.runtime.cli.commands.parties import read_signing_key, single_identity
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.ceremony import Answer, answer, read_answer
from sealshot.runtime.seal.container import Container, read_container
from sealshot.runtime.seal.epochs import EpochKey
from sealshot.runtime.seal.keys import PrivateKey
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.payload import Origin, pack
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import Camera, open_epoch, open_share, seal_to_quorum
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import Warrant, new_warrant, parse_warrant
from sealshot.runtime.types import Shot

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """All keys of a policy in one process: what attackers have some of."""

    policy: Policy
    camera: Camera
    camera_party: Party
    identities: dict[str, PrivateKey]
    custodian_key: SigningKey
    epoch_identity: PrivateKey
    epoch_key: EpochKey
    investigator: PrivateKey
    seal: Callable[[], bytes]

    def warrant(self, *signers: str, issued: datetime | None = None, **changes: object) -> Warrant:
        """A warrant in force for one hour before and after now, signed by these authorities."""
        now = utc_now().replace(microsecond=0)
        given = {
            "case": "2026-117",
            "purpose": "open",
            "policy": self.policy,
            "cameras": [self.camera_party],
            "period": (now - HOUR, now + HOUR),
            "validity": (issued or now - HOUR, now + HOUR),
            "investigator": self.investigator.recipient,
        } | changes
        if given["purpose"] == "hold":
            given["until"] = now + HOUR
        document = new_warrant(**given).document  # type: ignore[arg-type]
        for name in signers:
            document = document.signed(SigningKey.of_authority(self.identities[name]))
        return parse_warrant(document.encode())

    def answer_of(
        self,
        name: str,
        containers: Sequence[Container],
        warrant: Warrant,
        answered: Callable[[str], bool] = lambda _: False,
    ) -> Answer:
        """What a party answers, as the investigator reads it."""
        if name == self.policy.custodian.name:
            party, key = self.policy.custodian, self.custodian_key
            give = lambda c: open_epoch(c, self.epoch_identity)  # noqa: E731
        else:
            found = self.policy.authority(name)
            assert found is not None
            party, key = found, SigningKey.of_authority(self.identities[name])
            give = lambda c: open_share(c, name, self.identities[name])  # noqa: E731
        _, sealed = answer(containers, warrant, self.policy, party, key, give, answered, utc_now())
        return read_answer(sealed, warrant, self.policy, [self.investigator])


def make_world(parties) -> World:
    policy = read_policy(parties.camera_policy)
    sealing = parties.sealing()
    now = utc_now()
    key = sealing.epoch_keys.current(now)
    image = np.random.default_rng(3).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    origin = Origin("crowd.mp4", "rp", "0f" * 32)
    numbers = iter(range(1, 10_000))

    def seal() -> bytes:
        shot = Shot(3, 88, 3.5, format_time(utc_now()), (0, 0, 8, 8), -4.5, 91.5, 41, "best", image)
        number = f"{next(numbers):032x}"
        return seal_to_quorum(pack(shot, origin), sealing.camera, key, utc_now(), utc_now(), number)

    secret = parties.custodian / SECRETS / f"{key.epoch}.key"
    return World(
        policy=policy,
        camera=sealing.camera,
        camera_party=read_party(parties.camera_pub, "camera"),
        identities={a.name: single_identity(parties.key(a.name)) for a in policy.authorities},
        custodian_key=read_signing_key(parties.custodian / "custodian.key"),
        epoch_identity=single_identity(Path(secret)),
        epoch_key=key,
        investigator=single_identity(parties.investigator),
        seal=seal,
    )


class Tally:
    """Counts of attacks: how many were tried, and how many got through."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}

    def add(self, attack: str, got_through: bool | int, tried: int = 1) -> None:
        count = self.counts.setdefault(attack, {"tried": 0, "got_through": 0})
        count["tried"] += tried
        count["got_through"] += int(got_through)
        assert not got_through, attack

    def refused(
        self,
        attack: str,
        attempt: Callable[[], object],
        errors: type[Exception] | tuple[type[Exception], ...] = SealError,
    ) -> Exception | None:
        """Count an attempt that must end in one of these errors; return the error."""
        try:
            attempt()
        except errors as error:
            self.add(attack, False)
            return error
        self.add(attack, True)
        return None


@pytest.fixture(scope="session")
def tally() -> Iterator[Tally]:
    """Counts the attacks of a session; the file $SEALSHOT_TALLY gets them as JSON."""
    counted = Tally()
    yield counted
    if file := os.environ.get("SEALSHOT_TALLY"):
        Path(file).write_text(json.dumps(counted.counts, indent=1, sort_keys=True) + "\n")


@pytest.fixture(scope="session")
def world(parties) -> World:
    return make_world(parties)


@pytest.fixture(scope="session")
def classical(classical_parties) -> World:
    """The same with X25519 keys: smaller and faster, where attacks are many."""
    return make_world(classical_parties)


@pytest.fixture(scope="session")
def sealed(world: World) -> bytes:
    return world.seal()


@pytest.fixture(scope="session")
def container(sealed: bytes) -> Container:
    return read_container(sealed)
