"""The ceremony of opening: the request, each party's answer, and the investigator's last step.

    investigator    request = the sealed shots of a warrant, without their payloads
    each authority  answer  = its shares, sealed to the investigator
    custodian       answer  = the epochs' secrets, sealed to the investigator
    investigator    opens with the answers of a quorum and of the custodian

Each step runs where its private key is. No private key moves, and no two meet on a machine.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal import payload
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.container import Container, read_container, strip
from sealshot.runtime.seal.documents import Document, kind_of, parse_document
from sealshot.runtime.seal.fields import (
    Check,
    is_base64,
    is_list,
    is_name,
    is_object,
    is_object_id,
    is_sha256,
    is_text,
    matches,
)
from sealshot.runtime.seal.originals import OpenedOriginals, unpack_originals
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.payload import Opened
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import open_payload
from sealshot.runtime.seal.rewrap import PIECE_SIZES, Pieces, Rewrap, Way, is_way, join
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import (
    CLOCK_BEHIND,
    format_hour,
    format_time,
    is_time,
    parse_time,
)
from sealshot.runtime.seal.warrant import RefusedError, Warrant

KIND = "sealshot/answer/1"
PIECES_KIND = "sealshot/answer/2"  # with pieces of shares, see `rewrap.py`
REQUEST_LIMIT = 65_535  # shots: what a ZIP holds

Give = Callable[[Container], bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a party does not open a shot."""

    id: str
    reason: str
    fact: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one party gives to the investigator."""

    party: Party
    secrets: dict[str, bytes]
    """Id of a shot to the share, or to the epoch's secret."""
    refusals: tuple[Refusal, ...]
    time: datetime
    pieces: Mapping[tuple[str, Way], bytes] = field(default_factory=dict)
    """Id of a shot and the way of a piece to that piece."""

    @property
    def shots(self) -> tuple[str, ...]:
        """Ids of those that it gives something for."""
        return tuple(dict.fromkeys((*self.secrets, *(shot for shot, _ in self.pieces))))


def write_request(containers: Sequence[Container]) -> bytes:
    """Return the file that goes to the authorities and to the custodian.

    Raises:
        SealError: there are more shots than a request holds.
    """
    if len(containers) > REQUEST_LIMIT:
        raise SealError(
            f"{len(containers):,} shots are too many for one request",
            hint=f"ask for {REQUEST_LIMIT:,} at most: name fewer objects",
        )
    return write_zip({f"{c.header.id}.sealed": strip(c) for c in containers})


def read_request(data: bytes) -> list[Container]:
    """Read a request and verify all that is in it.

    Raises:
        SealError: it is none, or a shot in it was altered.
    """
    try:
        members = read_zip(data, limit=REQUEST_LIMIT)
    except ValueError as error:
        raise SealError(
            f"it is not a request: {error}", hint="`sealshot open --request FILE` writes one"
        ) from error
    containers = [read_container(part) for part in members.values()]
    if not containers:
        raise SealError("the request asks for no shot", hint="write it anew")
    if [f"{c.header.id}.sealed" for c in containers] != list(members):
        raise SealError("in the request a shot is not what its name says", hint="write it anew")
    return containers


def answer(
    containers: Sequence[Container],
    warrant: Warrant,
    policy: Policy,
    party: Party,
    key: SigningKey,
    give: Give,
    answered: Callable[[str], bool],
    now: datetime,
    rewrapped: Callable[[Container], Pieces] = lambda _: {},
) -> tuple[Answer, bytes]:
    """Answer a request under a warrant that is in force, shot by shot.

    Args:
        containers: the shots that are asked for.
        warrant: checked already, see :func:`~sealshot.runtime.seal.warrant.check_warrant`.
        policy: the policy of this party.
        party: who answers.
        key: what it signs with.
        give: opens this party's secret in a shot.
        answered: whether this party has answered for a shot under this warrant before.
        now: time of the answer.
        rewrapped: returns the pieces of shares that this party has of a shot.

    Returns:
        The answer, and it sealed to the investigator of the warrant.
    """
    secrets: dict[str, bytes] = {}
    pieces: dict[tuple[str, Way], bytes] = {}
    refusals = []
    for container in containers:
        shot = container.header.id
        try:
            check_scope(warrant, container, policy)
            if answered(shot):
                raise RefusedError(
                    "replayed", "it was answered for under this warrant before", hint="--again"
                )
            found = rewrapped(container)
            sealed_under = policy.of(container.header.policy) or policy
            if not found or party in sealed_under.authorities:  # under this key, not by its name
                secrets[shot] = give(container)
            pieces |= {(shot, way): piece for way, piece in found.items()}
        except RefusedError as error:
            refusals.append(Refusal(shot, error.reason, error.fact))
        except SealError as error:
            refusals.append(Refusal(shot, "cannot-open", error.fact))
    body = {
        "warrant": warrant.digest,
        "role": party.role,
        "party": party.name,
        "time": format_time(now),
        "secrets": [
            {"id": shot, "secret": base64.b64encode(secret).decode()}
            for shot, secret in secrets.items()
        ],
        "refusals": [{"id": r.id, "reason": r.reason, "fact": r.fact} for r in refusals],
    }
    if pieces:
        body["pieces"] = [
            {"id": shot, "of": list(way), "piece": base64.b64encode(piece).decode()}
            for (shot, way), piece in pieces.items()
        ]
    document = Document(PIECES_KIND if pieces else KIND, body).signed(key)
    assert warrant.investigator is not None  # none of those who open or hold is without
    sealed = age.encrypt(document.encode(), [warrant.investigator])
    return Answer(party, secrets, tuple(refusals), now, pieces), sealed


def read_answer(
    sealed: bytes, warrant: Warrant, policy: Policy, identities: Sequence[age.Identity]
) -> Answer:
    """Open an answer as the investigator.

    Raises:
        SealError: it is for somebody else, of another warrant, or not of a party of the policy.
    """
    return parse_answer(age.decrypt(sealed, identities), warrant, policy)


def parse_answer(data: bytes, warrant: Warrant, policy: Policy) -> Answer:
    """Read the document of an answer, out of its seal.

    Raises:
        SealError: it is of another warrant, or not of a party of the policy.
    """
    with_pieces = kind_of(data) == PIECES_KIND
    checks = _CHECKS | (_PIECES if with_pieces else {})
    document = parse_document(data, PIECES_KIND if with_pieces else KIND, checks)
    body = document.body
    party = next(map(policy.party_of, document.signers()), None)
    if (
        party is None
        or (party.role, party.name) != (body["role"], body["party"])
        or len(document.signatures) != 1
    ):
        raise SealError(
            f"the answer of {body['party']} is not signed by a party of the policy",
            hint="check where it came from",
        )
    if body["warrant"] != warrant.digest:
        raise SealError(
            f"the answer of {party.name} is for another warrant", hint=f"ask {party.name} again"
        )
    shots = [entry["id"] for entry in (*body["secrets"], *body["refusals"])]
    pieces = {
        (entry["id"], tuple(entry["of"])): base64.b64decode(entry["piece"])
        for entry in body.get("pieces", ())
    }
    refused = {entry["id"] for entry in body["refusals"]}
    if (
        len(set(shots)) < len(shots)
        or len(pieces) < len(body.get("pieces", ()))
        or any(shot in refused for shot, _ in pieces)
    ):
        raise SealError(f"{party.name} answered for a shot twice", hint=f"ask {party.name} again")
    return Answer(
        party,
        {entry["id"]: base64.b64decode(entry["secret"]) for entry in body["secrets"]},
        tuple(Refusal(r["id"], r["reason"], r["fact"]) for r in body["refusals"]),
        parse_time(body["time"]),
        pieces,
    )


def open_with_answers(
    container: Container,
    warrant: Warrant,
    policy: Policy,
    answers: Sequence[Answer],
    rewraps: Sequence[Rewrap] = (),
) -> Opened:
    """Open a shot with the answers of a quorum and of the custodian.

    Args:
        container: the shot.
        warrant: checked already.
        policy: under which it was ordered.
        answers: of the parties.
        rewraps: by which the authorities that answer have pieces of shares.

    Raises:
        RefusedError: the shot is outside of the warrant, also by what is inside the seal.
        SealError: answers are missing or wrong; it says whose.
    """
    opened = payload.unpack(_open(container, warrant, policy, answers, rewraps))
    taken = parse_time(opened.metadata.utc.partition(".")[0].rstrip("Z") + "Z")
    _check_hours(container, taken, opened.metadata.sealed)
    if not warrant.start <= taken < warrant.end:
        raise RefusedError(
            "outside-time", f"it was taken at {format_time(taken)}, outside of the warrant's time"
        )
    return opened


def open_originals(
    container: Container,
    warrant: Warrant,
    policy: Policy,
    answers: Sequence[Answer],
    rewraps: Sequence[Rewrap] = (),
) -> OpenedOriginals:
    """Open originals of a public stream as :func:`open_with_answers` opens a shot.

    Raises:
        RefusedError: they are outside of the warrant, also by what is inside the seal. Where only
            some are, see :meth:`OpenedOriginals.within`.
        SealError: answers are missing or wrong; it says whose.
    """
    opened = unpack_originals(_open(container, warrant, policy, answers, rewraps))
    _check_hours(container, opened.taken)
    if opened.originals.id != container.header.id:
        raise RefusedError(
            "other-part",
            "it holds another part of a public stream than it was sealed as",
            hint="the camera's program is not sealshot, or was tampered with",
        )
    if not opened.within(warrant.start, warrant.end):
        raise RefusedError(
            "outside-time",
            f"it was taken from {format_time(opened.taken)} on, outside of the warrant's time",
        )
    return opened


def _check_hours(container: Container, taken: datetime, sealed: str = "") -> None:
    header = container.header
    if header.format > 1 and format_hour(taken) != header.taken:
        raise _false_hour(f"taken in the hour {header.taken}, and it was taken", taken)
    if sealed and not _is_sealed_in(header.hour, container.signed_on, parse_time(sealed)):
        raise _false_hour(f"sealed in the hour {header.hour}, and says inside", parse_time(sealed))


def _is_sealed_in(hour: str, signed_on: str, sealed: datetime) -> bool:
    if format_hour(sealed) == hour:
        return True
    behind = parse_time(signed_on) - sealed if hour == f"{signed_on}T00" else timedelta()
    return timedelta() < behind <= CLOCK_BEHIND


def _false_hour(says: str, inside: datetime) -> RefusedError:
    return RefusedError(
        "false-hour",
        f"its header says that it was {says} at {format_time(inside)}",
        hint="the camera's program is not sealshot, or was tampered with",
    )


def _open(
    container: Container,
    warrant: Warrant,
    policy: Policy,
    answers: Sequence[Answer],
    rewraps: Sequence[Rewrap],
) -> bytes:
    check_scope(warrant, container, policy)
    sealed_under = policy.of(container.header.policy) or policy
    shot = container.header.id
    shares, epoch_secrets = {}, []
    rewrapped: dict[tuple[Way, Party], bytes] = {}
    refusals = []
    for given in answers:
        if shot in given.secrets and given.party.role == "custodian":
            epoch_secrets.append(given.secrets[shot])
        elif shot in given.secrets and given.party in sealed_under.authorities:
            shares[given.party.name] = given.secrets[shot]
            rewrapped[(), given.party] = given.secrets[shot]
        for (of, way), piece in given.pieces.items():
            if of == shot:
                rewrapped[way, given.party] = piece
        refusals += [f"{given.party.name}: {r.fact}" for r in given.refusals if r.id == shot]
    joined, wrong = join(container.header, sealed_under, rewraps, rewrapped)
    refused = f" ({'; '.join([*refusals, *wrong])})" if refusals or wrong else ""
    if not epoch_secrets:
        raise SealError(
            f"the custodian ({sealed_under.custodian.name}) has not answered for it{refused}",
            hint="`sealshot custodian answer` does; after the retention time nobody can",
        )
    try:
        return open_payload(container, shares | joined, epoch_secrets[0])
    except SealError as error:
        known, hint = {one.digest for one in rewraps}, error.hint
        if givers := {p.name for way, p in rewrapped if not known.issuperset(way)}:
            hint = f"give the --rewrap files by which {', '.join(sorted(givers))} answered"
        raise SealError(error.fact + refused, hint=hint) from error


def _has(*sizes: int) -> Check:
    """Return the check that a value is so many bytes, in base64."""
    return lambda value: (
        is_base64(value) and isinstance(value, str) and len(base64.b64decode(value)) in sizes
    )


_CHECKS: dict[str, Check] = {
    "warrant": is_sha256,
    "role": matches("authority|custodian"),
    "party": is_name,
    "time": is_time,
    "secrets": is_list(is_object({"id": is_object_id, "secret": _has(32, 33)})),
    "refusals": is_list(
        is_object({"id": is_object_id, "reason": matches("[a-z-]{1,40}"), "fact": is_text})
    ),
}
_PIECES: dict[str, Check] = {
    "pieces": is_list(is_object({"id": is_object_id, "of": is_way, "piece": _has(*PIECE_SIZES)})),
}
