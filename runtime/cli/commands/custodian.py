"""`sealshot custodian`: publish epoch keys, destroy them on time, answer, hold."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.answering import (
    go_by,
)
from sealshot.runtime.cli.commands.custodian_backup import backup, restore
from sealshot.runtime.cli.commands.custodian_cases import answer, erase, hold
from sealshot.runtime.cli.commands.custodian_folder import (
    CLOCK,
    HOLDS,
    LOG,
    SECRETS,
    SIGNING_KEY,
    read_own,
    read_second,
)
from sealshot.runtime.cli.commands.parties import (
    add_name,
    write_party,
    write_signing_key,
)
from sealshot.runtime.cli.terminal import note, say, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import make_private
from sealshot.runtime.seal.entries import Destroyed, Published
from sealshot.runtime.seal.epochs import (
    KEY_SUFFIX,
    destroy_file,
    expired,
    publish,
)
from sealshot.runtime.seal.holds import Holds
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import add_version
from sealshot.runtime.seal.times import format_time, parse_duration
from sealshot.runtime.vault.clock import TrustedClock

USAGE = """\
usage: sealshot custodian new DIR [--name NAME]
       sealshot custodian publish DIR --policy FILE --to DIR [--ahead TIME] [--second]
       sealshot custodian destroy DIR --policy FILE [--clock-is-right] [--second]
       sealshot custodian rotate  DIR --policy FILE --to DIR [--ahead TIME] [--clock-is-right]
                                 [--second]
       sealshot custodian answer REQUEST --warrant FILE --policy FILE --keys DIR -o FILE
                                 [--again] [--json]
       sealshot custodian hold REQUEST --warrant FILE --policy FILE --keys DIR [--until TIME]
       sealshot custodian erase DIR --warrant FILE --policy FILE
       sealshot custodian backup DIR --policy FILE --second FILE.pub --from DIR|URL --to BACKUP
       sealshot custodian restore BACKUP --policy FILE --keys DIR --to NEW

new      Make the custodian's signing key in DIR, on its own machine, and NAME.pub for the policy. A
         custodian whose signing key was stolen, and no more, makes a new DIR, moves epochs/,
         holds/ and .erasures/ of the old one into it, and has the policy changed to it (`sealshot
         policy change`).
publish  Make the keys of this epoch and the next ones; write the signed public halves to --to, a
         folder that cameras read or that a web server serves, and the versions of the policy, which
         cameras take from there.
destroy  Destroy the private keys whose time is over: after that nobody opens those shots, wherever
         copies of them are. Cases on hold have keys of their own, which die at their own time.
rotate   Both; for a timer (cron, systemd), at least once an epoch.
answer   Open the epoch's secret of each shot in REQUEST that the warrant is for, and write them to
         -o, sealed to the investigator. The exit code is 2 if a shot was refused.
hold     Under a warrant with --purpose hold: keep the secrets of the shots in REQUEST under a key
         of the case until the end that it says, beyond their retention. Copies of the shots must
         be kept too: the camera forgets its own on time. It is logged.
erase    Under a warrant with --purpose erase: answer for the shots that it names no more, so that
         no copy of them opens, wherever it lies; see also `sealshot vault erase`. What is on hold
         opens until that ends. It is logged.
backup   Seal each key that lives, of an epoch or of a case, to the key of a second custodian that
         dies last of those that die by then: so a backup dies on its day, wherever it lies. Run it
         after each rotate. FILE.pub and --from are of the second custodian: a DIR of `custodian
         new` on another machine, which the policy does not name, and a timer there that runs
         `custodian rotate --second`. Whoever has both its keys and BACKUP has those of DIR.
         Orders to erase lie beside; custodian.key, log and policy open nothing: back them up as
         other files.
restore  On the machine of the second custodian, DIR: open what is in BACKUP and not over, and put
         it into NEW, which `custodian new` made there. It is logged. Then have the policy changed
         to NEW/NAME.pub (`sealshot policy change`), and rotate with NEW: cameras go on by
         themselves.

--ahead TIME      how far ahead keys are published (default: 7d)
--clock-is-right  destroy by the system's clock although it jumped
--keys DIR        the custodian's folder
--second          DIR is of a second custodian

examples:
  sealshot custodian new custodian
  sealshot custodian rotate custodian --policy policy.toml --to epochs/
  sealshot custodian backup custodian --policy policy.toml --second second.pub \\
      --from https://second.example.org/epochs --to backup/
"""


def main(argv: list[str]) -> int:
    """Run `sealshot custodian`."""
    actions: dict[str, Callable[[Arguments, list[str]], int]] = {
        "new": _new,
        "publish": _publish,
        "destroy": _destroy,
        "rotate": _rotate,
        "answer": answer,
        "hold": hold,
        "erase": erase,
        "backup": backup,
        "restore": restore,
    }
    bound = {
        name: partial(action, Arguments(f"custodian {name}", USAGE))
        for name, action in actions.items()
    }
    return run_action("custodian", USAGE, bound, argv)


def _new(arguments: Arguments, argv: list[str]) -> int:
    arguments.add_argument("folder", type=Path)
    add_name(arguments)
    given = arguments.parse_args(argv)
    folder: Path = given.folder
    name = given.name or folder.resolve().name
    make_private(folder, 0o700)
    make_private(folder / SECRETS, 0o700)
    make_private(folder / HOLDS, 0o700)
    key = SigningKey.generate()
    public = folder / f"{name}.pub"
    party = Party("custodian", name, key.verify_key)
    write_party(public, party, key, lambda: write_signing_key(folder / SIGNING_KEY, key))
    say(str(public))
    return 0


def _publish(arguments: Arguments, argv: list[str]) -> int:
    given = _parse(arguments, argv, to=True)
    return _do_publish(given, *_own(given))


def _destroy(arguments: Arguments, argv: list[str]) -> int:
    given = _parse(arguments, argv, clock=True)
    return _do_destroy(given, *_own(given))


def _rotate(arguments: Arguments, argv: list[str]) -> int:
    given = _parse(arguments, argv, to=True, clock=True)
    own = _own(given)
    try:
        _do_publish(given, *own)
    finally:  # whatever keeps it from publishing: keys die on time
        code = _do_destroy(given, *own)
    return code


def _own(given: argparse.Namespace) -> tuple[Policy, Party, SigningKey]:
    read = read_second if given.second else read_own
    return read(given.folder, given.policy)


def _do_publish(given: argparse.Namespace, policy: Policy, party: Party, key: SigningKey) -> int:
    folder, to, ahead = given.folder, given.to, parse_duration(given.ahead)
    rules = replace(policy, custodian=party) if given.second else policy
    if party != rules.custodian:
        raise InputError(
            f"{folder} is of {party.name}, who is not the custodian of version {policy.version} of "
            "the policy any more",
            hint=f"{policy.custodian.name} publishes; `sealshot custodian destroy` goes on here",
        )
    make_private(to, 0o755)
    now = TrustedClock(folder / CLOCK).peek()
    if now.warning:
        warn(now.warning)
    with Log(folder / LOG, party.name, key) as log:
        go_by(policy, log, now.time)
        for version in () if given.second else policy.versions[:-1]:  # cameras take them there
            add_version(to / "policy.toml", version)
        done = publish(key, rules, folder / SECRETS, to, now.time, ahead)
        if done.made:
            log.append(
                *(
                    Published(
                        format_time(now.time),
                        epoch,
                        hashlib.sha256(str(recipient).encode()).hexdigest(),
                    )
                    for epoch, recipient in done.made
                )
            )
    made = [epoch for epoch, _ in done.made]
    which = f": {made[0]} to {made[-1]}" if made else ""
    note(f"{counted(len(made), 'epoch key')} published{which}")
    if done.again:
        note(f"{len(done.again)} published again: {done.again[0]} to {done.again[-1]}")
    if away := done.elsewhere:
        warn(
            f"{counted(len(away), 'key is', 'keys are')} published and not in {folder}: {away[0]} "
            f"to {away[-1]}. What is sealed to them opens only where they are: restore them "
            "(`sealshot custodian restore`), or have another custodian take over"
        )
    return 0


def _do_destroy(given: argparse.Namespace, policy: Policy, party: Party, key: SigningKey) -> int:
    folder: Path = given.folder
    now = TrustedClock(folder / CLOCK, accept=given.clock_is_right).now()
    if now.warning:
        warn(now.warning)
    holds = Holds(folder / HOLDS)
    gone = expired(folder / SECRETS, policy, now.earliest)
    cases = holds.expired(now.earliest)
    time = format_time(now.time)
    with Log(folder / LOG, party.name, key) as log:
        go_by(policy, log, now.time)
        for epoch in gone:
            # Logged first: a crash between the two destroys and logs again.
            log.append(Destroyed(time, epoch=epoch))
            destroy_file(folder / SECRETS / (epoch + KEY_SUFFIX))
        for case in cases:
            log.append(Destroyed(time, warrant=case))
            holds.destroy(case)
    of_cases = counted(len(cases), "key of a case", "keys of cases")
    note(f"{counted(len(gone), 'epoch key')} and {of_cases} destroyed")
    return 0


def _parse(
    arguments: Arguments, argv: list[str], *, to: bool = False, clock: bool = False
) -> argparse.Namespace:
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    if to:
        arguments.add_argument("--to", type=Path, required=True)
        arguments.add_argument("--ahead", default="7d")
    if clock:
        arguments.add_argument("--clock-is-right", action="store_true")
    arguments.add_argument("--second", action="store_true")
    return arguments.parse_args(argv)
