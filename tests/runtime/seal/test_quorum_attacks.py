"""Attacks on sealed shots, counted: what was tried, and that none got through."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import pytest

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal import quorum
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
    sums_line,
    write_container,
)
from sealshot.runtime.seal.documents import parse_document
from sealshot.runtime.seal.epochs import parse_epoch_key
from sealshot.runtime.seal.quorum import open_epoch, open_payload, open_share, payload_identity
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import (
    RefusedError,
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


def test_no_smaller_coalition_opens(world, container, tally) -> None:
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
                tally.add("a coalition below the quorum, or without the custodian", False)
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


def test_nobody_opens_a_part_that_is_not_theirs(world, container, tally) -> None:
    keys = {**world.identities, "custodian": world.epoch_identity, "me": world.investigator}
    parts = {
        "share-1.age": "judge",
        "share-2.age": "police",
        "share-3.age": "ombudsman",
        EPOCH: "custodian",
        PAYLOAD: "",
    }
    for part, owner in parts.items():
        for name, key in keys.items():
            if name == owner:
                assert age.decrypt(container.parts[part], [key])
                continue
            attempt = partial(age.decrypt, container.parts[part], [key])
            tally.refused("a part opened with a key that it is not for", attempt)


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_flipped_bit_in_each_byte_is_found(sealed: bytes, tally) -> None:
    """In turn over all bytes, those of the ZIP around the parts included."""
    for at in range(len(sealed)):
        attempt = partial(read_container, _flipped(sealed, 8 * at + at % 8))
        tally.refused("one bit flipped in each byte of a hybrid container", attempt)


def test_each_flipped_bit_is_found(classical, tally) -> None:
    """Every bit but those of the payload, which are as many again and have a hash as the others."""
    sealed = classical.seal()
    payload = read_zip(sealed, limit=20)[PAYLOAD]
    start = sealed.index(payload)
    bits = [*range(8 * start), *range(8 * (start + len(payload)), 8 * len(sealed))]
    assert len(bits) > 20_000
    for bit in bits:
        attempt = partial(read_container, _flipped(sealed, bit))
        tally.refused("each bit flipped of header, shares, epoch, hashes, signature, ZIP", attempt)


def test_what_is_made_to_fit_lacks_the_signature(classical, tally) -> None:
    """The attacker makes hashes and ZIP right again; what stays is the camera's signature."""
    container = read_container(classical.seal())
    stranger = SigningKey.generate()

    def rebuilt(parts: Mapping[str, bytes], key: SigningKey | None = None) -> bytes:
        listed = {n: p for n, p in parts.items() if n not in (SUMS, SIGNATURE)}
        lines = [f"{hashlib.sha256(part).hexdigest()}  {name}\n" for name, part in listed.items()]
        sums = sums_line(container.header.format) + "".join(lines).encode()
        signature = key.sign(sums) if key else parts[SIGNATURE]
        return write_zip({**listed, SUMS: sums, SIGNATURE: signature})

    assert read_container(rebuilt(container.parts)) == container  # the control
    for part, data in container.parts.items():
        if part in (HEADER, SUMS):
            continue
        for bit in range(0, 8 * len(data), 1 if part == SIGNATURE else 61):
            parts = {**container.parts, part: _flipped(data, bit)}
            attempt = partial(read_container, rebuilt(parts))
            error = tally.refused("a part changed, hashes and ZIP made to fit", attempt)
            assert "signature is wrong" in str(error)
    for hour in ("2026-11-22T00", "2999-12-31T23"):
        header = dataclasses.replace(container.header, hour=hour)
        for key in (None, stranger):
            forged = rebuilt({**container.parts, HEADER: header.encoded}, key)
            tally.refused("a header changed, all made to fit", partial(read_container, forged))
    forged = rebuilt(container.parts, stranger)
    tally.refused("signed by a stranger", partial(read_container, forged))


def test_each_flipped_bit_of_a_part_is_found_even_under_a_good_signature(classical, tally) -> None:
    """Somebody has the camera's key, and signs what they changed: then the parties find it."""
    container = read_container(classical.seal())

    def changed(part: str, bit: int) -> Container:
        parts = {**container.parts, part: _flipped(container.parts[part], bit)}
        return dataclasses.replace(container, parts=parts)

    for part, open_it in (
        ("share-1.age", lambda c: open_share(c, "judge", classical.identities["judge"])),
        (EPOCH, lambda c: open_epoch(c, classical.epoch_identity)),
    ):
        assert open_it(container)  # the control
        for bit in range(8 * len(container.parts[part])):
            tally.refused("each bit of a signed share, epoch", partial(open_it, changed(part, bit)))
    shares = {n: open_share(container, n, classical.identities[n]) for n in ("judge", "police")}
    secret = open_epoch(container, classical.epoch_identity)
    assert open_payload(container, shares, secret)  # the control
    for bit in range(0, 8 * len(container.parts[PAYLOAD]), 7):
        attempt = partial(open_payload, changed(PAYLOAD, bit), shares, secret)
        tally.refused("each seventh bit of a signed payload", attempt)


def _resigned(container: Container, key: SigningKey, parts: Mapping[str, bytes]) -> Container:
    header = dataclasses.replace(container.header, camera_key=str(key.verify_key))
    kept = {n: p for n, p in parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    return read_container(write_container(header, kept, key))


def test_parts_that_were_swapped_are_found(classical, tally) -> None:
    """Each part in the place of each other one, of the same shot and of another one.

    First as it is, and then under a signature that somebody with the camera's key makes: the
    secrets of one shot under the header of another, to have them opened for it.
    """
    one, two = read_container(classical.seal()), read_container(classical.seal())
    warrant = classical.warrant("judge", "police")
    owners = {"share-1.age": "judge", "share-2.age": "police", "share-3.age": "ombudsman"}
    owners |= {EPOCH: "custodian", PAYLOAD: ""}
    everybody = [classical.answer_of(name, [one], warrant) for name in EVERYBODY]
    for place, owner in owners.items():
        for shot, part in itertools.product((one, two), owners):
            if shot is one and part == place:
                continue
            parts = {**one.parts, place: shot.parts[part]}
            tally.refused("a part swapped", partial(read_container, write_zip(parts)))
            swapped = _resigned(one, classical.camera.key, parts)
            if owner:
                answer = classical.answer_of(owner, [swapped], warrant)
                tally.add("a part swapped and signed again", len(answer.secrets))
                if part == place:
                    assert "for another shot" in answer.refusals[0].fact
            else:
                attempt = partial(open_with_answers, swapped, warrant, classical.policy, everybody)
                tally.refused("a part swapped and signed again", attempt)


def test_a_share_is_not_given_out_under_a_header_made_to_fit_a_warrant(
    world, container, tally
) -> None:
    """The way to open what no warrant is for: its shares under a header that one is for."""
    attacker = SigningKey.generate()
    header = dataclasses.replace(
        container.header, format=2, id="f" * 32, camera_key=str(attacker.verify_key)
    )
    parts = {n: p for n, p in container.parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    forged = read_container(write_container(header, parts, attacker))
    own = dataclasses.replace(world.camera_party, verify_key=attacker.verify_key)
    for cameras in ([world.camera_party], [own]):  # even if a warrant names the attacker's camera
        warrant = world.warrant("judge", "police", cameras=cameras)
        for name in EVERYBODY:
            given = world.answer_of(name, [forged], warrant).secrets
            tally.add("secrets under a header made to fit a warrant", len(given))


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
