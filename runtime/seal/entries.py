"""What a log says: one type for each event, to write entries and to read them.

An entry is a canonical JSON object with its ``event``, its ``time`` and what else belongs to it;
fields that say nothing are left out. Events and fields that are not known here are kept as they
stand (:class:`Other`), so that a newer log can be shown. Version 0.1 wrote ``held`` for two things:
a hold that was placed on a vault, and a secret that a custodian kept for a case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from sealshot.runtime.seal.documents import canonical
from sealshot.runtime.seal.fields import is_name, is_text, is_whole
from sealshot.runtime.seal.versions import refuse_newer

FORMAT = 2
"""Of the logs that cameras write: 2 has hashes, successors, starts and stops."""


@dataclass(frozen=True, slots=True)
class Started:
    """A camera began to watch."""

    event: ClassVar[str] = "started"
    time: str
    """The hour, in a camera's log; to the second in those of the others."""
    format: int
    """Of the log, from here on."""
    policy: str
    """SHA-256 of the policy that it seals under."""
    holds: int = -1
    """How many `hold-stands` are directly before this entry: all in force; -1: it does not say."""
    version: int = 1
    """Of that policy."""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """A version of the policy took force."""

    event: ClassVar[str] = "policy-changed"
    time: str
    policy: str
    """SHA-256 of the new one."""
    version: int
    """Of it."""
    previous: str = ""
    """SHA-256 of the one that was in force; empty where the keeper of the log had none yet."""


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """From the next entry on the key of another day signs; that of before signed this one.

    Where nobody has that any more, the new key signed this, too: at the start of a log, and where
    the camera was turned to the day elsewhere.
    """

    event: ClassVar[str] = "key-changed"
    time: str
    day: str
    key: str
    certificate: str
    """Base64 of the signature of the enrolled key over both, see `certificates.py`."""
    root: str
    """Of the tree of all entries before, in hexadecimal: who signed this signed those."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A camera watched in this hour, and nobody came."""

    event: ClassVar[str] = "alive"
    time: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A camera ended as it should: not by a kill or a power cut."""

    event: ClassVar[str] = "stopped"
    time: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A shot was stored."""

    event: ClassVar[str] = "sealed"
    time: str
    id: str
    sha256: str = ""
    """Of the whole container; logs of version 0.1 have none."""
    late: int = 0
    """1 where it was logged by the run after the one that stored it."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A server acknowledged a shot."""

    event: ClassVar[str] = "uploaded"
    time: str
    id: str


@dataclass(frozen=True, slots=True)
class Purged:
    """A shot was deleted, or is about to be."""

    event: ClassVar[str] = "purged"
    time: str
    id: str
    reason: str
    successor: str = ""
    """The better shot of the person that took its place."""
    warrant: str = ""
    """Digest of the order to erase it."""


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """A camera saw a legal hold on its vault for the first time."""

    event: ClassVar[str] = "hold-placed"
    time: str
    warrant: str
    case: str
    until: str


@dataclass(frozen=True, slots=True)
class HoldStands:
    """A legal hold on a vault that is in force when its camera starts."""

    event: ClassVar[str] = "hold-stands"
    time: str
    warrant: str
    case: str
    until: str


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """The time of a legal hold on a vault was over."""

    event: ClassVar[str] = "hold-ended"
    time: str
    warrant: str
    until: str


@dataclass(frozen=True, slots=True)
class ErasurePlaced:
    """A camera saw an order to erase in its vault, for the first time since it began."""

    event: ClassVar[str] = "erasure-placed"
    time: str
    warrant: str
    case: str


@dataclass(frozen=True, slots=True)
class Published:
    """A custodian made the key of an epoch."""

    event: ClassVar[str] = "published"
    time: str
    epoch: str
    recipient: str = ""
    """SHA-256 of its public half as text; logs of version 0.1 have none."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A custodian destroyed the key of an epoch, or of a case."""

    event: ClassVar[str] = "destroyed"
    time: str
    epoch: str = ""
    warrant: str = ""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A custodian sealed the key of an epoch, or of a case, to a second one for the first time."""

    event: ClassVar[str] = "backed-up"
    time: str
    to: str
    """Name of the second custodian."""
    epoch: str = ""
    warrant: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """A second custodian opened the backup of a key."""

    event: ClassVar[str] = "restored"
    time: str
    epoch: str = ""
    warrant: str = ""


@dataclass(frozen=True, slots=True)
class HoldKept:
    """A custodian put the secret of a shot under the key of a case."""

    event: ClassVar[str] = "hold-kept"
    time: str
    id: str
    warrant: str
    case: str
    until: str


@dataclass(frozen=True, slots=True)
class Barred:
    """A custodian gives its secret of a shot to nobody any more, by an order to erase it."""

    event: ClassVar[str] = "barred"
    time: str
    id: str
    warrant: str
    case: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A party gave its secret of a shot to an investigator."""

    event: ClassVar[str] = "answered"
    time: str
    id: str
    warrant: str
    case: str


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """An authority cut what it has of a held shot for the authorities of a later version."""

    event: ClassVar[str] = "rewrapped"
    time: str
    id: str
    warrant: str
    """That holds it."""
    case: str
    version: int
    """Of the policy, whose authorities have the pieces."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A party refused: all of a warrant, or one shot."""

    event: ClassVar[str] = "refused"
    time: str
    reason: str
    warrant: str
    case: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """An entry of a kind that this sealshot does not know."""

    values: Mapping[str, Any]

    @property
    def event(self) -> str:
        """What it calls itself."""
        return str(self.values.get("event", ""))

    @property
    def time(self) -> str:
        """When it was written."""
        return str(self.values.get("time", ""))


Entry = (
    Started
    | PolicyChanged
    | KeyChanged
    | Alive
    | Stopped
    | Sealed
    | Uploaded
    | Purged
    | HoldPlaced
    | HoldStands
    | HoldEnded
    | ErasurePlaced
    | Published
    | Destroyed
    | BackedUp
    | Restored
    | HoldKept
    | Barred
    | Answered
    | Rewrapped
    | Refused
    | Other
)

_KINDS: dict[str, type[Any]] = {
    kind.event: kind
    for kind in (
        Started,
        PolicyChanged,
        KeyChanged,
        Alive,
        Stopped,
        Sealed,
        Uploaded,
        Purged,
        HoldPlaced,
        HoldStands,
        HoldEnded,
        ErasurePlaced,
        Published,
        Destroyed,
        BackedUp,
        Restored,
        HoldKept,
        Barred,
        Answered,
        Rewrapped,
        Refused,
    )
}
_FIELDS = {
    kind: {
        field.name: (int if field.type == "int" else str, field.default is MISSING)
        for field in fields(kind)
    }
    for kind in _KINDS.values()
}
"""Of each kind, name to type and whether it must be there."""
_NAMES = {"event"}.union(*_FIELDS.values())


def write_entry(entry: Entry) -> bytes:
    """Return an entry as it stands in a log."""
    return canonical(values_of(entry))


def values_of(entry: Entry) -> dict[str, Any]:
    """Return the fields of an entry that say something."""
    if isinstance(entry, Other):
        return dict(entry.values)
    values: dict[str, Any] = {"event": entry.event}
    for field in fields(entry):
        value = getattr(entry, field.name)
        if value != field.default:
            values[field.name] = value
    return values


def read_entry(text: bytes) -> Entry:
    """Read an entry; whoever signed it, what it says may end on a terminal.

    Raises:
        SealError: it is of a log of a newer format.
        ValueError: it is no canonical object of printable texts and whole numbers.
    """
    try:
        values = json.loads(text.decode())  # a field that stands twice is not canonical
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    fit = isinstance(values, dict)
    for name, value in values.items() if fit else ():
        fit = fit and (name in _NAMES or is_name(name)) and (is_text(value) or is_whole(value))
    if not fit or canonical(values) != text:
        raise ValueError("it is no entry")
    kind = _kind_of(values)
    if kind is None:
        return Other(values)
    known = _FIELDS[kind]
    for name, (wanted, needed) in known.items():
        if (needed and name not in values) or type(values.get(name, wanted())) is not wanted:
            return Other(values)
    entry: Entry = kind(**{name: values[name] for name in known if name in values})
    if isinstance(entry, Started):
        refuse_newer("a log", entry.format, FORMAT)
    return entry


def _kind_of(values: Mapping[str, Any]) -> type[Any] | None:
    event = values.get("event")
    if event == "held":  # of version 0.1
        return HoldKept if "id" in values else HoldPlaced
    return _KINDS.get(event) if isinstance(event, str) else None
