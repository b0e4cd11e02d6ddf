"""`sealshot vault holds`: which cases keep shots of a vault, and which did."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, say_json, table
from sealshot.runtime.cli.words import counted
from sealshot.runtime.seal.entries import HoldEnded, HoldPlaced
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.vault.clock import CLOCK, TrustedClock
from sealshot.runtime.vault.holds import read_holds
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects


def holds(arguments: Arguments, argv: list[str]) -> int:
    """Show the holds on a vault."""
    arguments.add_argument("vault", metavar="VAULT", type=Path)
    arguments.add_argument("--policy", type=Path, required=True)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    objects = list_objects(given.vault)
    now = TrustedClock(given.vault / CLOCK).peek().earliest
    found = read_holds(given.vault, read_policy(given.policy), now)
    kept = [found.of(each.id) for each in objects]
    rows = [
        {
            "case": hold.warrant.case,
            "state": "in force",
            "until": format_time(hold.until),
            "shots": sum(each is hold for each in kept),
            "warrant": hold.warrant.digest,
        }
        for hold in found
    ]
    rows += _over(given.vault / LOG)
    if given.json:
        say_json(rows)
        return 0
    table(
        ("case", "state", "until", ">shots", "warrant"),
        [tuple("-" if value is None else str(value) for value in row.values()) for row in rows],
    )
    note(f"{counted(len(found), 'hold')} in force")
    return 0


def _over(log: Path) -> list[dict[str, object]]:
    """Return the holds that a log has as over; `vault verify` says whether the log is right."""
    entries = list(entries_of(lines_in(log))) if log.exists() else []
    cases = {entry.warrant: entry.case for entry in entries if isinstance(entry, HoldPlaced)}
    return [
        {
            "case": cases.get(entry.warrant),
            "state": "over",
            "until": entry.until,
            "shots": None,
            "warrant": entry.warrant,
        }
        for entry in entries
        if isinstance(entry, HoldEnded)
    ]
