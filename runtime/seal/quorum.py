"""Sealing to a quorum, each party's part in opening, and the opening itself. See FORMAT.md.

Two secrets open a shot: ``ka``, of which each authority has a share, and ``ke``, which the
custodian's epoch key opens until it is destroyed. The payload is an age file to a key pair that is
derived from both and from the header, used once, and never written down.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sealshot.runtime.age import age
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.container import (
    EPOCH,
    PAYLOAD,
    Container,
    Header,
    format_of,
    share_name,
    write_container,
)
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.epochs import EpochKey
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.shamir import combine, split
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import format_hour

SECRET_BYTES = 32
SHARE_BYTES = SECRET_BYTES + 1
VERSION = b"\x01"

_PAYLOAD_INFO = b"sealshot/payload key/1"


@dataclass(frozen=True, slots=True)
class Camera:
    """Who seals: the name and key of a camera, and the policy that it trusts."""

    name: str
    key: SigningKey | DayKeys
    policy: Policy


def seal_to_quorum(
    plaintext: bytes,
    camera: Camera,
    epoch: EpochKey,
    now: datetime,
    taken: datetime,
    shot_id: str,
    content: str = "shot",
) -> bytes:
    """Seal, in memory, and return the container.

    Args:
        plaintext: what it holds.
        camera: who seals, under which policy.
        epoch: the key of the present epoch.
        now: of it, the hour is told outside of the seal, and
        taken: of it too.
        shot_id: 128 bits that nobody can guess, in hexadecimal.
        content: what ``plaintext`` is: ``shot`` or ``originals``.
    """
    policy, hour = camera.policy, format_hour(now)
    if isinstance(camera.key, DayKeys):  # a clock may go back a little when a day has just begun
        hour = max(hour, f"{camera.key.day}T00")
    quorum_secret, epoch_secret = os.urandom(SECRET_BYTES), os.urandom(SECRET_BYTES)
    shares = split(quorum_secret, policy.quorum, len(policy.authorities))
    header = Header(
        format=format_of(content, camera.key),
        id=shot_id,
        camera=camera.name,
        camera_key=str(camera.key.verify_key),
        hour=hour,
        taken=format_hour(taken),
        epoch=epoch.epoch,
        policy=policy.digest,
        quorum=policy.quorum,
        authorities=tuple(authority.name for authority in policy.authorities),
        shares=tuple(hashlib.sha256(share).hexdigest() for share in shares),
        content=content,
    )
    parts = {}
    for index, (authority, share) in enumerate(zip(policy.authorities, shares, strict=True), 1):
        if authority.recipient is None:
            raise ValueError("an authority of the policy has no recipient")
        bound = VERSION + header.digest + share
        parts[share_name(index)] = age.encrypt(bound, [authority.recipient])
    parts[EPOCH] = age.encrypt(VERSION + header.digest + epoch_secret, [epoch.recipient])
    key = payload_identity(quorum_secret, epoch_secret, header)
    parts[PAYLOAD] = age.encrypt(plaintext, [key.recipient])
    return write_container(header, parts, camera.key)


def open_share(container: Container, name: str, identity: age.Identity) -> bytes:
    """Return an authority's share: 33 bytes.

    Raises:
        SealError: the shot has no share for it, or the share is not of this shot.
    """
    if name not in container.header.authorities:
        raise SealError(
            f"there is no share for {name} in it", hint="it was sealed to other authorities"
        )
    index = container.header.authorities.index(name) + 1
    share = open_bound(container.parts[share_name(index)], container.header, identity)
    if not _is_share(share, index, container.header):
        raise _swapped()
    return share


def open_epoch(container: Container, identity: age.Identity) -> bytes:
    """Return the epoch's secret: 32 bytes.

    Raises:
        SealError: it is sealed to another key, or is not of this shot.
    """
    return open_bound(container.parts[EPOCH], container.header, identity)


def open_bound(sealed: bytes, header: Header, identity: age.Identity) -> bytes:
    """Open an age file with a secret that is bound to a header.

    Raises:
        SealError: it cannot be opened, or it belongs to another header: somebody put the secret of
            one shot under the header of another to have it opened for them.
    """
    plain = age.decrypt(sealed, [identity])
    bound, secret = plain[: 1 + hashlib.sha256().digest_size], plain[33:]
    if bound != VERSION + header.digest or len(secret) not in (SECRET_BYTES, SHARE_BYTES):
        raise _swapped()
    return secret


def open_payload(container: Container, shares: Mapping[str, bytes], epoch_secret: bytes) -> bytes:
    """Open a shot with the shares of a quorum (by authority) and the epoch's secret.

    Raises:
        SealError: there are too few shares, one is wrong (it is named), or the epoch's secret is.
    """
    header = container.header
    for name, share in shares.items():
        known = name in header.authorities
        if not known or not _is_share(share, header.authorities.index(name) + 1, header):
            raise SealError(
                f"the share that {name} gave is not of this shot", hint=f"ask {name} again"
            )
    if len(shares) < header.quorum:
        raise SealError(
            f"{len(shares)} of the {header.quorum} authorities that it takes have answered",
            hint="more of " + ", ".join(n for n in header.authorities if n not in shares),
        )
    if container.payload is None:
        raise SealError("its payload was left out", hint="give the object from the vault")
    key = payload_identity(combine(list(shares.values())), epoch_secret, header)
    try:
        return age.decrypt(container.payload, [key])
    except SealError as error:
        raise SealError(
            "the shares are right, but the secret that the custodian gave does not open it",
            hint="ask the custodian again",
        ) from error


def payload_identity(quorum_secret: bytes, epoch_secret: bytes, header: Header) -> X25519Identity:
    """Derive the key pair of a payload: HKDF-SHA-256 over both secrets, salted with the header.

    X25519 is enough here, also against a quantum computer: to use the ephemeral share of the age
    file one needs the recipient, and it is never written anywhere.
    """
    secret = quorum_secret + epoch_secret
    return X25519Identity(age.derive_key(secret, salt=header.digest, info=_PAYLOAD_INFO))


def _is_share(share: bytes, index: int, header: Header) -> bool:
    fits = len(share) == SHARE_BYTES and share[-1] == index
    return fits and hashlib.sha256(share).hexdigest() == header.shares[index - 1]


def _swapped() -> SealError:
    return SealError(
        "a secret in it was sealed for another shot",
        hint="the object was put together from others; do not answer for it",
    )
