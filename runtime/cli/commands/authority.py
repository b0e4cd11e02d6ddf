"""`sealshot authority`: the keys of an authority, and its answer to a request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealshot.runtime.age import age
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.plugin import PluginIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments, file_in_folder, run_action
from sealshot.runtime.cli.commands.answering import (
    REQUEST_LIMIT,
    add_answer,
    answer_request,
    go_by,
)
from sealshot.runtime.cli.commands.parties import (
    add_name,
    authority_of,
    read_authority,
    read_rewraps,
    write_authority_in_hardware,
    write_party,
)
from sealshot.runtime.cli.terminal import Prompter, note, say, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.ceremony import read_request
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.documents import read_file, write_file
from sealshot.runtime.seal.entries import Refused, Rewrapped
from sealshot.runtime.seal.epochs import is_over
from sealshot.runtime.seal.keys import (
    PrivateKey,
    parse_recipients,
    read_openers,
    write_identity,
)
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.quorum import open_share
from sealshot.runtime.seal.rewrap import Pieces, PiecesFor, check_rewrap, rewrap
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import RefusedError, check_hold, read_warrant

USAGE = """\
usage: sealshot authority new FILE.key [--name NAME] [--classical]
       sealshot authority new FILE.key [--name NAME] --hardware IDENTITY --recipient RECIPIENT
       sealshot authority answer REQUEST --warrant FILE --policy FILE --key FILE.key -o FILE
                                 [--hold FILE] [--rewrap FILE]... [--log FILE] [--again] [--json]
       sealshot authority rewrap REQUEST --hold FILE --policy FILE --key FILE.key -o FILE
                                 [--rewrap FILE]... [--log FILE]

new     Make the keys of an authority, on its own machine. FILE.key is secret and stays there: an
        age identity file, from which the signing key is derived too. FILE.pub goes to whoever
        writes the policy. Where the key that opens its shares is in hardware, FILE.key has what
        the plugin of that says of it, and a signing key: a thief of the file can sign, and opens
        nothing. A test file is sealed and opened first.
answer  Open this authority's share of each shot in REQUEST that the warrant is for, and write the
        shares to -o, sealed to the investigator whom the warrant names. Each answer and each
        refusal is logged first. The exit code is 2 if a shot was refused. A shot that is over its
        retention is, unless a hold is on it.
rewrap  When authorities change hands, before one who leaves destroys its key: cut its share of each
        held shot in REQUEST into pieces, of which a quorum of the authorities of today has to put
        together its own to get the share, and write them to -o, sealed to each of these. No picture
        is opened, and no share. REQUEST is what `sealshot open --request` wrote under the warrant
        to hold; with the --rewrap files of all who did this it says whether it is enough.

--name NAME  of the authority (default: FILE)
--classical  X25519 instead of ML-KEM-768 with X25519: every `age` program opens its shares, and so
             may a quantum computer, one day
--hardware IDENTITY  the identity file (AGE-PLUGIN-...) that age-plugin-NAME made
--recipient RECIPIENT  that belongs to it: age1tagpq1... or age1tag1...
--hold FILE  the warrant by which shots are held beyond their retention
--rewrap FILE  what others have rewrapped for this authority; may be repeated
--log FILE   the log (default: FILE.log beside the key); see `sealshot log`
--again      answer once more for shots that were answered for under this warrant
--json       print what was answered, and what was refused

examples:
  sealshot authority new judge.key
  sealshot authority answer request.zip --warrant w.json --policy policy.toml --key judge.key \\
      -o judge.answer
  sealshot authority rewrap held.zip --hold hold.json --policy policy.toml --key police.key \\
      -o police.rewrap
"""


def main(argv: list[str]) -> int:
    """Run `sealshot authority`."""
    actions = {"new": _new, "answer": _answer, "rewrap": _rewrap}
    return run_action("authority", USAGE, actions, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("authority new", USAGE)
    arguments.add_argument("file", type=Path)
    add_name(arguments)
    arguments.add_argument("--classical", action="store_true")
    arguments.add_argument("--hardware")
    arguments.add_argument("--recipient")
    given = arguments.parse_args(argv)
    if (given.classical and given.hardware) or bool(given.hardware) != bool(given.recipient):
        arguments.error("--hardware and --recipient go together, and without --classical")
    if given.hardware:
        return _new_in_hardware(given.file, given.name, given.hardware, given.recipient)
    kind = X25519Identity if given.classical else HybridIdentity
    identity: PrivateKey = kind.generate()
    name = given.name or given.file.stem
    key = SigningKey.of_authority(identity)
    party = Party("authority", name, key.verify_key, identity.recipient)
    public = given.file.with_suffix(".pub")
    write_party(public, party, key, lambda: write_identity(given.file, identity))
    say(str(public))
    return 0


def _new_in_hardware(file: Path, name: str | None, identity_file: str, text: str) -> int:
    openers = read_openers(identity_file, Prompter())
    [recipient], identity = parse_recipients([text]), openers[0]
    if len(openers) != 1 or not isinstance(identity, PluginIdentity):
        raise InputError(
            f"{identity_file} does not hold one key in hardware (AGE-PLUGIN-...)",
            hint="give what the plugin of the hardware wrote; without --hardware a key is made",
        )
    note("a test of the key: whoever holds it may be asked to touch it")
    age.decrypt(age.encrypt(b"", [recipient]), openers)  # else no share would ever open
    key = SigningKey.generate()
    public = file.with_suffix(".pub")
    party = Party("authority", name or file.stem, key.verify_key, recipient)
    write_party(public, party, key, lambda: write_authority_in_hardware(file, identity, key))
    say(str(public))
    return 0


def _answer(argv: list[str]) -> int:
    arguments = Arguments("authority answer", USAGE)
    add_answer(arguments)
    arguments.add_argument("--key", type=Path, required=True)
    arguments.add_argument("--hold", type=Path)
    arguments.add_argument("--rewrap", action="append", type=Path, default=[])
    given = arguments.parse_args(argv)
    own = _Own(given.key, given.policy, given.hold, given.rewrap)
    log = given.log or given.key.with_suffix(".log")
    return answer_request(given, own.policy, own.party, own.key, own.share, log, own.pieces)


def _rewrap(argv: list[str]) -> int:
    arguments = Arguments("authority rewrap", USAGE)
    add = arguments.add_argument
    add("request", type=Path)
    add("--hold", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--key", type=Path, required=True)
    add("--rewrap", action="append", type=Path, default=[])
    add("-o", dest="output", type=file_in_folder, required=True)
    add("--log", type=Path)
    given = arguments.parse_args(argv)
    own = _Own(given.key, given.policy, given.hold, given.rewrap)
    hold, policy, now = own.hold, own.policy, utc_now()
    assert hold is not None
    time, digest, case = format_time(now), hold.digest, hold.case
    containers = read_request(read_file(given.request, "request", REQUEST_LIMIT))
    if given.output.exists():  # pieces of pieces need it, also when its maker's key is gone
        raise InputError(f"{given.output} exists", hint="give another file with -o")
    passed, have = [], {}
    with Log(given.log or given.key.with_suffix(".log"), own.party.name, own.key) as log:
        go_by(policy, log, now)
        for container in containers:
            shot = container.header.id
            try:
                check_scope(hold, container, policy)
                check_rewrap(container.header, policy)
                have[shot] = own.has(container)
            except SealError as error:
                reason = error.reason if isinstance(error, RefusedError) else "cannot-open"
                log.append(Refused(time, reason, digest, case, id=shot))
                warn(f"{shot}: refused: {error.fact}")
                continue
            passed.append(container)
        document = rewrap(
            passed, hold, policy, own.party, own.key, lambda one: have[one.header.id], now
        )
        if passed:
            ids = [container.header.id for container in passed]
            log.append(*(Rewrapped(time, shot, digest, case, policy.version) for shot in ids))
            write_file(given.output, document.encode())
    note(
        f"{len(passed)} of {counted(len(containers), 'shot')} rewrapped for the authorities of "
        f"version {policy.version}, case {case}"
    )
    return 0 if len(passed) == len(containers) else 2


class _Own:
    """What an authority has, and gives of shots whose time is not over, or that are on hold."""

    def __init__(self, key: Path, policy: Path, hold: Path | None, rewraps: Sequence[Path]) -> None:
        self.key, self._identity = read_authority(key)
        self.policy = read_policy(policy)
        self.party = authority_of(self.policy, self.key, key)
        self.hold = read_warrant(hold) if hold else None
        self._now = utc_now()
        if self.hold:
            check_hold(self.hold, self.policy, self._now)
        self._rewrapped = PiecesFor(read_rewraps(rewraps, self.policy), self.party, self._identity)

    def share(self, container: Container) -> bytes:
        """Open its share of a shot."""
        self._check_time(container)
        sealed_under = self.policy.of(container.header.policy) or self.policy
        if self.party not in sealed_under.authorities:
            raise RefusedError(
                "no-share",
                f"it was sealed under version {sealed_under.version} of the policy, of which "
                f"{self.party.name} is no authority, and no --rewrap has a piece of it for "
                f"{self.party.name}",
            )
        return open_share(container, self.party.name, self._identity)

    def pieces(self, container: Container) -> Pieces:
        """Return its pieces of the shares of others."""
        self._check_time(container)
        return self._rewrapped.of(container.header)

    def has(self, container: Container) -> Pieces:
        """Return both, by their ways."""
        found = dict(self.pieces(container))
        sealed_under = self.policy.of(container.header.policy) or self.policy
        if not found or self.party in sealed_under.authorities:
            found[()] = self.share(container)
        return found

    def _check_time(self, container: Container) -> None:
        if not is_over(container.header, self.policy, self._now):
            return
        if self.hold is None:
            raise RefusedError(
                "overdue",
                f"the time of epoch {container.header.epoch} is over: no share of it is given any "
                "more",
                hint="a shot that is on hold opens with --hold and the warrant of the hold",
            )
        check_scope(self.hold, container, self.policy)
