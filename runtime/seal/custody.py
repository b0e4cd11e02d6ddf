"""The chain of custody of opened shots, as a page to read and to print.

Words are those of ISO/IEC 27037 (collection, acquisition, preservation) where they fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape

from sealshot.runtime.seal.checkpoint import Checkpoint
from sealshot.runtime.seal.container import Header
from sealshot.runtime.seal.page import write_html, write_table
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.payload import Opened
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.seal.warrant import Warrant

CLOCKS = {
    "": "not told",
    "system": "the camera's system clock",
    "trusted": "the camera's system clock, put right by what was known of it before",
    "container": "the file of the recording",
    "given": "whoever ran the camera's program",
    "processing": "the clock while a recording was processed: not when it was taken",
}


STYLE = """\
body { max-width: 46em; }
th { width: 13em; }
pre { white-space: pre-wrap; font-size: 8pt; }
img { max-width: 14em; max-height: 14em; }
section { break-inside: avoid; }
"""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One shot, and what was verified of it."""

    header: Header
    sha256: str
    """Of the container."""
    signed_on: str
    """The day whose key signed it; empty where the camera has one key for all days."""
    opened: Opened
    entry: int
    """Its number in the camera's log, from 1."""
    entry_time: str
    """The hour in which it was logged."""
    has_hash: bool
    """Whether the log has the hash of the shot, and not its name alone (version 0.1)."""
    checkpoint: Checkpoint
    note: bytes
    """The checkpoint, as it was signed."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a file of evidence says, verified."""

    exported: datetime
    sealshot: str
    """Version of the program that exported."""
    policy: Policy
    warrant: Warrant
    signed: tuple[str, ...]
    """Names of the authorities that signed the warrant."""
    answers: tuple[tuple[str, str, datetime], ...]
    """Name, role and time of each party that answered."""
    rewraps: tuple[tuple[str, int, datetime], ...]
    """Name of each authority that gave its shares to those of a later version, which, and when."""
    exhibits: tuple[Exhibit, ...]


def write_page(account: Account) -> str:
    """Return the page (HTML); the same account always gives the same bytes."""
    warrant, policy = account.warrant, account.policy
    cameras = [(one.name, str(one.verify_key)) for one in warrant.cameras]
    count = len(account.exhibits)
    body = [
        f"<h1>Evidence in case {escape(warrant.case)}</h1>",
        f"<p>{count} sealed shot{'s' * (count != 1)}, opened under a warrant. What counts is what "
        "<code>sealshot evidence verify</code> prints of the file that this page came in; the page "
        "says it in words.</p>",
        "<h2>The order</h2>",
        write_table(
            ("Case", warrant.case),
            ("Shots of", ", ".join(dict(cameras))),
            ("Taken", f"from {_time(warrant.start)} to before {_time(warrant.end)}"),
            ("Issued, expires", f"{_time(warrant.issued)}, {_time(warrant.expires)}"),
            ("Signed by", f"{', '.join(account.signed)} ({policy.quorum} are needed)"),
            ("Investigator", f"{str(warrant.investigator)[:40]}..."),
            ("Digest of the warrant", warrant.digest),
            ("Digest of the policy", policy.digest),
        ),
        "<h2>Who released the secrets</h2>",
        write_table(
            *((f"{name} ({role})", _time(when)) for name, role, when in account.answers),
            *(
                (f"{name}, rewrapped for the authorities of version {version}", _time(when))
                for name, version, when in account.rewraps
            ),
        ),
        *(_exhibit(number, one) for number, one in enumerate(account.exhibits, 1)),
        "<h2>Keys</h2>",
        write_table(
            *((f"camera {name}", key) for name, key in cameras),
            *((f"{one.name} ({one.role})", str(one.verify_key)) for one in _parties(policy)),
        ),
        "<p>Compare them, and the digest of the policy, with what the parties themselves say: who "
        "makes up all keys can make up all the rest.</p>",
        "<h2>What this does not show</h2>",
        "<p>The times are what the camera said, by the clock that is named. A checkpoint that "
        "somebody else has kept shows when the camera's log had the shot at the latest. Who is in "
        "a picture is not told anywhere.</p>",
        f"<p>Exported at {_time(account.exported)}, as the exporter says, by sealshot "
        f"{escape(account.sealshot)}.</p>",
    ]
    return write_html(f"Case {warrant.case}", STYLE, "\n".join(body))


def _exhibit(number: int, exhibit: Exhibit) -> str:
    header, known, opened = exhibit.header, exhibit.opened.metadata, exhibit.opened
    file = f"shots/{header.id}.{known.picture}"
    logged = f"entry {exhibit.entry} of {exhibit.checkpoint.size}, in the hour {exhibit.entry_time}"
    if not exhibit.has_hash:
        logged += "; the log has its name only, as version 0.1 wrote it"
    rows = write_table(
        ("Collected", f"by camera {header.camera} from {known.source}"),
        ("Taken at", f"{known.utc}, by {CLOCKS.get(known.clock, known.clock)}"),
        ("Sealed", f"{known.sealed or header.hour}, key of epoch {header.epoch}"),
        ("Signed by the camera", _signer(exhibit)),
        ("SHA-256 of the sealed shot", exhibit.sha256),
        ("Preserved in the camera's log", logged),
        ("Acquired", "; ".join((f"picture {_sha256(opened.picture)}", *_clip(opened)))),
        ("Person, frame", f"{known.track}, {known.frame}; in view in {known.frames_seen} frames"),
        ("Chosen because", known.reason),
        ("Score", f"{known.score:.4f} ({known.score_name}, model {known.model_sha256})"),
    )
    return (
        f"<section><h2>Exhibit {number}: {header.id}</h2>"
        f'<img src="{escape(file)}" alt="the picture of exhibit {number}">'
        f"{rows}<pre>{escape(exhibit.note.decode())}</pre></section>"
    )


def _signer(exhibit: Exhibit) -> str:
    """Return with which key a shot was signed, and what is known of that key since."""
    day, later = exhibit.signed_on, exhibit.checkpoint.day
    if not day:
        return "with its one key for all days"
    signed = f"with its key of {day}, which counts for nothing of a day before"
    if later > day:
        return (
            f"{signed}; when it signed the checkpoint below it had gone on to that of {later}, and "
            "destroyed this one, as its program does"
        )
    return f"{signed}; that this was destroyed after its day is not shown here"


def _clip(opened: Opened) -> Iterable[str]:
    return (f"clip {_sha256(opened.clip)}",) if opened.clip else ()


def _parties(policy: Policy) -> Iterable[Party]:
    """Return the parties of all versions of a policy, each once, those of the newest first."""
    every = (p for one in policy.versions for p in (*one.authorities, one.custodian))
    return dict.fromkeys(every)


def _time(time: datetime) -> str:
    return format_time(time)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
