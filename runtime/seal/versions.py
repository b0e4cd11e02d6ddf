"""What a reader says of a format that is newer than itself."""

from __future__ import annotations

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.fields import is_whole


def refuse_newer(what: str, version: object, known: int) -> None:
    """Refuse a format above ``known``; what is no version at all is left to the other checks.

    Raises:
        SealError: it is newer.
    """
    if is_whole(version) and version > known:
        raise SealError(
            f"it is {what} of format {version}, and this sealshot reads up to {known}",
            hint="update sealshot: pip install -U sealshot",
        )
