"""Held shots that change hands: shares are cut into pieces for the authorities that came after."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import combinations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rewraps import (
    CAMERA,
    CUSTODIAN,
    EPOCH,
    FIRST,
    IDENTITIES,
    INVESTIGATOR,
    KEYS,
    NOON,
    SECOND,
    THIRD,
    answers_of,
    cut,
    held_bytes,
    holdings,
    opens,
    order,
    policy_of,
    sealed,
)

from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.ceremony import answer, open_with_answers, read_answer
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.quorum import open_epoch, open_share
from sealshot.runtime.seal.rewrap import (
    PiecesFor,
    check_rewrap,
    join,
    lacking,
    parse_rewrap,
)
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import draft_change, follow


@pytest.fixture(scope="module")
def held(shot) -> Container:
    return sealed(shot)


def test_any_quorum_of_today_opens_once_who_left_has_rewrapped(held: Container) -> None:
    rewraps = [cut("b", SECOND, held)]
    assert lacking(held.header, SECOND, ()) == ("a", "b", "c")
    assert lacking(held.header, SECOND, rewraps) == ()
    pictures = {opens("".join(pair), held, SECOND, rewraps) for pair in combinations("acd", 2)}
    assert len(pictures) == 1
    with pytest.raises(SealError, match="1 of the 2 authorities"):
        opens("cd", held, SECOND, ())


def test_all_authorities_may_go_one_version_after_the_other(held: Container) -> None:
    """Of the first nobody is left: pieces of pieces, three of four, make shares of two of three."""
    first = [cut("b", SECOND, held), cut("a", SECOND, held)]
    assert lacking(held.header, THIRD, first) == ("a", "b", "c")
    second = [cut(name, THIRD, held, rewraps=first) for name in "acd"]
    rewraps = [*first, *second]
    assert lacking(held.header, THIRD, rewraps) == ()
    pictures = {opens("".join(three), held, THIRD, rewraps) for three in combinations("defg", 3)}
    assert pictures == {opens("ab", held, FIRST, ())}


def test_an_authority_that_lost_its_key_has_pieces_under_its_name(held: Container) -> None:
    """The b of today is another one: it opens no share of b's, and answers with pieces of a's."""
    new = X25519Identity.generate()
    key = SigningKey.of_authority(new)
    again = Party("authority", "b", key.verify_key, new.recipient)
    names = (*policy_of("ac", 2).authorities, again)
    today = replace(policy_of("ac", 2), authorities=names)
    change = draft_change(FIRST, today, NOON)
    for signer in (KEYS["a"], KEYS["c"], key):
        change = change.signed(signer)
    policy = follow(FIRST, change)
    rewraps = [cut("a", policy, held)]
    assert lacking(held.header, policy, rewraps) == ("b", "c")  # the b of today has a's alone
    assert lacking(held.header, policy, [*rewraps, cut("c", policy, held)]) == ()
    warrant = order(policy, "open", "ac")
    given = []
    for name, party, signing, identity in (
        ("b", again, key, new),
        ("c", policy.authorities[1], KEYS["c"], IDENTITIES["c"]),
        ("custodian", policy.custodian, CUSTODIAN, EPOCH),
    ):
        is_custodian = name == "custodian"
        give = partial(open_epoch, identity=identity)
        share = partial(open_share, name=name, identity=identity)
        pieces = PiecesFor(() if is_custodian else rewraps, party, identity)
        _, sealed_answer = answer(
            [held],
            warrant,
            policy,
            party,
            signing,
            give if is_custodian else share,
            lambda _: False,
            NOON,
            lambda one, pieces=pieces: pieces.of(one.header),
        )
        given.append(read_answer(sealed_answer, warrant, policy, [INVESTIGATOR]))
    assert [one.refusals for one in given] == [(), (), ()]
    assert open_with_answers(held, warrant, policy, given, rewraps).picture


def test_another_reader_opens_what_was_rewrapped_twice(held: Container, other) -> None:
    """One that was made from FORMAT.md, section 7.4, alone: with what d, e and g can open."""
    first = [cut("b", SECOND, held), cut("a", SECOND, held)]
    rewraps = [*first, *(cut(name, THIRD, held, rewraps=first) for name in "acd")]
    header, members = other.read_container(held_bytes(held), str(CAMERA.verify_key))
    bound = hashlib.sha256(members["header.json"]).digest()
    read, given = {}, {}
    for one in rewraps:
        body, digest, signers = other.read_document(one.document.encode(), "sealshot/rewrap/1")
        assert len(signers) == 1
        read[digest] = body
        names = [a.name for a in THIRD.of(body["policy"]).authorities]  # type: ignore[union-attr]
        for name, part in zip(names, body["parts"], strict=True):
            if name not in "deg" or body["policy"] != THIRD.digest:
                continue
            identity = other.read_identity(IDENTITIES[name].secret_text())
            plain = other.age_open(base64.b64decode(part), identity)
            assert plain[:1] == b"\x01"
            at = 1
            for shot in body["shots"]:
                size = 34 + len(shot["of"])
                assert plain[at : at + 32] == bound
                piece = plain[at + 32 : at + 32 + size]
                hashed = hashlib.sha256(piece).hexdigest()
                assert hashed == shot["pieces"][names.index(name)]
                given[(*shot["of"], digest), name] = piece
                at += 32 + size
            assert at == len(plain)

    def joined(way: tuple[str, ...], name: str) -> bytes | None:
        if (way, name) in given:
            return given[way, name]
        for digest, body in read.items():
            cuts = [shot for shot in body["shots"] if shot["of"] == list(way)]
            if body["authority"] == name and cuts:
                to = THIRD.of(body["policy"])
                assert to is not None
                found = [joined((*way, digest), one.name) for one in to.authorities]
                pieces = [piece for piece in found if piece is not None]
                if len(pieces) >= to.quorum:
                    return bytes(other.interpolate(pieces))
        return None

    shares = {name: share for name in "abc" if (share := joined((), name)) is not None}
    assert sorted(shares) == ["a", "b", "c"]  # c, of both versions, cut its own
    payload = other.open_payload(header, members, shares, open_epoch(held, EPOCH))
    assert payload == other.open_payload(
        header,
        members,
        {name: open_share(held, name, IDENTITIES[name]) for name in "bc"},
        open_epoch(held, EPOCH),
    )


def test_fewer_than_a_quorum_of_either_get_nothing(held: Container, tally) -> None:
    first = [cut("b", SECOND, held), cut("a", SECOND, held)]
    rewraps = [*first, *(cut(name, THIRD, held, rewraps=first) for name in "acd")]
    small = [("d", SECOND, first), ("b", SECOND, first), ("de", THIRD, rewraps)]
    small += [("dg", THIRD, rewraps), ("ef", THIRD, rewraps), ("bef", THIRD, rewraps)]
    for names, policy, there in small:
        given = {}
        for name in names:
            party = policy.party_of(KEYS[name].verify_key)
            have = holdings(name, held, policy, there)
            given |= {(way, party): value for way, value in have.items()}
        shares, _ = join(held.header, FIRST, there, given)
        direct = sum(name in held.header.authorities for name in names)
        tally.add("rewrapped shares, fewer than a quorum", len(shares) + direct >= FIRST.quorum)


def test_who_gives_a_wrong_piece_is_named(held: Container, tally) -> None:
    rewraps = [cut("b", SECOND, held)]
    warrant, given = answers_of("cd", held, SECOND, rewraps, "ac")
    [(way, piece)] = [item for item in given[1].pieces.items() if item[0][0] == held.header.id]
    lie = replace(given[1], pieces={way: piece[:-2] + bytes([piece[-2] ^ 1]) + piece[-1:]})
    error = tally.refused(
        "a wrong piece of a share",
        lambda: open_with_answers(held, warrant, SECOND, [given[0], lie, given[2]], rewraps),
    )
    assert "d gave a wrong piece" in str(error)


@pytest.mark.parametrize("lie", ["another share", "pieces of no one share"])
def test_who_cuts_a_wrong_share_is_named_and_loses_nobody_s_shot(
    lie: str, held: Container, tally
) -> None:
    false = cut("b", SECOND, held, instead={(): bytes(32) + b"\x02"})
    if lie == "pieces of no one share":
        false = replace(false, pieces={way: (p[0], p[0], p[0]) for way, p in false.pieces.items()})
        pieces = {((false.digest,), party): b"\x01" * 34 for party in SECOND.authorities}
        wanted = hashlib.sha256(b"\x01" * 34).hexdigest()
        false = replace(false, pieces=dict.fromkeys(false.pieces, (wanted,) * 3))
        shares, wrong = join(held.header, FIRST, [false], pieces)
        assert (shares, wrong) == ({}, ["b has cut another share than its own"])
        return
    error = tally.refused("a wrong share, rewrapped", lambda: opens("cd", held, SECOND, [false]))
    assert "b has cut another share than its own" in str(error)
    assert opens("cd", held, SECOND, [false, cut("b", SECOND, held)])
    assert opens("cd", held, SECOND, [false, cut("a", SECOND, held)])


def test_pieces_of_one_shot_are_not_given_for_another(held: Container, shot, tally) -> None:
    """By who has a key of an authority: a warrant for one shot would open the other."""
    other = sealed(shot, 2)
    real = cut("b", SECOND, other)
    body = real.document.body
    entry = body["shots"][0] | {"id": held.header.id}
    document = Document(real.document.kind, body | {"shots": [entry]}).signed(KEYS["b"])
    forged = parse_rewrap(document.encode(), SECOND)
    _, [of_d, _] = answers_of("d", held, SECOND, [forged], "ac")
    tally.add("pieces of one shot under the id of another", len(of_d.pieces))
    [refusal] = of_d.refusals
    assert "was cut from another shot" in refusal.fact


def test_what_was_altered_or_is_a_stranger_s_is_refused(held: Container, tally) -> None:
    document = cut("b", SECOND, held).document
    body = document.body
    others = {
        "warrant": "0" * 64,
        "policy": FIRST.digest,
        "authority": "a",
        "time": "2026-11-22T12:00:00Z",
        "shots": [],
        "parts": body["parts"][::-1],
    }
    assert others.keys() == body.keys()
    for name, value in others.items():
        altered = replace(document, body=body | {name: value})
        tally.refused("an altered rewrap", lambda a=altered: parse_rewrap(a.encode(), SECOND))
    for stranger in (
        Document(document.kind, body).signed(KEYS["a"]),  # who reads it by the name sees b's
        *(Document(document.kind, body).signed(key) for key in (KEYS["e"], CUSTODIAN, CAMERA)),
    ):
        with pytest.raises(SealError, match="not signed by"):
            parse_rewrap(stranger.encode(), SECOND)
    parts = [base64.b64decode(part) for part in body["parts"]]
    d = SECOND.party_of(KEYS["d"].verify_key)
    assert d is not None
    for other in (parts[0], b"", parts[2][:-1]):
        sealed_parts = [base64.b64encode(part).decode() for part in (*parts[:2], other)]
        torn = Document(document.kind, body | {"parts": sealed_parts}).signed(KEYS["b"])
        with pytest.raises(SealError):
            PiecesFor([parse_rewrap(torn.encode(), SECOND)], d, IDENTITIES["d"])
    entry = body["shots"][0]
    hashes = entry | {"pieces": entry["pieces"][::-1]}
    false = Document(document.kind, body | {"shots": [hashes]}).signed(KEYS["b"])
    with pytest.raises(SealError, match="not those that it signed"):
        PiecesFor([parse_rewrap(false.encode(), SECOND)], d, IDENTITIES["d"])
    with pytest.raises(SealError, match="authorities of another policy"):
        parse_rewrap(document.encode(), FIRST)


def test_no_way_is_longer_than_an_answer_may_have(held: Container) -> None:
    """Else one bad rewrap would make the whole answer of an honest authority unreadable."""
    long, share = ("0" * 64,) * 16, bytes(32) + b"\x01"
    longest = cut("b", SECOND, held, instead={long[:15]: share + bytes([1]) * 15})
    _, [of_d, _] = answers_of("d", held, SECOND, [longest], "ac")
    assert [way for _, way in of_d.pieces] == [(*long[:15], longest.digest)]
    body = longest.document.body
    entry = body["shots"][0] | {"of": list(long)}
    document = Document("sealshot/rewrap/1", body | {"shots": [entry]}).signed(KEYS["b"])
    with pytest.raises(SealError, match="shots"):
        parse_rewrap(document.encode(), SECOND)
    with_share = {long: share + bytes([1]) * 16, (): open_share(held, "b", IDENTITIES["b"])}
    once = cut("b", SECOND, held, instead=with_share)  # what can be cut is
    assert [way for _, way in once.pieces] == [()]


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.sampled_from(["0" * 64, "0" * 32]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    name=st.sampled_from(["warrant", "policy", "authority", "time", "shots", "parts"]), value=JSON
)
@example(name="shots", value=[{"id": "0" * 32, "of": ["0" * 64] * 17, "pieces": ["0" * 64] * 3}])
@example(name="shots", value=[{"id": "0" * 32, "of": ["0" * 64] * 16, "pieces": ["0" * 64] * 3}])
@example(name="shots", value=[{"id": "0" * 32, "of": [], "pieces": ["0" * 64] * 3}] * 2)
@example(name="parts", value=["", "YQ==", "x"])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_fields_under_a_good_signature(name: str, value: object, held: Container) -> None:
    body = cut("b", SECOND, held).document.body
    document = Document("sealshot/rewrap/1", body | {name: value}).signed(KEYS["b"])
    d = SECOND.party_of(KEYS["d"].verify_key)
    assert d is not None
    with suppress(SealError):
        found = PiecesFor([parse_rewrap(document.encode(), SECOND)], d, IDENTITIES["d"])
        assert set(found.of(held.header)) == {(document.digest,)}


def test_what_need_not_be_rewrapped_or_would_be_weaker_is_refused(held: Container) -> None:
    with pytest.raises(SealError, match="sealed to the authorities of version 1, as it is"):
        check_rewrap(held.header, FIRST)
    check_rewrap(held.header, SECOND)
    strong = tuple(
        replace(one, recipient=HybridIdentity.generate().recipient) for one in FIRST.authorities
    )
    hybrid = replace(FIRST, authorities=strong)
    weaker = replace(SECOND, previous=hybrid)
    header = replace(held.header, policy=hybrid.digest)
    with pytest.raises(SealError, match="are not post-quantum"):
        check_rewrap(header, weaker)
