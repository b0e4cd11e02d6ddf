"""The part of an answer that authorities and the custodian share: check, log, seal, write."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, say_json, warn
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.ceremony import Give, answer, read_request
from sealshot.runtime.seal.container import Container
from sealshot.runtime.seal.documents import read_file, write_file
from sealshot.runtime.seal.entries import Answered, Refused
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.rewrap import Pieces
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import change_to_log, last_seen
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.seal.warrant import RefusedError, check_warrant, read_warrant

REQUEST_LIMIT = 1024 * 1024 * 1024  # bytes; a shot takes about 8 kB of a request


def add_answer(arguments: Arguments) -> None:
    """Add what each answer takes."""
    add = arguments.add_argument
    add("request", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("-o", dest="output", type=Path, required=True)
    add("--log", type=Path)
    add("--again", action="store_true")
    add("--json", action="store_true")


def answer_request(
    given: argparse.Namespace,
    policy: Policy,
    party: Party,
    key: SigningKey,
    give: Give,
    log_path: Path,
    rewrapped: Callable[[Container], Pieces] = lambda _: {},
) -> int:
    """Answer a request and return the exit code: 2 if a shot was refused.

    Raises:
        InputError: the warrant is not in force (that is logged too), or a file is wrong.
        LogError: what is not logged is not answered.
    """
    if party not in (*policy.authorities, policy.custodian):
        note(
            f"{party.name} is no party of version {policy.version} of the policy any more: only "
            "what was sealed before is opened"
        )
    warrant = read_warrant(given.warrant)
    containers = read_request(read_file(given.request, "request", REQUEST_LIMIT))
    if given.output.exists():
        raise InputError(f"{given.output} exists", hint="give another file with -o")
    now = utc_now()
    time = format_time(now)
    with Log(log_path, party.name, key) as log:
        go_by(policy, log, now)
        purpose = "restore" if warrant.purpose == "restore" else "open"
        try:
            check_warrant(warrant, policy, now, purpose)
        except RefusedError as error:
            log.append(Refused(time, error.reason, warrant.digest, warrant.case))
            raise
        before = {
            entry.id
            for entry in log.entries()
            if isinstance(entry, Answered) and entry.warrant == warrant.digest
        }
        given_again = given.again
        answered, sealed = answer(
            containers,
            warrant,
            policy,
            party,
            key,
            give,
            lambda shot: not given_again and shot in before,
            now,
            rewrapped,
        )
        # Logged before the answer leaves: an opening without a trace must not be possible.
        log.append(
            *(Answered(time, shot, warrant.digest, warrant.case) for shot in answered.shots),
            *(
                Refused(time, r.reason, warrant.digest, warrant.case, id=r.id)
                for r in answered.refusals
            ),
        )
    write_file(given.output, sealed)
    if given.json:
        say_json(
            {
                "party": party.name,
                "case": warrant.case,
                "answered": list(answered.shots),
                "refused": [
                    {"id": r.id, "reason": r.reason, "fact": r.fact} for r in answered.refusals
                ],
            }
        )
    for refusal in answered.refusals:
        warn(f"{refusal.id}: refused ({refusal.reason}): {refusal.fact}")
    if any(refusal.reason == "replayed" for refusal in answered.refusals):
        note(
            "--again answers once more for shots that were answered for, as when an answer was lost"
        )
    alone = "" if answered.shots else f"; {given.output} has the reasons alone"
    note(f"{len(answered.shots)} of {len(containers)} answered for case {warrant.case}{alone}")
    return 2 if answered.refusals else 0


def go_by(policy: Policy, log: Log, now: datetime) -> None:
    """Log that a party goes by a policy from now on, unless its log knows.

    Raises:
        SealError: it went by a newer one before, or by another one.
        LogError: it could not be logged.
    """
    if changed := change_to_log(policy, last_seen(log), format_time(now)):
        log.append(*changed)
