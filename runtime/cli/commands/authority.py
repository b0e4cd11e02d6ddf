"""`sealshot authority`: the keys of an authority, and its answer to a request."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.answering import answer_arguments, answer_request
from sealshot.runtime.cli.commands.parties import (
    add_name,
    authority_of,
    single_identity,
    write_party,
)
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.seal.ceremony import Give
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.epochs import is_over
from sealshot.runtime.seal.keys import PrivateKey, write_identity
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import open_share
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import RefusedError, Warrant, check_hold, read_warrant

USAGE = """\
usage: sealshot authority new FILE.key [--name NAME] [--classical]
       sealshot authority answer REQUEST --warrant FILE --policy FILE --key FILE.key -o FILE
                                 [--hold FILE] [--log FILE] [--again] [--json]

new     Make the keys of an authority, on its own machine. FILE.key is secret and stays there: an
        age identity file, from which the signing key is derived too. FILE.pub goes to whoever
        writes the policy.
answer  Open this authority's share of each shot in REQUEST that the warrant is for, and write the
        shares to -o, sealed to the investigator whom the warrant names. Each answer and each
        refusal is logged first. The exit code is 2 if a shot was refused. A shot that is over its
        retention is, unless a hold is on it.

--name NAME  of the authority (default: FILE)
--classical  X25519 instead of ML-KEM-768 with X25519: every `age` program opens its shares, and so
             may a quantum computer, one day
--hold FILE  the warrant by which shots are held beyond their retention
--log FILE   the log (default: FILE.log beside the key); see `sealshot log`
--again      answer once more for shots that were answered for under this warrant
--json       print what was answered, and what was refused

examples:
  sealshot authority new judge.key
  sealshot authority answer request.zip --warrant w.json --policy policy.toml --key judge.key \\
      -o judge.answer
"""


def main(argv: list[str]) -> int:
    """Run `sealshot authority`."""
    return run_action("authority", USAGE, {"new": _new, "answer": _answer}, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("authority new", USAGE)
    arguments.add_argument("file", type=Path)
    add_name(arguments)
    arguments.add_argument("--classical", action="store_true")
    given = arguments.parse_args(argv)
    kind = X25519Identity if given.classical else HybridIdentity
    identity: PrivateKey = kind.generate()
    name = given.name or given.file.stem
    key = SigningKey.of_authority(identity)
    party = Party("authority", name, key.verify_key, identity.recipient)
    public = given.file.with_suffix(".pub")
    write_party(public, party, key, lambda: write_identity(given.file, identity))
    say(str(public))
    return 0


def _answer(argv: list[str]) -> int:
    arguments = answer_arguments("authority answer", USAGE)
    arguments.add_argument("--key", type=Path, required=True)
    arguments.add_argument("--hold", type=Path)
    given = arguments.parse_args(argv)
    identity = single_identity(given.key)
    key = SigningKey.of_authority(identity)
    policy = read_policy(given.policy)
    party = authority_of(policy, key, given.key)
    return answer_request(
        given,
        policy,
        party,
        key,
        _opener(policy, party, identity, read_warrant(given.hold) if given.hold else None),
        given.log or given.key.with_suffix(".log"),
    )


def _opener(policy: Policy, party: Party, identity: PrivateKey, hold: Warrant | None) -> Give:
    """Return what opens the share of a shot whose time is not over, or that is on hold."""
    now = utc_now()
    if hold:
        check_hold(hold, policy, now)

    def give(container: Container) -> bytes:
        epoch = container.header.epoch
        if is_over(container.header, policy, now):
            if hold is None:
                raise RefusedError(
                    "overdue",
                    f"the time of epoch {epoch} is over: no share of it is given any more",
                    hint="a shot that is on hold opens with --hold and the warrant of the hold",
                )
            check_scope(hold, container, policy)
        return open_share(container, party.name, identity)

    return give
