"""Warrants: which shots may be opened, for whom, until when; signed by a quorum of authorities.

Cryptography enforces that m authorities and the custodian take part, and that their answers can
only be read by the investigator whom the warrant names. The scope is enforced by each party's own
program, which refuses to answer outside of it: a quorum that wants to can go beyond.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.documents import Document, kind_of, named, parse_document, read_file
from sealshot.runtime.seal.fields import (
    Check,
    is_list,
    is_name,
    is_object,
    is_object_id,
    is_sha256,
    is_text,
    matches,
)
from sealshot.runtime.seal.keys import PublicKey, parse_recipient
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.signing import is_key_text, parse_verify_key
from sealshot.runtime.seal.times import (
    CLOCK_TOLERANCE,
    format_time,
    is_hour,
    is_time,
    parse_time,
)

KIND = "sealshot/warrant/2"
FIRST_KIND = "sealshot/warrant/1"  # of version 0.1: without the end of a hold
ERASE_KIND = "sealshot/erasure/1"
SHOTS_LIMIT = 10_000
WARRANT_LIMIT = 4 * 1024 * 1024  # bytes


class RefusedError(SealError):
    """An opening is refused; ``reason`` is one word for logs and machines."""

    def __init__(self, reason: str, fact: str, hint: str = "") -> None:
        super().__init__(fact, hint)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Warrant:
    """What a warrant allows."""

    document: Document
    id: str
    case: str
    purpose: str
    """``open`` shots; ``restore`` people in a public stream; ``hold`` either: keep it openable
    beyond its time; or ``erase`` either before its time."""
    policy: str
    """SHA-256 of the policy."""
    cameras: tuple[Party, ...]
    """One that was enrolled again is there under each of its keys, that of today last."""
    start: datetime
    end: datetime
    """Exclusive."""
    issued: datetime
    expires: datetime
    investigator: PublicKey | None
    """Whom answers are sealed to. None of an order to erase, which nobody answers."""
    until: datetime | None
    """When a hold ends. None of other warrants, and of one that version 0.1 wrote."""
    shots: tuple[str, ...] = ()
    """Ids of those to erase. None of other warrants: they are for all in their scope."""

    @property
    def digest(self) -> str:
        """SHA-256 of what the authorities sign."""
        return self.document.digest


def new_warrant(
    case: str,
    purpose: str,
    policy: Policy,
    cameras: Sequence[Party],
    period: tuple[datetime, datetime],
    validity: tuple[datetime, datetime],
    investigator: PublicKey | None,
    until: datetime | None = None,
    shots: Sequence[str] = (),
) -> Warrant:
    """Write a warrant that nobody has signed.

    Raises:
        InputError: its times run backwards, its case is no text, or it has not what belongs to its
            purpose.
    """
    start, end = period
    issued, expires = validity
    if start >= end or issued >= expires:
        raise InputError(
            "the warrant would end before it begins",
            hint="--from comes before --to, and it expires in the future",
        )
    if (until is None) == (purpose == "hold"):
        raise InputError(
            "a warrant to hold says until when, and one to open does not",
            hint="give --until TIME with --purpose hold, and only there",
        )
    if bool(shots) != (purpose == "erase"):
        raise InputError(
            "a warrant to erase names its shots, and another does not",
            hint="give --shot ID with --purpose erase, and only there",
        )
    if len(set(shots)) > SHOTS_LIMIT:
        raise InputError(
            f"a warrant to erase names at most {SHOTS_LIMIT:,} shots", hint="write several"
        )
    if (investigator is None) != (purpose == "erase"):
        raise InputError(
            "a warrant names who can read the answers, and one to erase, which has none, does not",
            hint="give --investigator RECIPIENT, and leave it out with --purpose erase",
        )
    if not is_text(case) or not case.strip():
        raise InputError("the case has no printable name", hint="give --case NUMBER")
    body = {
        "id": secrets.token_hex(16),
        "case": case,
        "purpose": purpose,
        "policy": policy.digest,
        "cameras": [
            {"name": one.name, "key": str(one.verify_key)}
            | ({"until": one.until} if one.until else {})
            for camera in cameras
            for one in camera.under_each_key
        ],
        "from": format_time(start),
        "to": format_time(end),
        "issued": format_time(issued),
        "expires": format_time(expires),
    }
    if purpose == "erase":
        return parse_warrant(Document(ERASE_KIND, body | {"shots": sorted(set(shots))}).encode())
    body |= {"investigator": str(investigator), "until": format_time(until) if until else ""}
    return parse_warrant(Document(KIND, body).encode())


def read_warrant(path: Path) -> Warrant:
    """Read a warrant; nothing of it is checked but its form.

    Raises:
        SealError: it is none.
    """
    data = read_file(path, "warrant", WARRANT_LIMIT)
    with named(path):
        return parse_warrant(data)


def parse_warrant(data: bytes) -> Warrant:
    """Read the bytes of a warrant.

    Raises:
        SealError: it is none.
    """
    kind = kind_of(data)
    if kind not in _BODIES:
        kind = KIND
    document = parse_document(data, kind, _BODIES[kind])
    body = document.body
    cameras = tuple(
        Party("camera", one["name"], parse_verify_key(one["key"]), until=one.get("until", ""))
        for one in body["cameras"]
    )
    of_today = [one.name for one in cameras if not one.until]
    keys = {one.verify_key for one in cameras}
    if not cameras or len(keys) < len(cameras) or len(set(of_today)) < len(of_today):
        raise SealError("the warrant names no camera, or one twice", hint="write it anew")
    return Warrant(
        document=document,
        id=body["id"],
        case=body["case"],
        purpose=body["purpose"],
        policy=body["policy"],
        cameras=cameras,
        start=parse_time(body["from"]),
        end=parse_time(body["to"]),
        issued=parse_time(body["issued"]),
        expires=parse_time(body["expires"]),
        investigator=parse_recipient(body["investigator"]) if "investigator" in body else None,
        until=parse_time(body["until"]) if body.get("until") else None,
        shots=tuple(body.get("shots", ())),
    )


def end_of_hold(warrant: Warrant, given: datetime | None, now: datetime) -> datetime:
    """Return when a hold under a warrant ends: what the authorities signed.

    Args:
        warrant: to hold.
        given: what the caller takes for it, if it says so.
        now: the time.

    Raises:
        InputError: it is past, or another one than was given, or nobody signed one.
    """
    if warrant.until is None:
        raise InputError(
            "the warrant does not say until when it holds",
            hint="`sealshot warrant new --purpose hold --until TIME` writes one that does",
        )
    if given is not None and given != warrant.until:
        raise InputError(
            f"the authorities signed a hold until {format_time(warrant.until)}, not until "
            f"{format_time(given)}",
            hint="leave --until out, or have another warrant signed",
        )
    if warrant.until <= now:
        raise InputError(
            f"the end of the hold, {format_time(warrant.until)}, is in the past",
            hint="have a warrant signed with a time to come",
        )
    return warrant.until


def signers(warrant: Warrant, policy: Policy) -> list[str]:
    """Return the names of the authorities that signed.

    Raises:
        RefusedError: a signature is wrong, or is not of an authority of the policy.
    """
    try:
        keys = warrant.document.signers()
    except SealError as error:
        raise RefusedError("altered", error.fact, error.hint) from None
    names = {authority.verify_key: authority.name for authority in policy.authorities}
    for key in keys - names.keys():
        former = policy.party_of(key)
        if former and former.role == "authority":
            raise RefusedError(
                "revoked-signature",
                f"the warrant is signed by a key of {former.name} that is none of version "
                f"{policy.version} of the policy any more",
                hint="write the warrant anew, and have the authorities of today sign it",
            )
        raise RefusedError(
            "foreign-signature",
            "the warrant is signed by somebody who is no authority of the policy",
            hint="take that signature out, and check where the warrant came from",
        )
    return sorted(names[key] for key in keys)


def check_warrant(warrant: Warrant, policy: Policy, now: datetime, purpose: str = "open") -> None:
    """Check that a warrant is in force.

    Raises:
        RefusedError: it is not; the reason is named.
    """
    check_signed(warrant, policy, purpose)
    if now >= warrant.expires:
        raise RefusedError(
            "expired",
            f"the warrant expired at {format_time(warrant.expires)}",
            hint="have a new one signed; if it should not have, check this machine's clock",
        )
    if now < warrant.issued - CLOCK_TOLERANCE:
        raise RefusedError(
            "not-yet-valid",
            f"the warrant is only valid from {format_time(warrant.issued)} on",
            hint="check this machine's clock",
        )


def check_hold(warrant: Warrant, policy: Policy, now: datetime) -> None:
    """Check that a warrant orders a hold that has not ended; its own time may be over.

    Raises:
        RefusedError: it does not; the reason is named.
    """
    check_placed(warrant, policy)
    if warrant.until is None or warrant.until <= now:
        end = format_time(warrant.until) if warrant.until else "a time that nobody signed"
        raise RefusedError("hold-ended", f"the hold is until {end}", hint="give one that goes on")


def check_placed(warrant: Warrant, policy: Policy, purpose: str = "hold") -> None:
    """Check that a quorum signed a hold, or an erasure, of the policy or of a version before it.

    What was placed lasts although its signers were replaced; a new one takes those of today.
    """
    check_signed(warrant, policy.of(warrant.policy) or policy, purpose)


def check_signed(warrant: Warrant, policy: Policy, purpose: str) -> None:
    """Check that a quorum signed a warrant to that purpose, under the newest of these policies."""
    if warrant.policy != policy.digest:
        raise _of_another_policy(warrant, policy)
    check_investigator(warrant, policy)
    signed = signers(warrant, policy)
    if len(signed) < policy.quorum:
        raise RefusedError(
            "too-few-signatures",
            f"the warrant is signed by {len(signed)} of the {policy.quorum} authorities it takes",
            hint="`sealshot warrant sign` adds a signature",
        )
    if warrant.purpose != purpose:
        raise RefusedError(
            "other-purpose",
            f"the warrant is to {warrant.purpose} shots, not to {purpose} them",
            hint=f"`sealshot warrant new --purpose {purpose}` writes one",
        )


def _of_another_policy(warrant: Warrant, policy: Policy) -> RefusedError:
    if earlier := policy.of(warrant.policy):
        return RefusedError(
            "superseded",
            f"the warrant was signed under version {earlier.version} of the policy, and version "
            f"{policy.version} is in force",
            hint="write the warrant anew, and have the authorities of today sign it",
        )
    return RefusedError(
        "other-policy",
        "the warrant is for another policy",
        hint="give the policy that the cameras were enrolled with, with all its versions",
    )


def check_investigator(warrant: Warrant, policy: Policy) -> None:
    """Check that answers would be no weaker than what was sealed under a policy."""
    reader = warrant.investigator
    if policy.is_post_quantum and reader and not reader.is_post_quantum:
        raise RefusedError(
            "weak-investigator",
            "the investigator's key is weaker than those of the policy: answers to it would not "
            "be post-quantum",
            hint="`sealshot keys new --post-quantum` makes one; then write the warrant anew",
        )


_CAMERA: dict[str, Check] = {"name": is_name, "key": is_key_text(parse_verify_key)}
_COMMON: dict[str, Check] = {
    "id": is_object_id,
    "case": lambda value: is_text(value) and bool(value.strip()),
    "purpose": matches("open|restore|hold"),
    "policy": is_sha256,
    "cameras": is_list(
        lambda value: is_object(_CAMERA)(value) or is_object({**_CAMERA, "until": is_hour})(value)
    ),
    "from": is_time,
    "to": is_time,
    "issued": is_time,
    "expires": is_time,
}
_ANSWERED = _COMMON | {"investigator": is_key_text(parse_recipient)}
_BODIES: dict[str, dict[str, Check]] = {
    FIRST_KIND: _ANSWERED,
    KIND: _ANSWERED | {"until": lambda value: value == "" or is_time(value)},
    ERASE_KIND: _COMMON
    | {
        "purpose": matches("erase"),
        "shots": lambda value: is_list(is_object_id)(value) and 0 < len(value) <= SHOTS_LIMIT,
    },
}
