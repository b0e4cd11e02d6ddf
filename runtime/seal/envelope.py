"""From a shot to a sealed shot, and back. A sealed shot is one age file around one payload."""

from __future__ import annotations

from collections.abc import Sequence

from sealshot.runtime.age import age
from sealshot.runtime.seal.payload import Opened, Origin, PictureType, Times, pack, unpack
from sealshot.runtime.types import Shot


def seal(
    shot: Shot,
    recipients: Sequence[age.Recipient],
    origin: Origin,
    times: Times | None = None,
    *,
    picture: PictureType = "jpg",
    quality: int = 95,
) -> bytes:
    """Seal a shot, in memory, so that each of the recipients can open it and nobody else.

    Raises:
        SealError: there is no recipient.
    """
    return age.encrypt(pack(shot, origin, times, picture=picture, quality=quality), recipients)


def unseal(sealed: bytes, identities: Sequence[age.Identity]) -> Opened:
    """Open a sealed shot with one of the identities.

    Raises:
        SealError: it is no sealed shot, was altered or cut short, or is for other keys.
    """
    return unpack(age.decrypt(sealed, identities))
