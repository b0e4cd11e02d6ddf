"""`sealshot vault verify` and `sealshot vault stats`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sealshot.runtime.cli.arguments import Arguments, duration, size
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.party import Party, read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import epoch_start
from sealshot.runtime.vault.clock import CLOCK, TrustedClock
from sealshot.runtime.vault.erasures import read_erasures
from sealshot.runtime.vault.holds import read_holds
from sealshot.runtime.vault.logged import Logged, read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import SEALED, list_objects, read_object
from sealshot.runtime.vault.upload import waiting
from sealshot.runtime.vault.verify import (
    PURGED,
    UNSIGNED,
    Checked,
    Finding,
    Rules,
    check_objects,
    compare,
)

UNKNOWN_CAMERA = "(no camera)"


def verify(arguments: Arguments, argv: list[str]) -> int:
    """Check a vault; 1 if something is wrong."""
    arguments.add_argument("vault", metavar="VAULT", type=Path)
    add_checks(arguments)
    given = arguments.parse_args(argv)
    if given.no_log and (given.log or given.checkpoint):
        arguments.error("--no-log does not go with --log or --checkpoint")
    objects = list_objects(given.vault)  # first: a path that is wrong is told as such
    rules = _rules(given)
    kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
    log: Path = given.log or given.vault / LOG
    of_a_camera = any((rules.cameras, rules.policy, kept, given.log, log.exists())) or any(
        found.id.endswith(SEALED) for found in objects
    )
    logged = None
    if of_a_camera and not given.no_log:
        need_cameras(rules.cameras, log)
        erasures = read_erasures(given.vault, rules.policy)[0] if rules.policy else None
        there = {found.id for found in objects}
        logged = read_logged(
            log, rules.cameras, kept, rules.retention, erasures, there, rules.policy
        )
        objects = list_objects(given.vault)
    with progress("checking", len(objects)) as bar:
        count = iter(range(1, len(objects) + 1))
        checked = check_objects(
            objects, partial(read_object, given.vault), rules, lambda: bar.update(next(count))
        )
    findings = list(checked.findings.values())
    if logged:
        erasures = read_erasures(given.vault, rules.policy)[0] if rules.policy else None
        there = {found.id for found in objects} | logged.sealed.keys()
        after = read_logged(
            log, rules.cameras, kept, rules.retention, erasures, there, rules.policy
        )
        findings = compare(checked, logged, after, lambda i: (given.vault / i).exists())
        logged = after
    return tell(findings, logged, len(kept), rules.cameras, json=given.json)


def tell(
    findings: Sequence[Finding],
    logged: Logged | None,
    kept: int,
    cameras: Sequence[Party],
    *,
    json: bool,
) -> int:
    """Say what was found; 1 if something is wrong."""
    wrong = [finding for finding in findings if finding.is_wrong]
    counts = Counter(finding.state for finding in findings)
    if logged and logged.gone:
        counts[PURGED] += logged.gone
    entries = logged.entries if logged else None
    if json:
        bad = [asdict(finding) for finding in wrong]
        say_json({"ok": not wrong, "counts": counts, "log_entries": entries, "wrong": bad})
    else:
        _print(findings, wrong, counts, entries, kept, cameras)
    return 1 if wrong else 0


def stats(arguments: Arguments, argv: list[str]) -> int:
    """Count what a vault holds."""
    arguments.add_argument("vault", metavar="VAULT", type=Path)
    arguments.add_argument("--quota", type=size)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    objects = list_objects(given.vault)
    with progress("counting", len(objects)) as bar:
        count = iter(range(1, len(objects) + 1))
        checked = check_objects(
            objects, partial(read_object, given.vault), Rules(), lambda: bar.update(next(count))
        )
    groups = _groups(checked)
    total = sum(found.bytes for found in objects)
    epochs = sorted((found.epoch for found in objects), key=epoch_start)
    pending = set(waiting(given.vault)) & {found.id for found in objects}
    answer: dict[str, Any] = {
        "shots": len(objects),
        "bytes": total,
        "oldest": epochs[0] if epochs else None,
        "newest": epochs[-1] if epochs else None,
        "pending_uploads": len(pending),
        "pending_bytes": sum(found.bytes for found in objects if found.id in pending),
        "quota_share": total / given.quota if given.quota else None,
        "groups": groups,
    }
    if given.json:
        say_json(answer)
        return 0
    table(
        ("epoch", "camera", ">shots", ">bytes"),
        [
            (g["epoch"], g["camera"] or UNKNOWN_CAMERA, str(g["shots"]), f"{g['bytes']:,}")
            for g in groups
        ],
    )
    say(
        f"{counted(len(objects), 'shot')}, {total:,} bytes"
        + (f", {epochs[0]} to {epochs[-1]}" if epochs else "")
    )
    if pending:
        say(f"{counted(len(pending), 'shot')} not uploaded yet, {answer['pending_bytes']:,} bytes")
    if given.quota:
        say(f"{total / given.quota:.1%} of the quota of {given.quota:,} bytes")
    return 0


def _groups(checked: Checked) -> list[dict[str, Any]]:
    shots: Counter[tuple[str, str]] = Counter()
    sizes: Counter[tuple[str, str]] = Counter()
    for object_id, finding in checked.findings.items():
        key = (object_id.partition("/")[0], checked.cameras.get(object_id, ""))
        shots[key] += 1
        sizes[key] += finding.bytes
    return [
        {"epoch": key[0], "camera": key[1] or None, "shots": shots[key], "bytes": sizes[key]}
        for key in sorted(shots)
    ]


def _rules(given: argparse.Namespace) -> Rules:
    trusted = TrustedClock(given.vault / CLOCK).peek()
    rules = read_rules(given, trusted.time)
    if trusted.warning:
        warn(trusted.warning)
    if rules.policy:
        rules = replace(rules, holds=read_holds(given.vault, rules.policy, trusted.time))
    return rules


def add_checks(arguments: Arguments) -> None:
    """Add what says what is checked, and against what."""
    add = arguments.add_argument
    add("--camera", action="append", type=Path)
    add("--policy", type=Path)
    add("--log", type=Path)
    add("--no-log", action="store_true")
    add("--checkpoint", action="append", type=Path, default=[])
    add("--retention", type=duration)
    add("--json", action="store_true")


def read_rules(given: argparse.Namespace, now: datetime) -> Rules:
    """Return what was given of :func:`add_checks`, read; holds are a vault's own.

    Raises:
        InputError: a file is missing or wrong.
    """
    policy = read_policy(given.policy) if given.policy else None
    return Rules(
        cameras=[
            one
            for path in given.camera or _beside(given.policy)
            for one in read_party(path, "camera").under_each_key
        ],
        policy=policy,
        retention=given.retention or (policy.retention_time if policy else None),
        now=now,
    )


def _beside(policy: Path | None) -> list[Path]:
    """Return the .pub file that `sealshot camera enrol` wrote beside a camera's policy."""
    enrolled = policy is not None and (policy.parent / "camera.key").exists()
    return sorted(policy.parent.glob("*.pub")) if policy is not None and enrolled else []


def need_cameras(cameras: Sequence[Party], log: Path) -> None:
    """Refuse a log that is not there, or cannot be verified."""
    if not log.exists():
        raise InputError(
            f"there is no log {log}: what is missing cannot be known",
            hint="give it with --log, or --no-log for a copy that has none",
        )
    if not cameras:
        raise InputError(
            f"the log {log} cannot be verified without its camera's public key",
            hint="give --camera FILE.pub, or --no-log to check the objects alone",
        )


def _print(
    findings: Sequence[Finding],
    wrong: Sequence[Finding],
    counts: Counter[str],
    entries: int | None,
    kept: int,
    cameras: Sequence[Party],
) -> None:
    if wrong:
        table(("object", "state", "what"), [(f.id, f.state, f.what) for f in wrong])
        say()
    rows = [
        (state, str(count), f"{sum(f.bytes for f in findings if f.state == state):,}")
        for state, count in sorted(counts.items())
    ]
    table(("state", ">objects", ">bytes"), rows)
    for finding in findings:
        if finding.what.startswith("on hold"):
            note(f"{finding.id} is {finding.what}")
    if entries is not None:
        note(f"the log has {counted(entries, 'entry', 'entries')}, none changed")
    days = sorted({finding.signed_on for finding in findings if finding.signed_on})
    if days:
        note(
            f"signed by the camera's key of {days[0]}"
            if len(days) == 1
            else f"signed by the camera's keys of {len(days)} days, {days[0]} to {days[-1]}"
        )
    if entries is not None and not kept:
        note(
            "an older state of vault and log would pass, too: keep checkpoints on another machine "
            "and give them with --checkpoint"
        )
    if not cameras and counts.keys() - {UNSIGNED, PURGED}:
        note("who sealed is not checked: give --camera FILE.pub")
    say("nothing is wrong" if not wrong else f"wrong: {len(wrong)} of {counts.total()} objects")
