"""`sealshot warrant`: write, sign and check warrants."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.parties import authority_of, read_authority
from sealshot.runtime.cli.terminal import note, say, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.documents import write_file
from sealshot.runtime.seal.fields import is_object_id
from sealshot.runtime.seal.keys import parse_recipients
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, parse_duration, parse_time, utc_now
from sealshot.runtime.seal.warrant import (
    Warrant,
    check_warrant,
    new_warrant,
    read_warrant,
    signers,
)
from sealshot.runtime.vault.store import SEALED

USAGE = """\
usage: sealshot warrant new --case CASE --camera FILE.pub... --from TIME --to TIME
                        --investigator RECIPIENT --policy FILE [--expires TIME]
                        [--purpose restore | --purpose hold --until TIME] -o FILE
       sealshot warrant new --purpose erase --shot ID... --case CASE --camera FILE.pub...
                        --from TIME --to TIME --policy FILE [--expires TIME] -o FILE
       sealshot warrant show FILE --policy FILE
       sealshot warrant sign FILE --policy FILE --key FILE.key
       sealshot warrant check FILE --policy FILE

new    Write a warrant that nobody has signed yet.
show   Print what a warrant allows, and who signed it.
sign   Sign a warrant as an authority, on its own machine, after showing it. The file then goes to
       the next one; it takes as many as the policy's quorum.
check  Say whether a warrant is in force now, and if not, why (exit code 2).

--case CASE               the number of the case
--camera FILE.pub         a camera that it is for; may be repeated
--from TIME, --to TIME    UTC, as 2026-11-21 or 2026-11-21T10:20:30Z; the second is exclusive
--investigator RECIPIENT  who can read the answers: age1..., or a file with it; a key in hardware
                          too (age1tag1..., age1tagpq1...)
--expires TIME            a time, or a duration as 14d (default: 14d)
--purpose restore         to bring back people in a public stream (`sealshot restore`); a warrant
                          without it opens shots, and only these
--purpose hold            to keep shots openable beyond their time; see `sealshot custodian hold`
--until TIME              of a hold: when it ends; the authorities sign that, too
--purpose erase           to delete shots before their time, as who is on them may ask for (GDPR
                          article 17): see `sealshot vault erase`. Nobody answers it
--shot ID                 of those to erase: 32 hexadecimal digits, or the object's name; may be
                          repeated. Its camera and its hour must be in the warrant's

example:
  sealshot warrant new --case 2026-117 --camera camera-north.pub --from 2026-11-21T10 \\
      --to 2026-11-21T12 --investigator age1pq1... --policy policy.toml -o w.json
  sealshot warrant sign w.json --policy policy.toml --key judge.key

The scope of a warrant is enforced by the programs of the authorities and the custodian. That a
quorum of them must take part, and that only the investigator reads their answers, is enforced by
cryptography.
"""


def main(argv: list[str]) -> int:
    """Run `sealshot warrant`."""
    actions = {"new": _new, "show": _show, "sign": _sign, "check": _check}
    return run_action("warrant", USAGE, actions, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("warrant new", USAGE)
    add = arguments.add_argument
    add("--case", required=True)
    add("--camera", action="append", type=Path, required=True)
    add("--from", dest="start", required=True)
    add("--to", dest="end", required=True)
    add("--investigator")
    add("--shot", action="append", type=_shot, default=[])
    add("--policy", type=Path, required=True)
    add("--expires", default="14d")
    add("--purpose", choices=("open", "restore", "hold", "erase"), default="open")
    add("--until", type=parse_time)
    add("-o", dest="output", type=Path, required=True)
    given = arguments.parse_args(argv)
    recipients = parse_recipients([given.investigator]) if given.investigator else [None]
    if len(recipients) != 1:
        raise InputError("a warrant is for one investigator", hint="give one recipient")
    policy, reader = read_policy(given.policy), recipients[0]
    if policy.is_post_quantum and reader and not reader.is_post_quantum:
        raise InputError(
            "the investigator's key is weaker than those of the policy: it is not post-quantum",
            hint="`sealshot keys new --post-quantum FILE` makes one",
        )
    now = utc_now()
    expires = (
        parse_time(given.expires) if "-" in given.expires else now + parse_duration(given.expires)
    )
    warrant = new_warrant(
        given.case,
        given.purpose,
        policy,
        [read_party(path, "camera") for path in given.camera],
        (parse_time(given.start), parse_time(given.end)),
        (now - timedelta(microseconds=now.microsecond), expires),
        reader,
        given.until,
        given.shot,
    )
    write_new(given.output, warrant.document.encode().decode(), mode=0o644)
    say(warrant.digest)
    return 0


def _show(argv: list[str]) -> int:
    arguments = _arguments("show")
    given = arguments.parse_args(argv)
    warrant = read_warrant(given.file)
    _print(warrant, signers(warrant, read_policy(given.policy)))
    return 0


def _sign(argv: list[str]) -> int:
    arguments = _arguments("sign")
    arguments.add_argument("--key", type=Path, required=True)
    given = arguments.parse_args(argv)
    policy = read_policy(given.policy)
    warrant = read_warrant(given.file)
    key, _ = read_authority(given.key)
    party = authority_of(policy, key, given.key)
    if party not in policy.authorities:
        raise InputError(
            f"the key {given.key} is that of {party.name} in an earlier version of the policy: it "
            f"is none of version {policy.version}, and signs nothing any more",
            hint="the authorities of today sign: `sealshot policy history` has them",
        )
    if warrant.policy != policy.digest:
        raise InputError("the warrant is for another policy", hint="check the policy given")
    signers(warrant, policy)  # what was altered, or has a stranger's signature, is not signed
    signed = warrant.document.signed(key)
    write_file(given.file, signed.encode())
    names = signers(read_warrant(given.file), policy)
    _print(warrant, names)
    note(f"signed by {len(names)} of the {policy.quorum} authorities that it takes")
    return 0


def _check(argv: list[str]) -> int:
    given = _arguments("check").parse_args(argv)
    policy = read_policy(given.policy)
    warrant = read_warrant(given.file)
    check_warrant(warrant, policy, utc_now(), warrant.purpose)
    _print(warrant, signers(warrant, policy))
    note(f"in force until {format_time(warrant.expires)}")
    return 0


def _shot(text: str) -> str:
    """Read the id of a shot, or the name of its object."""
    name = text.rpartition("/")[2].removesuffix(SEALED)
    if not is_object_id(name):
        raise argparse.ArgumentTypeError(f"'{text}' is not the id of a shot: 32 hexadecimal digits")
    return name


def _arguments(action: str) -> Arguments:
    arguments = Arguments(f"warrant {action}", USAGE)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    return arguments


def _print(warrant: Warrant, names: list[str]) -> None:
    table(
        ("warrant", ""),
        [
            ("case", warrant.case),
            ("purpose", warrant.purpose),
            ("cameras", ", ".join(map(_camera, warrant.cameras))),
            ("from", format_time(warrant.start)),
            ("to", format_time(warrant.end)),
            ("expires", format_time(warrant.expires)),
            *([("held until", format_time(warrant.until))] if warrant.until else []),
            *(("shot", shot) for shot in warrant.shots),
            *([("for", str(warrant.investigator)[:40])] if warrant.investigator else []),
            ("signed by", ", ".join(names) or "nobody"),
            ("digest", warrant.digest),
        ],
    )


def _camera(camera: Party) -> str:
    return camera.name + (f" (former key, until {camera.until})" if camera.until else "")
