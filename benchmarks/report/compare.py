"""`sealshot bench compare`: two results side by side; exit 1 where the second is worse.

What is compared is every figure that the files share and that has a spread: rates, ratios, watts,
joules. A regression is a figure whose whole spread is on the worse side of the other's, by more
than the tolerance; the spread is that of rounds or windows that took turns with all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealshot.benchmarks.report.source import Source, read_source
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError

TOLERANCE = 0.03
SPREAD = {"median", "low", "high", "count"}
NAMES = ("name", "score", "batch", "threads", "unit")
"""What tells the entries of a list apart, as far as they have it."""
LOWER_IS_BETTER = ("watts", "joules_each", "cpu_ms_per_face", "cpu_ms", "stages_ms", "start_s")

USAGE = f"""
usage: sealshot bench compare A.json B.json [options]

Set two results of one kind side by side: commits, precisions or boards. Exit code 1 where B is
worse than A: the spreads do not overlap, and the gap is more than the tolerance.

  --tolerance SHARE   a gap between the spreads that is no regression (default {TOLERANCE})
  --all               print every figure, not only those that differ
  --json              print the comparison as JSON

example:
  sealshot bench compare before.json after.json
"""


@dataclass(frozen=True)
class Difference:
    """One figure in both results."""

    figure: str
    a: float
    b: float
    ratio: float | None
    """B over A; None where A is 0."""
    verdict: str
    """``better``, ``worse`` or ``same``."""


def differences(a: Source, b: Source, tolerance: float) -> list[Difference]:
    """Compare the figures that both results have.

    Raises:
        InputError: they share none.
    """
    ours, theirs = dict(figures(a.data)), dict(figures(b.data))
    shared = [name for name in ours if name in theirs]
    if not shared:
        raise InputError(
            f"{a.name} and {b.name} share no figure with a spread",
            hint="name two results of `sealshot bench throughput` or `energy`",
        )
    return [_difference(name, ours[name], theirs[name], tolerance) for name in shared]


def figures(value: Any, name: str = "") -> Iterator[tuple[str, Mapping[str, float]]]:
    """Give each figure with a spread in a result: what it is of, and the spread."""
    if isinstance(value, dict):
        if value.keys() == SPREAD:
            yield name, value
            return
        for key, inner in value.items():
            yield from figures(inner, f"{name}: {key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                own = ", ".join(f"{k} {inner[k]}" for k in NAMES if inner.get(k))
                yield from figures(inner, f"{name} [{own}]")


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench compare", USAGE)
    add = arguments.add_argument
    add("a", type=Path)
    add("b", type=Path)
    add("--tolerance", type=float, default=TOLERANCE)
    add("--all", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if not 0 <= given.tolerance < float("inf"):
        raise InputError(f"a tolerance of {given.tolerance:g} is below 0", hint="give 0.03")
    a, b = read_source(given.a), read_source(given.b)
    found = differences(a, b, given.tolerance)
    worse = [d for d in found if d.verdict == "worse"]
    if given.json:
        say_json({"worse": len(worse), "figures": [asdict(d) for d in found]})
        return 1 if worse else 0
    for label, source in (("A", a), ("B", b)):
        where = source.at("/environment") or {}
        told = ", ".join(str(where.get(k)) for k in ("machine", "date", "commit"))
        note(f"{label}: {source.name}, {told}")
    shown = found if given.all else [d for d in found if d.verdict != "same"]
    if shown:
        table(
            ("figure", ">A", ">B", ">B / A", "B is"),
            (
                (
                    d.figure,
                    f"{d.a:.4g}",
                    f"{d.b:.4g}",
                    "" if d.ratio is None else f"{d.ratio:.3f}",
                    d.verdict,
                )
                for d in shown
            ),
        )
    better = sum(d.verdict == "better" for d in found)
    say(
        f"{len(found)} figures: {better} better, {len(worse)} worse, "
        f"{len(found) - better - len(worse)} the same within the spread"
    )
    return 1 if worse else 0


def _difference(
    name: str, a: Mapping[str, float], b: Mapping[str, float], tolerance: float
) -> Difference:
    room = tolerance * abs(a["median"])
    verdict = "same"
    if b["low"] > a["high"] + room:
        verdict = "higher"
    elif b["high"] < a["low"] - room:
        verdict = "lower"
    if verdict != "same":
        wants_low = any(part in name.split(": ") for part in LOWER_IS_BETTER)
        verdict = "better" if (verdict == "lower") == wants_low else "worse"
    ratio = b["median"] / a["median"] if a["median"] else None
    return Difference(name, a["median"], b["median"], ratio, verdict)
