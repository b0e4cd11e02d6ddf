"""`sealshot vault purge` and `sealshot vault hold`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, duration
from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.cli.terminal import note, say, say_json, table, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.quorum import Camera
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, parse_time, utc_now
from sealshot.runtime.seal.warrant import end_of_hold, read_warrant
from sealshot.runtime.vault.clock import CLOCK, Trusted, TrustedClock
from sealshot.runtime.vault.holds import Hold, Holds, place_hold, read_holds
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.retention import Over, end_of, find_over
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.upload import waiting


@dataclass(frozen=True)
class Plan:
    """What a purge deletes, and what it leaves although its time is over."""

    over: Over
    holds: Holds
    end_of: Callable[[str], datetime]
    """When the time of an epoch is over."""
    now: datetime


def purge(arguments: Arguments, argv: list[str]) -> int:
    """Delete what is over; 1 if the clock is not to be trusted, so that something may be left."""
    add = arguments.add_argument
    add("vault", metavar="VAULT", type=Path)
    add("--policy", type=Path)
    add("--retention", type=duration)
    add("--dry-run", action="store_true")
    add("--clock-is-right", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    arguments.only_one(given, "--policy", "--retention")
    vault: Path = given.vault
    objects = list_objects(vault)
    policy = read_policy(given.policy) if given.policy else None
    retention: timedelta = policy.retention_time if policy else given.retention
    camera = log_camera(vault, given.policy)
    trusted = _trusted(vault, accept=given.clock_is_right)
    if trusted.warning and given.dry_run:  # else the keeper tells
        warn(trusted.warning)
    holds = read_holds(vault, policy, trusted.time)
    over = find_over(objects, retention, holds, trusted.earliest, policy)
    plan = Plan(over, holds, partial(end_of, retention=retention, policy=policy), trusted.time)
    lost = len(set(waiting(vault)) & {found.id for found in over.due})
    if not given.dry_run:
        sealing = Sealing(
            camera=camera,
            policy=policy,
            retention=retention,
            clock_is_right=given.clock_is_right,
        )
        Keeper(vault, sealing).close()  # forgets what is over when it begins
    if given.json:
        say_json(_as_json(plan, dry_run=given.dry_run))
    else:
        _print(plan, dry_run=given.dry_run)
    if lost:
        warn(f"{lost} of them were not uploaded")
    return 1 if trusted.warning and not given.clock_is_right else 0


def hold(arguments: Arguments, argv: list[str]) -> int:
    """Keep the shots that a warrant is for."""
    add = arguments.add_argument
    add("vault", metavar="VAULT", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--until", type=parse_time)
    given = arguments.parse_args(argv)
    objects = list_objects(given.vault)
    policy, now = read_policy(given.policy), utc_now()
    warrant = read_warrant(given.warrant)
    until = end_of_hold(warrant, given.until, now)
    say(str(place_hold(given.vault, warrant, policy, until, now)))
    placed = Holds(given.vault, [Hold(warrant, until)], policy)
    count = sum(placed.of(found.id) is not None for found in objects)
    note(f"{counted(count, 'shot')} on hold for case {warrant.case} until {format_time(until)}")
    return 0


def log_camera(vault: Path, policy_file: Path | None) -> Camera | None:
    """Return who signs the log of a vault; None where it has none.

    Raises:
        InputError: it has one, and the policy is not that of an enrolled camera.
    """
    if not (vault / LOG).exists():
        return None
    if policy_file is None:
        raise InputError(
            f"the vault {vault} has a log, and what becomes of its shots is logged",
            hint="give --policy DIR/policy.toml of its camera, which says the retention time too",
        )
    return read_camera(policy_file)


def _trusted(vault: Path, *, accept: bool) -> Trusted:
    if accept:
        return Trusted(utc_now(), "")
    return TrustedClock(vault / CLOCK).peek()


def _as_json(plan: Plan, *, dry_run: bool) -> dict[str, object]:
    purged = [
        {
            "id": found.id,
            "bytes": found.bytes,
            "reason": "retention",
            "over_since": format_time(plan.end_of(found.epoch)),
        }
        for found in plan.over.due
    ]
    on_hold = [
        {"id": found.id, "case": one.warrant.case, "until": format_time(one.until)}
        for found in plan.over.on_hold
        if (one := plan.holds.of(found.id))
    ]
    return {"now": format_time(plan.now), "dry_run": dry_run, "purged": purged, "on_hold": on_hold}


def _print(plan: Plan, *, dry_run: bool) -> None:
    shots: Counter[str] = Counter(found.epoch for found in plan.over.due)
    sizes: Counter[str] = Counter()
    for found in plan.over.due:
        sizes[found.epoch] += found.bytes
    if shots:
        table(
            ("epoch", ">shots", ">bytes", "its time was over at"),
            [
                (e, str(shots[e]), f"{sizes[e]:,}", format_time(plan.end_of(e)))
                for e in sorted(shots)
            ],
        )
    for found in plan.over.on_hold:
        one = plan.holds.of(found.id)
        if one:
            note(f"{found.id} stays: case {one.warrant.case}, until {format_time(one.until)}")
    would = "would be deleted" if dry_run else "deleted"
    say(f"{counted(len(plan.over.due), 'shot')} {would}, {sum(sizes.values()):,} bytes")
