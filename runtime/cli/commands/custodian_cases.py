"""`sealshot custodian answer`, `hold` and `erase`: what is done under a warrant."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.commands.answering import (
    REQUEST_LIMIT,
    add_answer,
    answer_request,
    go_by,
)
from sealshot.runtime.cli.commands.custodian_folder import CLOCK, HOLDS, LOG, SECRETS, read_own
from sealshot.runtime.cli.commands.parties import (
    single_identity,
)
from sealshot.runtime.cli.terminal import note, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.ceremony import Give, read_request
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.entries import Barred, HoldKept, Refused
from sealshot.runtime.seal.epochs import (
    KEY_SUFFIX,
    is_over,
)
from sealshot.runtime.seal.holds import Holds
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.quorum import open_epoch
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.times import format_time, parse_time, utc_now
from sealshot.runtime.seal.warrant import (
    RefusedError,
    Warrant,
    check_warrant,
    end_of_hold,
    read_warrant,
)
from sealshot.runtime.vault.clock import TrustedClock
from sealshot.runtime.vault.erasures import drop_late, place_erasure, read_erasures


def answer(arguments: Arguments, argv: list[str]) -> int:
    """Answer a request; 2 if a shot was refused."""
    add_answer(arguments)
    arguments.add_argument("--keys", type=Path, required=True)
    given = arguments.parse_args(argv)
    folder: Path = given.keys
    policy, party, key = read_own(folder, given.policy)
    log = given.log or folder / LOG
    opener = _opener(folder, policy)
    return answer_request(given, policy, party, key, opener, log)


def hold(arguments: Arguments, argv: list[str]) -> int:
    """Keep what opens shots for a case; 2 if one was refused."""
    add = arguments.add_argument
    add("request", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--keys", type=Path, required=True)
    add("--until", type=parse_time)
    given = arguments.parse_args(argv)
    policy, party, key = read_own(given.keys, given.policy)
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


def erase(arguments: Arguments, argv: list[str]) -> int:
    """Answer for shots no more."""
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--warrant", type=Path, required=True)
    arguments.add_argument("--policy", type=Path, required=True)
    given = arguments.parse_args(argv)
    folder: Path = given.folder
    policy, party, key = read_own(folder, given.policy)
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
    by_today = {digest for digest, order in orders.items() if _is_by_today(order, policy)}
    orders, late = drop_late(orders, policy, lambda _: _barred(folder / LOG) | by_today)
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


def _is_by_today(order: Warrant, policy: Policy) -> bool:
    """Whether those who could sign an order can today: its log has it, or a former custodian's."""
    then = policy.of(order.policy) or policy
    return (then.quorum, then.authorities) == (policy.quorum, policy.authorities)


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
