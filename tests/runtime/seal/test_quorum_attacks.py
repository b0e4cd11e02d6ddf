"""Attacks on sealed shots, counted: what was tried, and that none got through."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal import age, quorum
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.ceremony import (
    open_with_answers,
    read_answer,
    read_request,
    write_request,
)
from sealshot.runtime.seal.container import (
    EPOCH,
    HEADER,
    PAYLOAD,
    SIGNATURE,
    SUMS,
    Container,
    read_container,
    strip,
    write_container,
)
from sealshot.runtime.seal.documents import parse_document
from sealshot.runtime.seal.epochs import parse_epoch_key
from sealshot.runtime.seal.quorum import open_epoch, open_payload, open_share, payload_identity
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import (
    RefusedError,
    check_scope,
    check_warrant,
    parse_warrant,
)

QUORUMS = [["judge", "police"], ["judge", "ombudsman"], ["police", "ombudsman"]]
EVERYBODY = ["judge", "police", "ombudsman", "custodian"]


@pytest.mark.parametrize("names", [*QUORUMS, ["judge", "police", "ombudsman"]], ids="-".join)
def test_every_quorum_with_the_custodian_opens(names: list[str], world, container) -> None:
    warrant = world.warrant("judge", "police")
    answers = [world.answer_of(name, [container], warrant) for name in [*names, "custodian"]]
    opened = open_with_answers(container, warrant, world.policy, answers)
    assert opened.metadata.track == 3
    assert opened.picture.startswith(b"\xff\xd8\xff")


def test_no_smaller_coalition_opens(world, container) -> None:
    """All 16 coalitions of the four parties; 4 may open."""
    warrant = world.warrant("judge", "police")
    tried = opened = 0
    for size in range(5):
        for names in itertools.combinations(EVERYBODY, size):
            answers = [world.answer_of(name, [container], warrant) for name in names]
            allowed = "custodian" in names and len(names) >= 3
            tried += 1
            try:
                open_with_answers(container, warrant, world.policy, answers)
            except SealError:
                assert not allowed
            else:
                assert allowed
                opened += 1
    assert (tried, opened) == (16, 4)


def test_a_coalition_below_the_quorum_knows_no_payload_key(world, container) -> None:
    """Not even by going round our checks: one authority and the custodian, with a guessed share."""
    share = open_share(container, "judge", world.identities["judge"])
    epoch = open_epoch(container, world.epoch_identity)
    for _ in range(20):
        guess = quorum.combine([share, os.urandom(32) + b"\x02"])
        with pytest.raises(SealError):
            age.decrypt(container.payload, [payload_identity(guess, epoch, container.header)])
    shares = [open_share(container, n, world.identities[n]) for n in ("judge", "police")]
    secret = quorum.combine(shares)
    for _ in range(20):  # a whole quorum without the custodian
        key = payload_identity(secret, os.urandom(32), container.header)
        with pytest.raises(SealError):
            age.decrypt(container.payload, [key])
    key = payload_identity(secret, epoch, container.header)  # the control
    assert age.decrypt(container.payload, [key])


def test_nobody_opens_a_part_that_is_not_theirs(world, container) -> None:
    keys = {**world.identities, "custodian": world.epoch_identity, "me": world.investigator}
    parts = {
        "share-1.age": "judge",
        "share-2.age": "police",
        "share-3.age": "ombudsman",
        EPOCH: "custodian",
        PAYLOAD: "",
    }
    tried = got_through = 0
    for part, owner in parts.items():
        for name, key in keys.items():
            tried += 1
            try:
                age.decrypt(container.parts[part], [key])
            except SealError:
                assert name != owner
            else:
                got_through += name != owner
    assert (tried, got_through) == (25, 0)


def test_each_flipped_bit_is_found(sealed: bytes) -> None:
    """Every bit of every part, the ZIP around them included: in turn over all bytes."""
    tried = got_through = 0
    for at in range(len(sealed)):
        flipped = bytearray(sealed)
        flipped[at] ^= 1 << at % 8
        tried += 1
        try:
            read_container(bytes(flipped))
        except SealError:
            continue
        got_through += 1
    assert tried == len(sealed) > 8000
    assert got_through == 0


def test_each_bit_of_the_header_the_sums_and_the_signature(sealed: bytes) -> None:
    members = read_zip(sealed, limit=20)
    tried = 0
    for name in (HEADER, SUMS, SIGNATURE):
        start = sealed.index(members[name])
        for bit in range(8 * len(members[name])):
            flipped = bytearray(sealed)
            flipped[start + bit // 8] ^= 1 << bit % 8
            tried += 1
            with pytest.raises(SealError):
                read_container(bytes(flipped))
    assert tried > 8_000


def _resigned(container: Container, key: SigningKey, parts: Mapping[str, bytes]) -> Container:
    header = dataclasses.replace(container.header, camera_key=str(key.verify_key))
    kept = {n: p for n, p in parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    return read_container(write_container(header, kept, key))


def test_parts_of_another_shot_are_found_even_under_a_good_signature(world) -> None:
    """Somebody has the camera's key, and puts the secrets of one shot under another's header."""
    one, two = read_container(world.seal()), read_container(world.seal())
    warrant = world.warrant("judge", "police")
    tried = got_through = 0
    for part in ("share-1.age", "share-2.age", "share-3.age", EPOCH, PAYLOAD):
        swapped = _resigned(one, world.camera.key, {**one.parts, part: two.parts[part]})
        answers = [world.answer_of(name, [swapped], warrant) for name in EVERYBODY]
        owner = {"share-1.age": 0, "share-2.age": 1, "share-3.age": 2, EPOCH: 3}.get(part)
        if owner is not None:  # the party itself sees it and does not answer
            assert not answers[owner].secrets
            assert "for another shot" in answers[owner].refusals[0].fact
        tried += 1
        if part.startswith("share"):
            continue  # the other two authorities open the right shot
        try:
            open_with_answers(swapped, warrant, world.policy, answers)
        except SealError:
            continue
        got_through += 1
    assert (tried, got_through) == (5, 0)


def test_a_share_is_not_given_out_under_a_header_made_to_fit_a_warrant(world, container) -> None:
    """The way to open what no warrant is for: its shares under a header that one is for."""
    attacker = SigningKey.generate()
    header = dataclasses.replace(container.header, id="f" * 32, camera_key=str(attacker.verify_key))
    parts = {n: p for n, p in container.parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    forged = read_container(write_container(header, parts, attacker))
    own = dataclasses.replace(world.camera_party, verify_key=attacker.verify_key)
    for cameras in ([world.camera_party], [own]):  # even if a warrant names the attacker's camera
        warrant = world.warrant("judge", "police", cameras=cameras)
        for name in EVERYBODY:
            assert not world.answer_of(name, [forged], warrant).secrets


def test_wrong_answers_are_named(world, container) -> None:
    warrant = world.warrant("judge", "police")
    good = {name: world.answer_of(name, [container], warrant) for name in EVERYBODY}
    shot = container.header.id
    lie = dataclasses.replace(good["police"], secrets={shot: os.urandom(32) + b"\x02"})
    with pytest.raises(SealError, match="police"):
        open_with_answers(container, warrant, world.policy, [good["judge"], lie, good["custodian"]])
    swapped = dataclasses.replace(good["police"], secrets=good["judge"].secrets)
    with pytest.raises(SealError, match="police"):
        open_with_answers(
            container, warrant, world.policy, [good["judge"], swapped, good["custodian"]]
        )
    lie = dataclasses.replace(good["custodian"], secrets={shot: os.urandom(32)})
    with pytest.raises(SealError, match="custodian"):
        open_with_answers(container, warrant, world.policy, [good["judge"], good["police"], lie])
    twice = [good["judge"], good["judge"], good["custodian"]]
    with pytest.raises(SealError, match="1 of the 2"):
        open_with_answers(container, warrant, world.policy, twice)


def test_answers_are_for_one_investigator_and_one_warrant(world, container) -> None:
    from sealshot.runtime.seal.ceremony import answer

    warrant = world.warrant("judge", "police")
    judge = world.policy.authority("judge")
    key = SigningKey.of_authority(world.identities["judge"])

    def give(c: Container) -> bytes:
        return open_share(c, "judge", world.identities["judge"])

    def never(_: str) -> bool:
        return False

    _, sealed = answer([container], warrant, world.policy, judge, key, give, never, utc_now())
    for name in EVERYBODY[:3]:
        with pytest.raises(SealError, match="not sealed to the identity"):
            read_answer(sealed, warrant, world.policy, [world.identities[name]])
    other = world.warrant("judge", "police", case="another")
    with pytest.raises(SealError, match="another warrant"):
        read_answer(sealed, other, world.policy, [world.investigator])
    # An answer in the name of the judge that somebody else signed.
    forger = SigningKey.generate()
    _, forged = answer([container], warrant, world.policy, judge, forger, give, never, utc_now())
    with pytest.raises(SealError, match="not signed by a party"):
        read_answer(forged, warrant, world.policy, [world.investigator])


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "too-few-signatures": (("judge",), {}),
    "expired": (("judge", "police"), {"validity": (-3, -1)}),
    "not-yet-valid": (("judge", "police"), {"validity": (1, 2)}),
    "other-purpose": (("judge", "police"), {"purpose": "hold"}),
    "other-policy": (("judge", "police"), {"policy": "other"}),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_warrant_that_is_not_in_force(reason: str, world) -> None:
    signers, changes = REFUSALS[reason]
    now = utc_now().replace(microsecond=0)
    if "validity" in changes:
        start, end = changes["validity"]
        changes = {"validity": (now + timedelta(hours=start), now + timedelta(hours=end))}
    if "policy" in changes:
        changes = {"policy": dataclasses.replace(world.policy, quorum=1)}
    with pytest.raises(RefusedError) as caught:
        check_warrant(world.warrant(*signers, **changes), world.policy, now)
    assert caught.value.reason == reason


def test_signatures_that_do_not_count(world) -> None:
    warrant = world.warrant("judge")
    twice = parse_warrant(
        warrant.document.signed(SigningKey.of_authority(world.identities["judge"])).encode()
    )
    with pytest.raises(RefusedError, match="1 of the 2"):
        check_warrant(twice, world.policy, utc_now())
    stranger = parse_warrant(warrant.document.signed(SigningKey.generate()).encode())
    with pytest.raises(RefusedError) as caught:
        check_warrant(stranger, world.policy, utc_now())
    assert caught.value.reason == "foreign-signature"
    custodian = parse_warrant(warrant.document.signed(world.custodian_key).encode())
    with pytest.raises(RefusedError):
        check_warrant(custodian, world.policy, utc_now())


def test_each_field_of_a_signed_warrant_is_covered(world) -> None:
    warrant = world.warrant("judge", "police")
    others = {
        "id": "0" * 32,
        "case": "another",
        "purpose": "hold",
        "policy": "0" * 64,
        "cameras": [{"name": "cam2", "key": str(SigningKey.generate().verify_key)}],
        "from": "2020-01-01T00:00:00Z",
        "to": "2030-01-01T00:00:00Z",
        "issued": "2020-01-01T00:00:00Z",
        "expires": "2030-01-01T00:00:00Z",
        "investigator": str(world.identities["police"].recipient),
    }
    assert others.keys() == warrant.document.body.keys()
    for field, value in others.items():
        body = {**warrant.document.body, field: value}
        altered = parse_warrant(dataclasses.replace(warrant.document, body=body).encode())
        with pytest.raises(RefusedError):
            check_warrant(altered, world.policy, utc_now(), altered.purpose)


def test_each_flipped_bit_of_a_warrant_is_refused(world) -> None:
    data = json.dumps(json.loads(world.warrant("judge", "police").document.encode())).encode()
    tried = got_through = 0
    for at in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at // 3) % 8
        tried += 1
        try:
            check_warrant(parse_warrant(bytes(flipped)), world.policy, utc_now())
        except SealError:
            continue
        got_through += json.loads(flipped) != json.loads(data)
    assert tried > 900
    assert got_through == 0


def test_the_scope_is_kept(world, container) -> None:
    now = utc_now().replace(microsecond=0)
    day = timedelta(days=1)
    other = dataclasses.replace(world.camera_party, name="cam2")
    false = dataclasses.replace(world.camera_party, verify_key=SigningKey.generate().verify_key)
    cases = {
        "other-camera": {"cameras": [other]},
        "false-camera": {"cameras": [false]},
        "outside-time": {"period": (now + day, now + 2 * day)},
    }
    for reason, changes in cases.items():
        warrant = world.warrant("judge", "police", **changes)
        with pytest.raises(RefusedError) as caught:
            check_scope(warrant, container, world.policy)
        assert caught.value.reason == reason
        for name in EVERYBODY:
            refusal = world.answer_of(name, [container], warrant).refusals[0]
            assert refusal.reason == reason


def test_the_exact_time_is_checked_inside(world, container) -> None:
    """The hour outside fits both; the shot was taken before one of them begins."""
    now = utc_now().replace(microsecond=0)
    warrant = world.warrant(
        "judge", "police", period=(now + timedelta(seconds=2), now + timedelta(hours=1))
    )
    if warrant.start.hour != now.hour:
        pytest.skip("the hour is about to change")
    answers = [world.answer_of(name, [container], warrant) for name in EVERYBODY]
    with pytest.raises(RefusedError, match="outside"):
        open_with_answers(container, warrant, world.policy, answers)


def test_a_replayed_warrant(world, container) -> None:
    warrant = world.warrant("judge", "police")
    answer = world.answer_of("judge", [container], warrant, answered=lambda _: True)
    assert not answer.secrets
    assert answer.refusals[0].reason == "replayed"


def test_another_custodian_cannot_publish(parties, world) -> None:
    epoch = utc_now().strftime("%Y-%m-%d")
    data = (parties.policy.parent / "epochs" / f"{epoch}.json").read_bytes()
    assert parse_epoch_key(data, world.policy, epoch).epoch == epoch
    body = json.loads(data)["body"]
    kind = json.loads(data)["kind"]
    document = parse_document(data, kind, dict.fromkeys(body, lambda _: True))
    forged = dataclasses.replace(document, signatures=()).signed(SigningKey.generate())
    with pytest.raises(SealError, match="not signed by the custodian"):
        parse_epoch_key(forged.encode(), world.policy, epoch)
    other = "2026-01-01"
    with pytest.raises(SealError, match="another epoch"):
        parse_epoch_key(data, world.policy, other)
    late = dataclasses.replace(document, body={**body, "destroy_at": "2040-01-01T00:00:00Z"})
    late = dataclasses.replace(late, signatures=()).signed(world.custodian_key)
    with pytest.raises(SealError, match="kept too long"):
        parse_epoch_key(late.encode(), world.policy, epoch)


def test_a_request_has_no_payload_and_is_verified(world, container) -> None:
    data = write_request([container])
    (stripped,) = read_request(data)
    assert stripped.payload is None
    assert stripped.header == container.header
    with pytest.raises(SealError, match="payload was left out"):
        open_payload(
            stripped,
            {n: open_share(container, n, world.identities[n]) for n in ("judge", "police")},
            open_epoch(container, world.epoch_identity),
        )
    with pytest.raises(SealError, match="not what its name says"):
        read_request(write_zip({"0" * 32 + ".sealed": strip(container)}))


Change = Callable[[dict[str, bytes]], dict[str, bytes]]
