"""`sealshot policy`: who must come together to open a shot, and until when anyone can."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, positive_int, run_action
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.policy import Policy, make_policy, read_party, read_policy

USAGE = """\
usage: sealshot policy new AUTHORITY.pub... --quorum M --custodian FILE.pub --retention TIME
                       --epoch-keys DIR|URL [--epoch day|hour] -o FILE
       sealshot policy show FILE [--json]

new   Write a policy: M of the authorities, and the custodian, must take part to open a shot.
show  Print a policy and its digest. Everybody's copy must have the same digest.

--quorum M            authorities that it takes
--custodian FILE.pub  who publishes the epoch keys, and destroys them
--retention TIME      30d or 12h: how long after its epoch a shot can be opened; then its key is
                      destroyed, and with it every copy of the shot, wherever it is
--epoch-keys DIR|URL  where the custodian publishes
--epoch day|hour      what one epoch key is for (default: day)

example:
  sealshot policy new judge.pub police.pub ombudsman.pub --quorum 2 --custodian custodian.pub \\
      --retention 30d --epoch-keys https://example.org/epochs -o policy.toml
"""


def main(argv: list[str]) -> int:
    """Run `sealshot policy`."""
    return run_action("policy", USAGE, {"new": _new, "show": _show}, argv)


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
    given = arguments.parse_args(argv)
    policy = read_policy(given.file)
    if given.json:
        say_json(
            {
                "digest": policy.digest,
                "quorum": policy.quorum,
                "authorities": [authority.name for authority in policy.authorities],
                "custodian": policy.custodian.name,
                "retention": policy.retention,
                "epoch": policy.epoch,
                "epoch_keys": policy.epoch_keys,
            }
        )
    else:
        _print(policy)
    return 0


def _print(policy: Policy) -> None:
    table(
        ("party", "role", "key"),
        [
            (party.name, party.role, str(party.verify_key))
            for party in (*policy.authorities, policy.custodian)
        ],
    )
    say(f"digest {policy.digest}")
    note(
        f"{policy.quorum} of {len(policy.authorities)} authorities and the custodian open; nobody "
        f"can {policy.retention} after the {policy.epoch} of a shot"
    )
