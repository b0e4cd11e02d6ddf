"""What a warrant is for: which shots, of which cameras, sealed under which policy."""

from __future__ import annotations

from datetime import timedelta

from sealshot.runtime.seal.container import Container, Header
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import parse_time
from sealshot.runtime.seal.warrant import RefusedError, Warrant, check_investigator

CONTENT = {"open": "shot", "restore": "originals"}
"""What a container must hold for a warrant of a purpose; one to hold is for all."""


def check_scope(warrant: Warrant, container: Container, policy: Policy) -> None:
    """Check that a sealed shot is one of those that the warrant is for.

    Raises:
        RefusedError: it is not; the reason is named.
    """
    check_header(warrant, container.header, policy)


def check_header(warrant: Warrant, header: Header, policy: Policy) -> None:
    """Check the same by a header alone, which nobody has verified: to choose what is fetched."""
    ordered_under = policy.of(warrant.policy) or policy
    sealed_under = ordered_under.of(header.policy)
    if sealed_under is None and policy.of(header.policy):
        raise RefusedError(
            "other-policy",
            f"it was sealed under a later version of the policy than version "
            f"{ordered_under.version}, which the warrant is of",
            hint="write the warrant anew, and have the authorities of today sign it",
        )
    if sealed_under is None:
        raise RefusedError(
            "other-policy",
            "it was sealed under another policy",
            hint="give that policy; one that is newer than yours comes with all its versions",
        )
    if (header.quorum, header.authorities) != (
        sealed_under.quorum,
        tuple(authority.name for authority in sealed_under.authorities),
    ):
        raise RefusedError("false-header", "its header contradicts the policy that it names")
    check_investigator(warrant, sealed_under)
    of_name = [one for one in warrant.cameras if one.name == header.camera]
    if not of_name:
        raise RefusedError("other-camera", f"the warrant is not for the camera '{header.camera}'")
    camera = next((one for one in of_name if str(one.verify_key) == header.camera_key), None)
    if camera is None:
        raise RefusedError(
            "false-camera",
            f"it is not signed by the camera '{header.camera}' that the warrant names",
            hint="somebody else may have made it; or the camera was enrolled again: write the "
            "warrant with its newest .pub file",
        )
    if not camera.may_have_sealed(header.hour):
        raise RefusedError(
            "former-key",
            f"it is signed by a former key of the camera '{header.camera}', good until the hour "
            f"{camera.until}, and says that it was sealed in {header.hour}",
            hint="whoever has the former key may have made it",
        )
    if CONTENT.get(warrant.purpose, header.content) != header.content:
        raise RefusedError(
            "other-content",
            f"it holds {header.content}, and the warrant is to {warrant.purpose}",
            hint="`sealshot warrant new --purpose` says for what a warrant is",
        )
    if warrant.purpose == "erase" and header.id not in warrant.shots:
        raise RefusedError("other-shot", f"the warrant does not name the shot {header.id}")
    hour = parse_time(header.taken)
    if not (hour < warrant.end and hour + timedelta(hours=1) > warrant.start):
        raise RefusedError(
            "outside-time",
            f"it was taken in the hour {header.taken}, outside of the warrant's time",
        )
