"""`sealshot policy`: who must come together to open a shot, and until when anyone can."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sealshot.runtime.cli.arguments import Arguments, positive_int, run_action
from sealshot.runtime.cli.commands.parties import read_authority
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.documents import named, write_file
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.succession import (
    add_version,
    check_time,
    draft_change,
    follow,
    proposed,
    read_change,
    read_policy,
    signers,
)
from sealshot.runtime.seal.times import utc_now

USAGE = """\
usage: sealshot policy new AUTHORITY.pub... --quorum M --custodian FILE.pub --retention TIME
                       --epoch-keys DIR|URL [--epoch day|hour] -o FILE
       sealshot policy show FILE [--json] [-o COPY]
       sealshot policy change NEW.toml --policy FILE -o CHANGE
       sealshot policy sign CHANGE --policy FILE --key FILE.key
       sealshot policy adopt CHANGE --policy FILE
       sealshot policy history FILE [--json]

new      Write a policy: M of the authorities, and the custodian, must take part to open a shot.
show     Print the policy that is in force and its digest. Everybody's copy must have the same. -o
         writes it as one file, to be edited.
change   Write, unsigned, that NEW.toml follows the policy: a party that is replaced, revoked or
         added, another quorum or retention. NEW.toml is what `show -o` wrote, edited, or a file of
         `policy new`.
sign     Sign a change as an authority, of the old policy or of the new one, on its own machine,
         after showing it. It takes a quorum of the old one and a quorum of the new one.
adopt    Put a change that is signed into force: as FILE's next version, in the folder beside it
         (policy.d/2.json beside policy.toml). Each party does so with its own copy, or copies that
         folder. A camera that runs looks for one at the turn of each epoch.
history  Print all versions, and who signed each.

--quorum M            authorities that it takes
--custodian FILE.pub  who publishes the epoch keys, and destroys them
--retention TIME      30d or 12h: how long after its epoch a shot can be opened; then its key is
                      destroyed, and with it every copy of the shot, wherever it is
--epoch-keys DIR|URL  where the custodian publishes
--epoch day|hour      what one epoch key is for (default: day)

example:
  sealshot policy new judge.pub police.pub ombudsman.pub --quorum 2 --custodian custodian.pub \\
      --retention 30d --epoch-keys https://example.org/epochs -o policy.toml
  sealshot policy show policy.toml -o without-police.toml
  sealshot policy change without-police.toml --policy policy.toml -o change.json
  sealshot policy sign change.json --policy policy.toml --key judge.key
  sealshot policy adopt change.json --policy policy.toml

Shots that were sealed under an earlier version open under a warrant by the authorities of today,
with the shares of those to whom they were sealed. A key that was revoked signs no warrant any more.
"""


def main(argv: list[str]) -> int:
    """Run `sealshot policy`."""
    actions = {
        "new": _new,
        "show": _show,
        "change": _change,
        "sign": _sign,
        "adopt": _adopt,
        "history": _history,
    }
    return run_action("policy", USAGE, actions, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("policy new", USAGE)
    add = arguments.add_argument
    add("authorities", nargs="+", type=Path)
    add("--quorum", type=positive_int, required=True)
    add("--custodian", type=Path, required=True)
    add("--retention", required=True)
    add("--epoch-keys", required=True)
    add("--epoch", choices=("day", "hour"), default="day")
    add("-o", dest="output", type=Path, required=True)
    given = arguments.parse_args(argv)
    authorities = tuple(read_party(path, "authority") for path in given.authorities)
    kinds = {a.recipient.is_post_quantum for a in authorities if a.recipient}
    if len(kinds) > 1:
        raise InputError(
            "some of the authorities have post-quantum keys and some have not: the quorum would be "
            "as weak as the weaker ones",
            hint="`sealshot authority new`, with or without --classical, for all of them",
        )
    policy = make_policy(
        given.quorum,
        given.retention,
        given.epoch,
        given.epoch_keys,
        read_party(given.custodian, "custodian"),
        authorities,
    )
    write_new(given.output, policy.encode(), mode=0o644)
    _print(policy)
    return 0


def _show(argv: list[str]) -> int:
    arguments = Arguments("policy show", USAGE)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("-o", dest="output", type=Path)
    given = arguments.parse_args(argv)
    policy = read_policy(given.file)
    if given.output:
        write_new(given.output, policy.encode(), mode=0o644)
        note(f"version {policy.version} of {given.file}: {given.output}")
    if given.json:
        say_json(
            {
                "digest": policy.digest,
                "version": policy.version,
                "quorum": policy.quorum,
                "authorities": [authority.name for authority in policy.authorities],
                "custodian": policy.custodian.name,
                "retention": policy.retention,
                "epoch": policy.epoch,
                "epoch_keys": policy.epoch_keys,
            }
        )
    elif not given.output:
        _print(policy)
    return 0


def _change(argv: list[str]) -> int:
    arguments = Arguments("policy change", USAGE)
    arguments.add_argument("new", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    arguments.add_argument("-o", dest="output", type=Path, required=True)
    given = arguments.parse_args(argv)
    policy, new = read_policy(given.policy), read_policy(given.new)
    if new.previous:
        raise InputError(
            f"{given.new} has versions of its own: it is no edited copy",
            hint="`sealshot policy show FILE -o COPY` writes one to edit",
        )
    change = draft_change(policy, new, utc_now())
    proposal = proposed(policy, change)
    write_new(given.output, change.encode().decode(), mode=0o644)
    _print_change(proposal)
    if new.epoch_keys != proposal.epoch_keys:
        note(
            f"the epoch keys stay in {proposal.epoch_keys}, and not in {new.epoch_keys}: a folder "
            "is each party's own, changed in its policy.toml"
        )
    return 0


def _sign(argv: list[str]) -> int:
    given, policy, new = _proposed("sign", argv, key=True)
    key, _ = read_authority(given.key)
    if all(key.verify_key != a.verify_key for a in (*policy.authorities, *new.authorities)):
        raise InputError(
            f"the key {given.key} is not of an authority of the policy, old or new",
            hint="check which key and which policy were given",
        )
    signers(new)  # what was altered, or has a stranger's signature, is not signed
    assert new.change is not None
    signed = new.change.signed(key)
    write_file(given.change, signed.encode())
    _print_change(proposed(policy, signed))
    return 0


def _adopt(argv: list[str]) -> int:
    given, policy, new = _proposed("adopt", argv)
    assert new.change is not None
    new = follow(policy, new.change)
    say(str(add_version(given.policy, new)))
    _print(new)
    return 0


def _history(argv: list[str]) -> int:
    arguments = Arguments("policy history", USAGE)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    rows: list[dict[str, Any]] = [
        {
            "version": version.version,
            "time": version.change.body["time"] if version.change else None,
            "quorum": version.quorum,
            "authorities": [authority.name for authority in version.authorities],
            "custodian": version.custodian.name,
            "retention": version.retention,
            "digest": version.digest,
            "signed": sorted({name for names in signers(version) for name in names})
            if version.change
            else [],
        }
        for version in reversed(read_policy(given.file).versions)
    ]
    if given.json:
        say_json(rows)
        return 0
    table(
        (">version", "time", ">quorum", "authorities", "custodian", "retention", "signed by"),
        [
            (
                str(row["version"]),
                row["time"] or "-",
                str(row["quorum"]),
                ", ".join(row["authorities"]),
                row["custodian"],
                row["retention"],
                ", ".join(row["signed"]) or "-",
            )
            for row in rows
        ],
    )
    for row in rows:
        say(f"digest of version {row['version']} {row['digest']}")
    return 0


def _proposed(
    action: str, argv: list[str], *, key: bool = False
) -> tuple[argparse.Namespace, Policy, Policy]:
    """Return what was given, the policy in force, and what the change would make of it."""
    arguments = Arguments(f"policy {action}", USAGE)
    arguments.add_argument("change", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    if key:
        arguments.add_argument("--key", type=Path, required=True)
    given = arguments.parse_args(argv)
    policy, change = read_policy(given.policy), read_change(given.change)
    with named(given.change):
        new = proposed(policy, change)
        check_time(change, utc_now())
        return given, policy, new


def _print_change(new: Policy) -> None:
    """Say what a change changes, and who has signed it."""
    old = new.previous
    assert old is not None
    before, after = ({*one.authorities, one.custodian} for one in (old, new))
    rows = [
        (what, party.role, party.name, str(party.verify_key))
        for what, parties in (("goes", before - after), ("comes", after - before))
        for party in sorted(parties, key=lambda party: (party.role, party.name))
    ]
    if rows:
        table(("change", "role", "name", "key"), rows)
    for name in ("quorum", "retention", "epoch", "epoch_keys"):
        if getattr(old, name) != getattr(new, name):
            say(f"{name} {getattr(old, name)}, then {getattr(new, name)}")
    say(f"version {new.version}, digest {new.digest}")
    for names, policy in zip(signers(new), (old, new), strict=True):
        note(
            f"signed by {len(names)} of the {policy.quorum} authorities of version "
            f"{policy.version} that it takes" + (f": {', '.join(names)}" if names else "")
        )


def _print(policy: Policy) -> None:
    table(
        ("party", "role", "key"),
        [
            (party.name, party.role, str(party.verify_key))
            for party in (*policy.authorities, policy.custodian)
        ],
    )
    say(f"digest {policy.digest}")
    if policy.change:
        note(f"version {policy.version}, of {policy.change.body['time']}")
    note(
        f"{policy.quorum} of {len(policy.authorities)} authorities and the custodian open; nobody "
        f"can {policy.retention} after the {policy.epoch} of a shot"
    )
