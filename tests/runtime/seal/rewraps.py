"""Held shots of a policy whose authorities change: what the tests of rewraps are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.seal.archive import write_zip
from sealshot.runtime.seal.ceremony import Answer, answer, open_with_answers, read_answer
from sealshot.runtime.seal.container import Container, read_container
from sealshot.runtime.seal.epochs import EpochKey
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.payload import Origin, pack
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.quorum import Camera, open_epoch, open_share, seal_to_quorum
from sealshot.runtime.seal.rewrap import (
    PiecesFor,
    Rewrap,
    parse_rewrap,
    rewrap,
)
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import draft_change, follow
from sealshot.runtime.seal.warrant import Warrant, new_warrant, parse_warrant

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
IDENTITIES = {name: X25519Identity.generate() for name in "abcdefg"}
KEYS = {name: SigningKey.of_authority(identity) for name, identity in IDENTITIES.items()}
CUSTODIAN, CAMERA = SigningKey.generate(), SigningKey.generate()
INVESTIGATOR, EPOCH = X25519Identity.generate(), X25519Identity.generate()


def policy_of(names: str, quorum: int) -> Policy:
    authorities = tuple(
        Party("authority", name, KEYS[name].verify_key, IDENTITIES[name].recipient)
        for name in names
    )
    custodian = Party("custodian", "custodian", CUSTODIAN.verify_key)
    return make_policy(quorum, "30d", "day", "epochs", custodian, authorities)


def next_of(policy: Policy, names: str, quorum: int) -> Policy:
    new = policy_of(names, quorum)
    change = draft_change(policy, new, NOON)
    for party in {*policy.authorities, *new.authorities}:
        change = change.signed(KEYS[party.name])
    return follow(policy, change)


FIRST = policy_of("abc", 2)
SECOND = next_of(FIRST, "acd", 2)  # b left
THIRD = next_of(SECOND, "defg", 3)  # a and c left, too


def sealed(shot, number: int = 1) -> Container:
    key = EpochKey("2026-11-21", EPOCH.recipient, NOON + 60 * 24 * HOUR)
    camera = Camera("cam1", CAMERA, FIRST)
    plain = pack(replace(shot, utc="2026-11-21T12:00:00Z"), Origin("s", "rp", "0f" * 32))
    return read_container(seal_to_quorum(plain, camera, key, NOON, NOON, f"{number:032x}"))


def held_bytes(container: Container) -> bytes:
    return write_zip(container.parts)


def order(policy: Policy, purpose: str, signers: str) -> Warrant:
    cameras = [Party("camera", "cam1", CAMERA.verify_key)]
    until = NOON + 9000 * HOUR if purpose == "hold" else None
    period, validity = (NOON, NOON + HOUR), (NOON, NOON + HOUR)
    reader = INVESTIGATOR.recipient
    document = new_warrant("7", purpose, policy, cameras, period, validity, reader, until).document
    for name in signers:
        document = document.signed(KEYS[name])
    return parse_warrant(document.encode())


HOLD = order(FIRST, "hold", "ab")


def holdings(
    name: str, container: Container, policy: Policy, rewraps: Sequence[Rewrap]
) -> dict[tuple[str, ...], bytes]:
    """What an authority has of a shot: its share, and pieces."""
    party = policy.party_of(KEYS[name].verify_key)
    assert party is not None
    have = PiecesFor(rewraps, party, IDENTITIES[name]).of(container.header)
    if name in container.header.authorities:
        have[()] = open_share(container, name, IDENTITIES[name])
    return have


def cut(
    name: str,
    policy: Policy,
    *containers: Container,
    rewraps: Sequence[Rewrap] = (),
    instead: Mapping[tuple[str, ...], bytes] | None = None,
) -> Rewrap:
    """What an authority rewraps for the authorities of a version; a liar has others ``instead``."""
    party = policy.party_of(KEYS[name].verify_key)
    assert party is not None

    def have(container: Container) -> Mapping[tuple[str, ...], bytes]:
        return instead or holdings(name, container, policy, rewraps)

    document = rewrap(containers, HOLD, policy, party, KEYS[name], have, NOON)
    return parse_rewrap(document.encode(), policy)


def answers_of(
    names: str, container: Container, policy: Policy, rewraps: Sequence[Rewrap], signers: str
) -> tuple[Warrant, list[Answer]]:
    """What these and the custodian answer under a warrant of today."""
    warrant = order(policy, "open", signers)
    given = []
    for name in (*names, "custodian"):
        key = CUSTODIAN if name == "custodian" else KEYS[name]
        party = policy.party_of(key.verify_key)
        assert party is not None

        def give(one: Container, name: str = name) -> bytes:
            if name == "custodian":
                return open_epoch(one, EPOCH)
            return open_share(one, name, IDENTITIES[name])

        def pieces(
            one: Container, name: str = name, party: Party = party
        ) -> dict[tuple[str, ...], bytes]:
            if name == "custodian":
                return {}
            return PiecesFor(rewraps, party, IDENTITIES[name]).of(one.header)

        _, sealed_answer = answer(
            [container], warrant, policy, party, key, give, lambda _: False, NOON, pieces
        )
        given.append(read_answer(sealed_answer, warrant, policy, [INVESTIGATOR]))
    return warrant, given


def opens(names: str, container: Container, policy: Policy, rewraps: Sequence[Rewrap]) -> bytes:
    today = "".join(one.name for one in policy.authorities)[: policy.quorum]
    warrant, given = answers_of(names, container, policy, rewraps, today)
    return open_with_answers(container, warrant, policy, given, rewraps).picture
