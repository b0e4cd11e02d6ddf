"""Rewrapping: shares of held shots, cut into pieces for the authorities that came after.

    each former authority  rewrap = its shares, each split m' of n', a piece sealed to each of today
    each one of today      answers with its pieces, beside shares of its own
    investigator           pieces make shares again, and shares open, as ever

No share is whole anywhere on the way, and no payload is touched: nobody sees a picture, and fewer
than m' of today's authorities know nothing of a share. Each piece and each share has a hash that
its giver signed, so that whoever gives a wrong one is named. What was rewrapped can be again: a
piece is cut as a share is, and its way is the digests of the rewraps that led to it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.container import Container, Header
from sealshot.runtime.seal.documents import Document, parse_document
from sealshot.runtime.seal.fields import (
    Check,
    is_base64,
    is_list,
    is_name,
    is_object,
    is_object_id,
    is_sha256,
)
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import SHARE_BYTES, VERSION
from sealshot.runtime.seal.shamir import combine, split
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import format_time, is_time, parse_time
from sealshot.runtime.seal.warrant import RefusedError, Warrant

KIND = "sealshot/rewrap/1"
REWRAP_LIMIT = 1024 * 1024 * 1024  # bytes; a shot takes 65 and 67 an authority

Way = tuple[str, ...]
"""Digests of the rewraps that led from a share to a piece; none: the share itself."""
Pieces = Mapping[Way, bytes]
"""What an authority has of one shot by rewraps, by their ways; and its share, if it has one."""

WAY_LIMIT = 16
PIECE_SIZES = range(SHARE_BYTES, SHARE_BYTES + WAY_LIMIT + 1)
"""Bytes: each cut adds an index to the share of 33."""

_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Rewrap:
    """What one authority cut for those of another version of the policy."""

    document: Document
    authority: Party
    """Whose shares or pieces these are of."""
    policy: Policy
    """The version whose authorities have a piece each."""
    pieces: Mapping[tuple[str, Way], tuple[str, ...]]
    """Shot and the way of what was cut, to the SHA-256 of each piece."""
    parts: tuple[bytes, ...]
    """For each of these authorities an age file with its pieces."""

    @property
    def digest(self) -> str:
        """SHA-256 of what its authority signed."""
        return self.document.digest

    @property
    def time(self) -> datetime:
        """When it was made, as its authority says."""
        return parse_time(self.document.body["time"])

    def open(self, name: str, identity: age.Identity) -> dict[tuple[str, Way], tuple[bytes, bytes]]:
        """Return an authority's pieces, each after the digest of the header that it belongs to.

        Raises:
            SealError: its part is not for that key, or is not what was signed.
        """
        index = [one.name for one in self.policy.authorities].index(name)
        plain = age.decrypt(self.parts[index], [identity])
        found, at = {}, len(VERSION)
        for (shot, way), hashes in self.pieces.items():
            end = at + _DIGEST + SHARE_BYTES + len(way) + 1
            bound, piece = plain[at : at + _DIGEST], plain[at + _DIGEST : end]
            if hashlib.sha256(piece).hexdigest() != hashes[index]:
                raise self._wrong()
            found[shot, way] = bound, piece
            at = end
        if plain[: len(VERSION)] != VERSION or at != len(plain):
            raise self._wrong()
        return found

    def _wrong(self) -> SealError:
        return SealError(
            f"the pieces that {self.authority.name} cut are not those that it signed",
            hint=f"ask {self.authority.name} to rewrap again",
        )


def rewrap(
    containers: Sequence[Container],
    hold: Warrant,
    policy: Policy,
    party: Party,
    key: SigningKey,
    have: Callable[[Container], Pieces],
    now: datetime,
) -> Document:
    """Cut what an authority has of held shots for the authorities of today.

    Args:
        containers: the shots; :func:`check_rewrap` has let each of them pass.
        hold: the warrant that holds them.
        policy: its newest version, whose authorities get the pieces.
        party: whose shares are cut.
        key: what it signs with.
        have: returns what it has of a shot. What was cut ``WAY_LIMIT`` times is not cut again.
        now: the time.
    """
    plain = [bytearray(VERSION) for _ in policy.authorities]
    shots = []
    for container in containers:
        header = container.header
        for way, secret in have(container).items():
            if len(way) == WAY_LIMIT:
                continue
            pieces = split(secret, policy.quorum, len(policy.authorities))
            for own, piece in zip(plain, pieces, strict=True):
                own += header.digest + piece
            hashes = [hashlib.sha256(piece).hexdigest() for piece in pieces]
            shots.append({"id": header.id, "of": list(way), "pieces": hashes})
    parts = []
    for own, authority in zip(plain, policy.authorities, strict=True):
        assert authority.recipient is not None
        sealed = age.encrypt(bytes(own), [authority.recipient])
        parts.append(base64.b64encode(sealed).decode())
    body = {
        "warrant": hold.digest,
        "policy": policy.digest,
        "authority": party.name,
        "time": format_time(now),
        "shots": shots,
        "parts": parts,
    }
    return Document(KIND, body).signed(key)


def check_rewrap(header: Header, policy: Policy) -> None:
    """Check that a shot can be rewrapped for the newest version of a policy.

    Raises:
        RefusedError: it need not be, or would be kept by weaker keys.
    """
    sealed_under = policy.of(header.policy)
    if sealed_under == policy:
        raise RefusedError(
            "of-today", f"it is sealed to the authorities of version {policy.version}, as it is"
        )
    if sealed_under and sealed_under.is_post_quantum and not policy.is_post_quantum:
        raise RefusedError(
            "weak-authorities",
            f"the keys of the authorities of version {policy.version} are not post-quantum, and it "
            "is sealed to such",
            hint="have the policy changed to keys of `sealshot authority new`",
        )


def parse_rewrap(data: bytes, policy: Policy) -> Rewrap:
    """Read a rewrap and check who signed it; its pieces are checked where they are used.

    Raises:
        SealError: it is none, or is for a policy, or of an authority, that is not known.
    """
    document = parse_document(data, KIND, _CHECKS)
    body = document.body
    party = next(map(policy.party_of, document.signers()), None)
    if (
        party is None
        or (party.role, party.name) != ("authority", body["authority"])
        or len(document.signatures) != 1
    ):
        raise SealError(
            f"the rewrap of {body['authority']} is not signed by an authority of the policy of "
            "that name",
            hint="check where it came from",
        )
    version = policy.of(body["policy"])
    if version is None:
        raise SealError(
            f"{party.name} has rewrapped for the authorities of another policy",
            hint="give the policy with all its versions",
        )
    count = len(version.authorities)
    pieces = {(one["id"], tuple(one["of"])): tuple(one["pieces"]) for one in body["shots"]}
    if (
        len(pieces) < len(body["shots"])
        or len(body["parts"]) != count
        or any(len(hashes) != count for hashes in pieces.values())
    ):
        raise SealError(
            f"the rewrap of {party.name} does not fit the authorities that it is for",
            hint=f"ask {party.name} to rewrap again",
        )
    return Rewrap(document, party, version, pieces, tuple(map(base64.b64decode, body["parts"])))


class PiecesFor:
    """What an authority has by rewraps that others made for it.

    Args:
        rewraps: some may be for others.
        party: whose pieces.
        identity: opens them.
    """

    def __init__(self, rewraps: Sequence[Rewrap], party: Party, identity: age.Identity) -> None:
        self._opened = [
            (one.digest, one.open(party.name, identity))
            for one in rewraps
            if party in one.policy.authorities
        ]

    def of(self, header: Header) -> dict[Way, bytes]:
        """Return the pieces of a shot.

        Raises:
            SealError: one was cut from another shot: somebody wants that one opened in its place.
        """
        found: dict[Way, bytes] = {}
        for digest, opened in self._opened:
            for (shot, way), (bound, piece) in opened.items():
                if shot == header.id and bound != header.digest:
                    raise SealError(
                        "a piece of a share for it was cut from another shot",
                        hint="the rewrap was put together from others; do not answer for it",
                    )
                if shot == header.id:
                    longer: Way = (*way, digest)
                    found[longer] = piece
        return found


def join(
    header: Header,
    sealed_under: Policy,
    rewraps: Sequence[Rewrap],
    given: Mapping[tuple[Way, Party], bytes],
) -> tuple[dict[str, bytes], list[str]]:
    """Return the shares, by authority, that pieces make; and what is wrong with the others.

    Args:
        header: of the shot.
        sealed_under: the version of the policy that it names.
        rewraps: of this shot and others.
        given: what parties gave, pieces and shares, by way.
    """
    wrong: list[str] = []

    def value(way: Way, party: Party, wanted: str) -> bytes | None:
        """Return the share or piece of that hash: as it was given, or joined."""
        whole = given.get((way, party))
        if whole is not None and hashlib.sha256(whole).hexdigest() == wanted:
            return whole
        if whole is not None:
            wrong.append(f"{party.name} gave a wrong piece")
        for one in _cut(header, rewraps, way, party):
            hashes = one.pieces[header.id, way]
            found = [
                piece
                for other, digest in zip(one.policy.authorities, hashes, strict=True)
                if (piece := value((*way, one.digest), other, digest)) is not None
            ]
            if len(found) < one.policy.quorum:
                continue
            with suppress(ValueError):  # they are of no one share
                joined = combine(found)
                if hashlib.sha256(joined).hexdigest() == wanted:
                    return joined
            wrong.append(f"{party.name} has cut another share than its own")
        return None

    shares = {}
    for party, wanted in zip(sealed_under.authorities, header.shares, strict=True):
        if ((), party) not in given and (share := value((), party, wanted)) is not None:
            shares[party.name] = share
    return shares, wrong


def lacking(header: Header, policy: Policy, rewraps: Sequence[Rewrap]) -> tuple[str, ...]:
    """Return who of its authorities may still rewrap a shot, so that any quorum of today opens it.

    None: any does, with the custodian. It is by what was signed; whether pieces are right shows
    when they are joined, and one more than it takes is not lost.
    """
    sealed_under, today = policy.of(header.policy) or policy, policy.authorities

    def is_whole(way: Way, party: Party) -> bool:
        """Whether any quorum of today has what a party had."""
        return any(
            one.policy == policy
            or sum(is_whole((*way, one.digest), other) for other in one.policy.authorities)
            >= one.policy.quorum
            for one in _cut(header, rewraps, way, party)
        )

    others = [party for party in sealed_under.authorities if not is_whole((), party)]
    staying = sum(party in today for party in others)
    at_least = max(0, policy.quorum - (len(today) - staying))  # of these, in a quorum of today
    whole = len(sealed_under.authorities) - len(others)
    enough = sealed_under == policy or whole + at_least >= header.quorum
    return () if enough else tuple(party.name for party in others)


def _cut(header: Header, rewraps: Sequence[Rewrap], way: Way, party: Party) -> Iterator[Rewrap]:
    """Return the rewraps by which an authority cut what it had of a shot by a way."""
    return (one for one in rewraps if one.authority == party and (header.id, way) in one.pieces)


def is_way(value: object, limit: int = WAY_LIMIT) -> bool:
    """Whether it is the way of a piece, as a list."""
    return is_list(is_sha256)(value) and isinstance(value, list) and len(value) <= limit


def _may_be_cut(value: object) -> bool:
    return is_way(value, WAY_LIMIT - 1)


_CHECKS: dict[str, Check] = {
    "warrant": is_sha256,
    "policy": is_sha256,
    "authority": is_name,
    "time": is_time,
    "shots": is_list(
        is_object({"id": is_object_id, "of": _may_be_cut, "pieces": is_list(is_sha256)})
    ),
    "parts": is_list(is_base64),
}
