"""The policy: who must come together to open a shot, and when nobody can any more.

format = 1
quorum = 2                       # authorities that must take part
retention = "30d"                # then the epoch's key is destroyed
epoch = "day"                    # or "hour": what one epoch key is for
epoch_keys = "https://..."       # or a folder: where the custodian publishes

[custodian]
name = "custodian"
verify_key = "sealshot-key1..."

[[authorities]]
name = "judge"
recipient = "age1pq1..."
verify_key = "sealshot-key1..."
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.documents import Document, canonical
from sealshot.runtime.seal.fields import Check, is_list, is_object, is_text, matches, problem
from sealshot.runtime.seal.keys import parse_recipient
from sealshot.runtime.seal.party import PARTY, Party, parse_toml
from sealshot.runtime.seal.shamir import MAX_SHARES
from sealshot.runtime.seal.signing import VerifyKey, is_key_text, parse_verify_key
from sealshot.runtime.seal.times import (
    EpochLength,
    epoch_end,
    epoch_start,
    parse_duration,
    parse_time,
)
from sealshot.runtime.seal.versions import refuse_newer

FORMAT = 1
POLICY_LIMIT = 4 * 1024 * 1024  # bytes; an authority takes about 2 kB


@dataclass(frozen=True)  # without slots, for what is cached
class Policy:
    """Who opens, and until when."""

    quorum: int
    retention: str
    """A duration, such as ``30d``; counted from the end of the epoch."""
    epoch: EpochLength
    epoch_keys: str
    """Folder or address where the custodian publishes epoch keys."""
    custodian: Party
    authorities: tuple[Party, ...]
    previous: Policy | None = field(default=None, compare=False, repr=False)
    """The version before this one, see `succession.py`; None of the first."""
    change: Document | None = field(default=None, compare=False, repr=False)
    """By which the quorums of both made it so; None of the first."""

    @property
    def version(self) -> int:
        """Its number in the succession; the first is 1."""
        return self.previous.version + 1 if self.previous else 1

    @cached_property
    def versions(self) -> tuple[Policy, ...]:
        """This version and those before it, the newest first."""
        return (self, *(self.previous.versions if self.previous else ()))

    def end_of(self, epoch: str, digest: str = "") -> datetime:
        """Return when nobody can open the shots of an epoch any more.

        That is the earliest end that a version promises which was in force when the epoch began, or
        came after it: to keep for longer is for what is sealed from then on.

        Args:
            epoch: which.
            digest: of the version that a shot was sealed under: no longer than that one promised.
        """
        start, end = epoch_start(epoch), epoch_end(epoch)
        under = self.of(digest) or self
        retentions = [under.retention_time]
        for version in self.versions:
            retentions.append(version.retention_time)
            if version.since is None or version.since <= start:
                break
        return end + min(retentions)

    @property
    def since(self) -> datetime | None:
        """When it was written; None of the first version."""
        return parse_time(self.change.body["time"]) if self.change else None

    def of(self, digest: str) -> Policy | None:
        """Return the newest version of that digest, of this one and those before it."""
        return next((one for one in self.versions if one.digest == digest), None)

    def party_of(self, key: VerifyKey) -> Party | None:
        """Return who signs with a key, by the newest version that has it."""
        parties = (p for one in self.versions for p in (*one.authorities, one.custodian))
        return next((party for party in parties if party.verify_key == key), None)

    @property
    def is_post_quantum(self) -> bool:
        """Whether all authorities are safe from quantum computers: then others must be, too."""
        recipients = [authority.recipient for authority in self.authorities]
        return all(recipient and recipient.is_post_quantum for recipient in recipients)

    @property
    def retention_time(self) -> timedelta:
        """How long after the end of its epoch a shot can be opened."""
        return parse_duration(self.retention)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the policy rules, in hexadecimal; where keys are fetched is left out.

        Each shot names it, and to write long keys as text would take longer than to seal to them.
        """
        body = {
            "quorum": self.quorum,
            "retention": self.retention,
            "epoch": self.epoch,
            "custodian": [self.custodian.name, str(self.custodian.verify_key)],
            "authorities": [
                [a.name, str(a.recipient), str(a.verify_key)] for a in self.authorities
            ],
        }
        return hashlib.sha256(b"sealshot/policy/1\n" + canonical(body)).hexdigest()

    def authority(self, name: str) -> Party | None:
        """Return the authority of that name."""
        return next((a for a in self.authorities if a.name == name), None)

    @property
    def values(self) -> dict[str, Any]:
        """The fields of its file."""
        return {
            "format": FORMAT,
            "quorum": self.quorum,
            "retention": self.retention,
            "epoch": self.epoch,
            "epoch_keys": self.epoch_keys,
            "custodian": self.custodian.values,
            "authorities": [authority.values for authority in self.authorities],
        }

    def encode(self) -> str:
        """Return the file form (TOML)."""
        return (
            f'format = {FORMAT}\nquorum = {self.quorum}\nretention = "{self.retention}"\n'
            f'epoch = "{self.epoch}"\nepoch_keys = {_quoted(self.epoch_keys)}\n'
            f"\n[custodian]\n{self.custodian.table()}"
            + "".join(f"\n[[authorities]]\n{a.table()}" for a in self.authorities)
        )


def make_policy(
    quorum: int,
    retention: str,
    epoch: EpochLength,
    epoch_keys: str,
    custodian: Party,
    authorities: tuple[Party, ...],
) -> Policy:
    """Check a policy and return it.

    Raises:
        InputError: it could not be kept, or would protect nothing.
    """
    parse_duration(retention)
    count = len(authorities)
    if not 1 <= quorum <= count or count > MAX_SHARES:
        raise InputError(
            f"a quorum of {quorum} cannot come of {count} authorities",
            hint="give a quorum from 1 to the number of authorities (at most 255)",
        )
    for what, values in (
        ("name", [a.name for a in authorities]),
        ("recipient", [str(a.recipient) for a in authorities]),
        ("signing key", [str(a.verify_key) for a in (*authorities, custodian)]),
    ):
        if len(set(values)) < len(values):
            raise InputError(
                f"two parties have the same {what}: one would count as two",
                hint="each authority, and the custodian, makes its own keys on its own machine",
            )
    return Policy(quorum, retention, epoch, epoch_keys, custodian, authorities)


def parse_policy(data: bytes) -> Policy:
    """Read the bytes of a policy.

    Raises:
        InputError: it is none.
    """
    return policy_from(parse_toml(data, "a policy"))


def policy_from(values: dict[str, Any]) -> Policy:
    """Return the policy of the fields of its file.

    Raises:
        InputError: they are none.
    """
    refuse_newer("a policy", values.get("format"), FORMAT)
    if wrong := problem(values, _POLICY):
        raise SealError(f"it is not a policy: {wrong}", hint="`sealshot policy new` writes one")
    custodian = values["custodian"]
    return make_policy(
        values["quorum"],
        values["retention"],
        values["epoch"],
        values["epoch_keys"],
        Party("custodian", custodian["name"], parse_verify_key(custodian["verify_key"])),
        tuple(
            Party(
                "authority",
                a["name"],
                parse_verify_key(a["verify_key"]),
                parse_recipient(a["recipient"]),
            )
            for a in values["authorities"]
        ),
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_POLICY: dict[str, Check] = {
    "format": lambda value: value == FORMAT,
    "quorum": lambda value: type(value) is int,
    "retention": is_text,
    "epoch": matches("day|hour"),
    "epoch_keys": is_text,
    "custodian": is_object(PARTY),
    "authorities": is_list(is_object({**PARTY, "recipient": is_key_text(parse_recipient)})),
}
