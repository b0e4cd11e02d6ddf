"""`sealshot custodian`: publish epoch keys, destroy them on time, answer, hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.answering import (
    REQUEST_LIMIT,
    answer_arguments,
    answer_request,
    go_by,
)
from sealshot.runtime.cli.commands.parties import (
    add_name,
    read_signing_key,
    single_identity,
    write_party,
    write_signing_key,
)
from sealshot.runtime.cli.terminal import note, say, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.files import file_error, fsync_folder
from sealshot.runtime.seal.ceremony import Give, read_request
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.entries import Barred, Destroyed, HoldKept, Published, Refused
from sealshot.runtime.seal.epochs import (
    KEY_SUFFIX,
    destroy_file,
    expired,
    is_over,
    publish,
)
from sealshot.runtime.seal.holds import Holds
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import open_epoch
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import add_version, read_policy
from sealshot.runtime.seal.times import format_time, parse_duration, parse_time, utc_now
from sealshot.runtime.seal.warrant import (
    RefusedError,
    Warrant,
    check_warrant,
    end_of_hold,
    read_warrant,
)
from sealshot.runtime.vault.clock import TrustedClock
from sealshot.runtime.vault.erasures import drop_late, place_erasure, read_erasures

USAGE = """\
usage: sealshot custodian new DIR [--name NAME]
       sealshot custodian publish DIR --policy FILE --to DIR [--ahead TIME]
       sealshot custodian destroy DIR --policy FILE [--clock-is-right]
       sealshot custodian rotate  DIR --policy FILE --to DIR [--ahead TIME] [--clock-is-right]
       sealshot custodian answer REQUEST --warrant FILE --policy FILE --keys DIR -o FILE
                                 [--again] [--json]
       sealshot custodian hold REQUEST --warrant FILE --policy FILE --keys DIR [--until TIME]
       sealshot custodian erase DIR --warrant FILE --policy FILE

new      Make the custodian's signing key in DIR, on its own machine, and NAME.pub for the policy. A
         custodian whose signing key was stolen, and no more, makes a new DIR, moves epochs/ and
         holds/ of the old one into it, and has the policy changed to it (`sealshot policy change`).
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

--ahead TIME      how far ahead keys are published (default: 7d)
--clock-is-right  destroy by the system's clock although it jumped
--keys DIR        the custodian's folder

examples:
  sealshot custodian new custodian
  sealshot custodian rotate custodian --policy policy.toml --to epochs/
"""

SIGNING_KEY, LOG, CLOCK, SECRETS, HOLDS = "custodian.key", "log", "clock", "epochs", "holds"


def main(argv: list[str]) -> int:
    """Run `sealshot custodian`."""
    actions = {
        "new": _new,
        "publish": _publish,
        "destroy": _destroy,
        "rotate": _rotate,
        "answer": _answer,
        "hold": _hold,
        "erase": _erase,
    }
    return run_action("custodian", USAGE, actions, argv)


def _new(argv: list[str]) -> int:
    arguments = Arguments("custodian new", USAGE)
    arguments.add_argument("folder", type=Path)
    add_name(arguments)
    given = arguments.parse_args(argv)
    folder: Path = given.folder
    name = given.name or folder.resolve().name
    _make(folder, 0o700)
    _make(folder / SECRETS, 0o700)
    _make(folder / HOLDS, 0o700)
    key = SigningKey.generate()
    public = folder / f"{name}.pub"
    party = Party("custodian", name, key.verify_key)
    write_party(public, party, key, lambda: write_signing_key(folder / SIGNING_KEY, key))
    say(str(public))
    return 0


def _publish(argv: list[str]) -> int:
    given = _arguments("publish", to=True).parse_args(argv)
    folder: Path = given.folder
    return _do_publish(folder, given.to, given.ahead, *_own(folder, given.policy))


def _destroy(argv: list[str]) -> int:
    given = _arguments("destroy", clock=True).parse_args(argv)
    folder: Path = given.folder
    return _do_destroy(folder, *_own(folder, given.policy), accept=given.clock_is_right)


def _rotate(argv: list[str]) -> int:
    given = _arguments("rotate", to=True, clock=True).parse_args(argv)
    folder: Path = given.folder
    own = _own(folder, given.policy)
    try:
        _do_publish(folder, given.to, given.ahead, *own)
    finally:  # whatever keeps it from publishing: keys die on time
        code = _do_destroy(folder, *own, accept=given.clock_is_right)
    return code


def _answer(argv: list[str]) -> int:
    arguments = answer_arguments("custodian answer", USAGE)
    arguments.add_argument("--keys", type=Path, required=True)
    given = arguments.parse_args(argv)
    folder: Path = given.keys
    policy, party, key = _own(folder, given.policy)
    log = given.log or folder / LOG
    opener = _opener(folder, policy)
    return answer_request(given, policy, party, key, opener, log)


def _hold(argv: list[str]) -> int:
    arguments = Arguments("custodian hold", USAGE)
    add = arguments.add_argument
    add("request", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--keys", type=Path, required=True)
    add("--until", type=parse_time)
    given = arguments.parse_args(argv)
    policy, party, key = _own(given.keys, given.policy)
    warrant = read_warrant(given.warrant)
    containers = read_request(read_file(given.request, "request", REQUEST_LIMIT))
    now = utc_now()
    until = end_of_hold(warrant, given.until, now)
    holds = Holds(given.keys / HOLDS)
    time, digest, case_name = format_time(now), warrant.digest, warrant.case
    refused, opener = 0, _opener(given.keys, policy)
    with Log(given.keys / LOG, party.name, key) as log:
        go_by(policy, log, now)
        try:
            check_warrant(warrant, policy, now, "hold")
        except RefusedError as error:
            log.append(Refused(time, error.reason, digest, case_name))
            raise
        case = holds.case(warrant.digest, until)
        for container in containers:
            shot = container.header.id
            try:
                check_scope(warrant, container, policy)
                secret = opener(container)
            except SealError as error:
                refused += 1
                reason = error.reason if isinstance(error, RefusedError) else "cannot-open"
                log.append(Refused(time, reason, digest, case_name, id=shot))
                warn(f"{shot}: refused: {error.fact}")
                continue
            log.append(HoldKept(time, shot, digest, case_name, format_time(until)))
            holds.keep(container.header, secret, case)
    kept = len(containers) - refused
    note(f"{kept} of {len(containers)} on hold for case {warrant.case}")
    return 2 if refused else 0


def _erase(argv: list[str]) -> int:
    arguments = Arguments("custodian erase", USAGE)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--warrant", type=Path, required=True)
    arguments.add_argument("--policy", type=Path, required=True)
    given = arguments.parse_args(argv)
    folder: Path = given.folder
    policy, party, key = _own(folder, given.policy)
    warrant, now = read_warrant(given.warrant), utc_now()
    with Log(folder / LOG, party.name, key) as log:
        go_by(policy, log, now)
        check_warrant(warrant, policy, now, "erase")
        place_erasure(folder, warrant, policy)
        time, digest, case = format_time(now), warrant.digest, warrant.case
        barred = [Barred(time, shot, digest, case) for shot in warrant.shots]
        # the log is asked, not the folder: a crash between the two leaves it to the next time
        known = {(one.id, one.warrant) for one in log.entries() if isinstance(one, Barred)}
        if new := [one for one in barred if (one.id, one.warrant) not in known]:
            log.append(*new)
    note(f"answered for no more: {counted(len(warrant.shots), 'shot')}, case {warrant.case}")
    return 0


def _opener(folder: Path, policy: Policy) -> Give:
    """Return what opens the epoch's secret of a shot: with its epoch's key, or that of a case.

    A key whose time is over is not used, also where it was not destroyed yet. To refuse can be
    made good, so that the later of the clocks that may be right is taken.
    """
    holds = Holds(folder / HOLDS)
    now = max(TrustedClock(folder / CLOCK).peek().time, utc_now())
    orders, wrong = read_erasures(folder, policy)
    orders, late = drop_late(orders, policy, lambda _: _barred(folder / LOG))
    for name, what in (wrong | late).items():
        warn(f"the order to erase {name} is not followed: {what}")

    def give(container: Container) -> bytes:
        if holds.find(container.header, now) is None and _is_erased(container, orders, policy):
            raise RefusedError("erased", "a quorum ordered to erase it")
        path = folder / SECRETS / (container.header.epoch + KEY_SUFFIX)
        if path.exists() and not is_over(container.header, policy, now):
            return open_epoch(container, single_identity(path))
        kept = holds.find(container.header, now)
        if kept is None and path.exists():
            raise RefusedError(
                "overdue",
                f"the time of epoch {container.header.epoch} is over: its key is not used any more",
                hint="`sealshot custodian rotate` destroys it: have a timer run it",
            )
        if kept is None:
            raise SealError(
                f"the key of epoch {container.header.epoch} is destroyed: nobody opens it any more",
                hint="only a shot that was put on hold before can be opened",
            )
        return kept

    return give


def _barred(log: Path) -> set[str]:
    """Return the orders to erase that a custodian's log has."""
    entries = entries_of(lines_in(log)) if log.exists() else []
    return {entry.warrant for entry in entries if isinstance(entry, Barred)}


def _is_erased(container: Container, orders: Mapping[str, Warrant], policy: Policy) -> bool:
    """Whether an order to erase is for a shot."""
    for warrant in orders.values():
        if container.header.id in warrant.shots:
            with suppress(SealError):
                check_scope(warrant, container, policy)
                return True
    return False


def _do_publish(
    folder: Path, to: Path, ahead: str, policy: Policy, party: Party, key: SigningKey
) -> int:
    if party != policy.custodian:
        raise InputError(
            f"{folder} is of {party.name}, who is not the custodian of version {policy.version} of "
            "the policy any more",
            hint=f"{policy.custodian.name} publishes; `sealshot custodian destroy` goes on here",
        )
    _make(to, 0o755)
    now = TrustedClock(folder / CLOCK).peek()
    if now.warning:
        warn(now.warning)
    with Log(folder / LOG, party.name, key) as log:
        go_by(policy, log, now.time)
        for version in policy.versions[:-1]:  # cameras take them from there
            add_version(to / "policy.toml", version)
        done = publish(key, policy, folder / SECRETS, to, now.time, parse_duration(ahead))
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
    return 0


def _do_destroy(
    folder: Path, policy: Policy, party: Party, key: SigningKey, *, accept: bool
) -> int:
    now = TrustedClock(folder / CLOCK, accept=accept).now()
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


def _own(folder: Path, policy_file: Path) -> tuple[Policy, Party, SigningKey]:
    """Return the policy, and who has the folder: its custodian, or that of an earlier version."""
    policy = read_policy(policy_file)
    key = read_signing_key(folder / SIGNING_KEY)
    party = policy.party_of(key.verify_key)
    if party is None or party.role != "custodian":
        raise InputError(
            f"{folder} is not of the custodian of the policy",
            hint="check which folder and which policy were given",
        )
    return policy, party, key


def _arguments(action: str, *, to: bool = False, clock: bool = False) -> Arguments:
    arguments = Arguments(f"custodian {action}", USAGE)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    if to:
        arguments.add_argument("--to", type=Path, required=True)
        arguments.add_argument("--ahead", default="7d")
    if clock:
        arguments.add_argument("--clock-is-right", action="store_true")
    return arguments


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        fsync_folder(folder.parent)
    except OSError as error:
        raise file_error(f"the folder {folder} cannot be made", error, "choose another") from error
