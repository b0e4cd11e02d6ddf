"""Does a vault hold what it should? Each object on its own, and all against the camera's log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.container import HEADER, PAYLOAD, Container, read_container
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.vault.holds import Holds
from sealshot.runtime.vault.logged import Logged
from sealshot.runtime.vault.record import ERASED
from sealshot.runtime.vault.retention import end_of
from sealshot.runtime.vault.store import SEALED

PRESENT, UNSIGNED, PURGED = "present", "unsigned", "purged"
"""In order: whole, signed and logged; an age file, which nobody signs; gone, and logged as such."""
ALTERED, FOREIGN, MISPLACED, UNKNOWN, MISSING, LEFT, OVERDUE, UNEXPLAINED = (
    "altered",
    "foreign",
    "misplaced",
    "unknown",
    "missing",
    "not deleted",
    "overdue",
    "unexplained",
)
_OF_ALL_COPIES = ("retention", ERASED)
WRONG = (ALTERED, FOREIGN, MISPLACED, UNKNOWN, MISSING, LEFT, OVERDUE, UNEXPLAINED)


class Listed(Protocol):
    """What a listing of a vault or of a bucket tells of an object."""

    @property
    def id(self) -> str:
        """``<epoch>/<name>``."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def epoch(self) -> str:
        """The UTC day or hour whose folder it is in."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one object."""

    id: str
    state: str
    what: str = ""
    bytes: int = 0
    signed_on: str = ""
    """The day whose key signed it; empty where the camera has one key for all days."""

    @property
    def is_wrong(self) -> bool:
        """Whether a person should look at it."""
        return self.state in WRONG


@dataclass(frozen=True, slots=True)
class Rules:
    """What objects are checked against."""

    cameras: Sequence[Party] = ()
    """Who may have sealed. Empty: whoever signed it."""
    policy: Policy | None = None
    retention: timedelta | None = None
    now: datetime | None = None
    holds: Holds | None = None


@dataclass(slots=True)
class Checked:
    """The objects of a vault, each on its own, before the log is asked."""

    findings: dict[str, Finding] = field(default_factory=dict)
    cameras: dict[str, str] = field(default_factory=dict)
    """Id to the camera that signed."""
    digests: dict[str, str] = field(default_factory=dict)
    """Id to the SHA-256 of what lies there."""


def check_objects(
    objects: Iterable[Listed],
    read: Callable[[str], bytes],
    rules: Rules,
    done: Callable[[], None] = lambda: None,
) -> Checked:
    """Check each object on its own: form, hashes, signature, signer, place, time.

    Args:
        objects: which.
        read: returns the bytes of one, by its id; raises OSError.
        rules: what they are checked against.
        done: called after each.
    """
    checked = Checked()
    for found in objects:
        checked.findings[found.id], camera, digest = _check(found, read, rules)
        if camera:
            checked.cameras[found.id] = camera
            checked.digests[found.id] = digest
        done()
    return checked


def compare(
    checked: Checked, before: Logged, after: Logged, is_there: Callable[[str], bool]
) -> list[Finding]:
    """Compare the objects with the log of their camera, which a run may be adding to.

    Args:
        checked: what is there.
        before: the log, read before the vault was listed.
        after: the log, read after that.
        is_there: looks again.
    """
    findings = dict(checked.findings)
    known_before = before.sealed.keys() | before.purged.keys()
    known_after = after.sealed.keys() | after.purged.keys()
    for object_id, finding in checked.findings.items():
        if finding.is_wrong or checked.cameras.get(object_id) not in (before.camera, None):
            continue
        if object_id in before.purged and is_there(object_id):
            what = f"the log has it as purged: {before.purged[object_id]}"
            findings[object_id] = Finding(object_id, LEFT, what, finding.bytes)
        elif finding.state == PRESENT and object_id not in known_after:
            what = "the log does not know it"
            findings[object_id] = Finding(object_id, UNKNOWN, what, finding.bytes)
        elif after.sealed.get(object_id) not in (None, "", checked.digests.get(object_id)):
            what = "it is not the shot that was logged: other bytes, signed by the camera's key"
            findings[object_id] = Finding(object_id, ALTERED, what, finding.bytes)
    for object_id in sorted(known_before - checked.findings.keys()):
        if object_id in after.unexplained:
            what = after.unexplained[object_id]
            findings[object_id] = Finding(object_id, UNEXPLAINED, what)
        elif object_id in after.purged:
            findings[object_id] = Finding(object_id, PURGED, after.purged[object_id])
        elif not is_there(object_id):
            what = "the log has it as sealed, and nobody logged that it went"
            findings[object_id] = Finding(object_id, MISSING, what)
    return list(findings.values())


def compare_copy(checked: Checked, log: Logged, rules: Rules) -> list[Finding]:
    """Compare a copy of the objects, as uploads made it, with the log of their camera.

    What left the vault for another reason than its age, or an order to erase it, may stay there.
    What was not uploaded, and what is over its time, need not be there.
    """
    findings = dict(checked.findings)
    for object_id, finding in checked.findings.items():
        if finding.state != PRESENT or checked.cameras[object_id] != log.camera:
            continue
        if object_id not in log.sealed:
            wrong = UNKNOWN, "the log does not know it"
        elif log.sealed[object_id] not in ("", checked.digests[object_id]):
            wrong = ALTERED, "it is not the shot that was logged"
        elif (reason := log.purged.get(object_id)) in _OF_ALL_COPIES:
            wrong = LEFT, f"the log has it as purged: {reason}"
        else:
            continue
        findings[object_id] = Finding(object_id, *wrong, finding.bytes)
    for object_id in sorted(log.uploaded - checked.findings.keys()):
        if log.purged.get(object_id) == ERASED:
            findings[object_id] = Finding(object_id, PURGED, "it was erased")
        elif log.purged.get(object_id) == "retention" or _is_over(object_id, rules):
            findings[object_id] = Finding(object_id, PURGED, "its time is over")
        else:
            what = "the log has it as uploaded, and it is not there"
            findings[object_id] = Finding(object_id, MISSING, what)
    return list(findings.values())


def _is_over(object_id: str, rules: Rules) -> bool:
    if rules.retention is None or rules.now is None:
        return False
    return end_of(object_id.partition("/")[0], rules.retention, rules.policy) <= rules.now


def _check(found: Listed, read: Callable[[str], bytes], rules: Rules) -> tuple[Finding, str, str]:
    """Return what was found of an object, the camera, and the hash of the bytes."""

    def finding(state: str, what: str, signed_on: str = "") -> Finding:
        return Finding(found.id, state, what, found.bytes, signed_on)

    try:
        data = read(found.id)
        if not found.id.endswith(SEALED):
            _check_age(data)
            return finding(*_check_time(found, rules, UNSIGNED)), "", ""
        container = read_container(data)
    except OSError as error:
        return finding(ALTERED, f"it cannot be read: {error.strerror}"), "", ""
    except SealError as error:
        return finding(ALTERED, error.fact), "", ""
    header, digest = container.header, hashlib.sha256(data).hexdigest()
    if wrong := _foreign(container, rules):
        return finding(FOREIGN, wrong), header.camera, digest
    if found.id != f"{header.epoch}/{header.id}{SEALED}":
        what = f"it is {header.epoch}/{header.id}{SEALED}"
        return finding(MISPLACED, what), header.camera, digest
    state, what = _check_time(found, rules, PRESENT)
    return finding(state, what, container.signed_on), header.camera, digest


def _foreign(container: Container, rules: Rules) -> str:
    header = container.header
    if container.payload is None:
        return f"its {PAYLOAD} was left out"
    keys = {camera.verify_key: camera for camera in rules.cameras}
    camera = keys.get(container.camera_key)
    if keys and (camera is None or camera.name != header.camera):
        return f"it is signed by another key than that of the camera, and says '{header.camera}'"
    if camera and not camera.may_have_sealed(header.hour):
        return (
            f"it is signed by a former key of the camera, good until the hour {camera.until}, and "
            f"says that it was sealed in {header.hour}"
        )
    if rules.policy and rules.policy.of(header.policy) is None:
        return f"its {HEADER} names another policy"
    return ""


def _check_time(found: Listed, rules: Rules, state: str) -> tuple[str, str]:
    if rules.retention is None or rules.now is None:
        return state, ""
    end = end_of(found.epoch, rules.retention, rules.policy)
    hold = rules.holds.of(found.id) if rules.holds else None
    if end > rules.now:
        return state, ""
    if hold:
        return state, f"on hold for case {hold.warrant.case} until {hold.until:%Y-%m-%d}"
    return OVERDUE, f"its time was over at {end:%Y-%m-%dT%H:%MZ}"


class _Stranger:
    """An identity that nothing is sealed to: it is asked once the header was read as a whole."""

    def __init__(self) -> None:
        self.was_asked = False

    def unwrap(self, stanza: age.Stanza) -> None:
        """Say that the stanza is for somebody else."""
        self.was_asked = True


def _check_age(data: bytes) -> None:
    """Check what can be checked of an age file without its key: that its header is whole.

    Raises:
        SealError: it is not.
    """
    stranger = _Stranger()
    try:
        age.decrypt(data, [stranger])
    except SealError:
        if not stranger.was_asked:
            raise
