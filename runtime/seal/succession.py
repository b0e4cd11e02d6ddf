"""The succession of a policy: how it changes hands.

    policy.toml         version 1, whose digest the parties compared
    policy.d/2.json     a signed document: the version that follows it
    policy.d/3.json     ...

A version is in force when a quorum of the authorities before it and one of its own have signed, as
roots of The Update Framework are: the first say that it follows, the second that they have its
keys. What is in a folder is walked from the first version on, and nothing in it is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import SealError
from sealshot.runtime.files import fsync_folder, make_folder, read_regular, write_new
from sealshot.runtime.seal.documents import (
    Document,
    named,
    parse_document,
    read_file,
    write_file,
)
from sealshot.runtime.seal.entries import PolicyChanged, Started
from sealshot.runtime.seal.fields import Check, is_sha256, is_whole, matches
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.policy import POLICY_LIMIT, Policy, parse_policy, policy_from
from sealshot.runtime.seal.times import CLOCK_TOLERANCE, format_time, is_time, parse_time

KIND = "sealshot/policy-change/1"
FOLDER_SUFFIX, SUFFIX = ".d", ".json"


def draft_change(policy: Policy, new: Policy, now: datetime) -> Document:
    """Write the change from a policy to a new one, that nobody has signed.

    Raises:
        SealError: nothing would change.
    """
    if new.digest == policy.digest and _keys_at(policy, new) == policy.epoch_keys:
        raise SealError(
            f"it rules what version {policy.version} does: there is nothing to change",
            hint="edit what `sealshot policy show FILE -o COPY` writes; a folder of epoch keys is "
            "changed in each policy.toml",
        )
    body = {
        "version": policy.version + 1,
        "previous": policy.digest,
        "time": format_time(now),
        "policy": new.values,
    }
    return Document(KIND, body)


def parse_change(data: bytes) -> Document:
    """Read a change; nothing of it is checked but its form.

    Raises:
        SealError: it is none.
    """
    return parse_document(data, KIND, _CHECKS)


def read_change(path: Path) -> Document:
    """Read the file of a change; nothing of it is checked but its form.

    Raises:
        SealError: it is none.
    """
    data = read_file(path, "policy change", POLICY_LIMIT)
    with named(path):
        return parse_change(data)


def proposed(policy: Policy, change: Document) -> Policy:
    """Return what a change makes of a policy, whoever signed.

    Raises:
        SealError: it is no change of this policy, or leads to none.
    """
    version = policy.version + 1
    if change.body["version"] != version:
        raise SealError(
            f"it is version {change.body['version']} of the policy, and version {version} is what "
            "follows",
            hint="`sealshot policy history` shows the versions that are there",
        )
    if change.body["previous"] != policy.digest:
        raise SealError(
            f"version {version} follows another version {policy.version} than the one that is "
            "there: it is a fork, or of another policy",
            hint="compare `sealshot policy history` with the other parties",
        )
    before = policy.change.body["time"] if policy.change else ""
    if change.body["time"] < before:
        raise SealError(
            f"version {version} of the policy is of {change.body['time']}, before the version that "
            f"it follows, of {before}",
            hint="check the clock of the machine that wrote it, and write it anew",
        )
    new = policy_from(change.body["policy"])
    if "://" in policy.epoch_keys and "://" not in new.epoch_keys:
        raise SealError(
            f"version {version} has the epoch keys in the folder {new.epoch_keys}, and version "
            f"{policy.version} at {policy.epoch_keys}: a folder is each party's own, and no "
            "version can change to it",
            hint="leave that address in it, or give another",
        )
    for party in (*new.authorities, new.custodian):
        known = policy.party_of(party.verify_key)
        if known is not None and known != party:
            raise SealError(
                f"the {party.role} '{party.name}' of version {version} has the signing key of the "
                f"{known.role} '{known.name}' of an earlier one: by its name and keys it is asked "
                "for its shares of what was sealed then",
                hint="leave it as it was, or have it make new keys under its new name",
            )
    return replace(new, epoch_keys=_keys_at(policy, new), previous=policy, change=change)


def check_time(change: Document, now: datetime) -> None:
    """Check that a change is not of a time to come: none could follow it until then.

    Raises:
        SealError: it is.
    """
    if parse_time(change.body["time"]) > now + CLOCK_TOLERANCE:
        raise SealError(
            f"it is of {change.body['time']}, which is to come, and no other version could follow "
            "it until then",
            hint="check the clocks of this machine and of that which wrote it, and write it anew",
        )


def signers(new: Policy) -> tuple[list[str], list[str]]:
    """Return who signed the change to a version: authorities of the one before, and its own.

    Raises:
        SealError: a signature is wrong, or is not of an authority of either.
    """
    if new.change is None or new.previous is None:
        raise ValueError("nobody signs the first version")
    keys = new.change.signers()
    quorums = [
        {authority.verify_key: authority.name for authority in policy.authorities}
        for policy in (new.previous, new)
    ]
    if not keys <= quorums[0].keys() | quorums[1].keys():
        raise SealError(
            f"version {new.version} of the policy is signed by somebody who is an authority "
            "neither of it nor of the one before",
            hint="take that signature out, and check where it came from",
        )
    old, own = (sorted(names[key] for key in keys & names.keys()) for names in quorums)
    return old, own


def follow(policy: Policy, change: Document) -> Policy:
    """Return the version that follows a policy by a change.

    Raises:
        SealError: it is not signed as it must be, or does not follow it.
    """
    new = proposed(policy, change)
    old_signed, own_signed = signers(new)
    for signed, version in ((old_signed, policy), (own_signed, new)):
        if len(signed) < version.quorum:
            raise SealError(
                f"version {new.version} of the policy is signed by {len(signed)} of the "
                f"{version.quorum} authorities of version {version.version} that it takes",
                hint="`sealshot policy sign` adds a signature",
            )
    return new


def read_policy(path: Path) -> Policy:
    """Read a policy: the newest version of what lies in its file and in the folder beside it.

    Raises:
        InputError: it is none, or a version is missing, is not signed as it must be, or does not
            follow the one before it.
    """
    data = read_file(path, "policy", POLICY_LIMIT)
    with named(path):
        policy = parse_policy(data)
    files = _files(path)
    for version in range(2, max(files, default=1) + 1):
        if version not in files:
            raise SealError(
                f"{path}: version {version} of the policy is missing, and there is version "
                f"{max(files)}",
                hint=f"ask another party for {changes_folder(path) / f'{version}{SUFFIX}'}",
            )
        policy = _follow_file(policy, files[version])
    return policy


def last_seen(log: Log) -> Started | PolicyChanged | None:
    """Return the entry of a log that names the last policy that its keeper went by."""
    entries = log.newest_first(frozenset())
    return next((one for one in entries if isinstance(one, Started | PolicyChanged)), None)


def change_to_log(
    policy: Policy, seen: Started | PolicyChanged | None, time: str
) -> tuple[PolicyChanged, ...]:
    """Return what a log has to be told of a policy that its keeper goes by; nothing if it knows.

    The first version is told, too: without that another could take its place.

    Args:
        policy: the newest version that is there.
        seen: what the log has of it, see :func:`last_seen`.
        time: what it is told at.

    Raises:
        SealError: it is older than one that the log has, or does not come from that.
    """
    version = seen.version if seen else 1
    if version > policy.version:
        raise SealError(
            f"the policy is version {policy.version}, and the log has version {version}: it was "
            "set back",
            hint="get the versions that are missing from another party, into the folder beside "
            "the policy",
        )
    known = policy.versions[policy.version - version]
    if seen and seen.policy != known.digest:
        raise SealError(
            f"version {version} of the policy is another one than the log has: it was replaced, "
            "or is a fork",
            hint="put the policy back; who begins anew under another one needs a new folder, a "
            "camera a new vault, an authority another --log",
        )
    if seen is None:
        return (PolicyChanged(time, policy.digest, policy.version),)
    if version == policy.version:
        return ()
    return (PolicyChanged(time, policy.digest, policy.version, known.digest),)


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy with those that it follows, where there is none.

    Raises:
        SealError: the file is there, or cannot be written.
    """
    *later, first = policy.versions
    for version in reversed(later):
        add_version(path, version)
    write_new(path, first.encode(), mode=0o644)  # last: what lies beside it is whole by then


def add_version(path: Path, version: Policy) -> Path:
    """Write the newest version beside the file of a policy; return its file.

    Raises:
        InputError: it cannot be written.
    """
    if version.change is None:
        raise ValueError("the first version is the file itself")
    folder = changes_folder(path)
    make_folder(folder, "check the folder of the policy")
    file = folder / f"{version.version}{SUFFIX}"
    write_file(file, version.change.encode())
    fsync_folder(path.parent)
    return file


def version_name(version: int) -> str:
    """Return the file of a version after the first, beside a ``policy.toml``."""
    return str(changes_folder(Path("policy.toml")) / f"{version}{SUFFIX}")


def changes_folder(path: Path) -> Path:
    """Return where the versions after the first lie."""
    return path.with_suffix(FOLDER_SUFFIX)


def _files(path: Path) -> Mapping[int, Path]:
    folder = changes_folder(path)
    try:
        files = list(folder.iterdir())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SealError(
            f"cannot read the folder {folder}: {error.strerror}", hint="check the path"
        ) from None
    return {int(file.stem): file for file in files if _is_version(file.name)}


def _follow_file(policy: Policy, path: Path) -> Policy:
    """Return the version that lies in a folder; no FIFO there hangs whoever looks."""
    try:
        data = read_regular(path, POLICY_LIMIT, follow=True)
    except OSError as error:
        raise SealError(
            f"cannot read the policy change {path}: {error.strerror}", hint="check the path"
        ) from None
    with named(path):
        return follow(policy, parse_change(data))


def _keys_at(policy: Policy, new: Policy) -> str:
    """Return where the epoch keys of a new version are.

    An address holds for everybody. A folder is each party's own, so that theirs stays.
    """
    return new.epoch_keys if "://" in new.epoch_keys else policy.epoch_keys


_is_version = matches(rf"([2-9]|[1-9]\d{{1,3}})\{SUFFIX}")
_CHECKS: dict[str, Check] = {
    "version": lambda value: is_whole(value) and value >= 2,
    "previous": is_sha256,
    "time": is_time,
    "policy": lambda value: isinstance(value, dict),  # its fields: `policy_from`
}
