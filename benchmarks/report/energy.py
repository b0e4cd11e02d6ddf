"""The part of the page that shows an energy result."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from sealshot.benchmarks.page.html import table
from sealshot.benchmarks.report.plots import Bar, bars
from sealshot.benchmarks.report.source import Source

NO_TOTAL = (
    "No channel of this meter carries all that the board draws. The rails are given one by one and "
    "not summed: a sum would read below a meter in the supply."
)
HEADS = (
    "load, channel",
    "sensor",
    "W",
    "spread",
    "units a second",
    "J a unit",
    "spread",
    "readings/s",
    "longest gap, s",
    "note",
)


def in_short(source: Source) -> Iterator[str]:
    """Give the findings as sentences."""
    for p, channel, load in _channels(source):
        if channel["is_total"]:
            text = f"<b>{escape(load['name'])}</b>: {source.number(f'{p}/watts/median', 2)} W"
            if channel["joules_each"]:
                text += f", {source.number(f'{p}/joules_each/median', 5)} J a {load['unit']}"
            yield f"{text} ({escape(channel['name'])})."


def section(source: Source) -> Iterator[str]:
    """Give the parts of the page."""
    yield (
        f"<p>{escape(source.at('/meter'))}; {source.number('/windows')} windows of "
        f"{source.number('/seconds', 1)} s each, in turns; medians and spread over windows. Idle "
        "is measured in windows of its own and not subtracted from anything.</p>"
    )
    if not any(channel["is_total"] for _, channel, _ in _channels(source)):
        yield f"<p>{NO_TOTAL}</p>"
    drawn = [_bar(channel, load) for _, channel, load in _channels(source) if channel["watts"]]
    if drawn:
        yield bars(drawn, "W")
    rows = []
    for p, channel, load in _channels(source):
        load_pointer = p.rpartition("/channels")[0]
        rate = source.number(f"{load_pointer}/per_s/median", 1)
        name = f"{load['name']}, {channel['name']}{' (total)' if channel['is_total'] else ''}"
        rows.append(
            (
                escape(name),
                escape(channel["source"]),
                _or_not(source, f"{p}/watts/median", 2),
                source.range(f"{p}/watts", 2),
                f"{rate} {load['unit']}s" if load["unit"] else "",
                _or_not(source, f"{p}/joules_each/median", 5) if load["unit"] else "",
                source.range(f"{p}/joules_each", 5) if load["unit"] else "",
                source.number(f"{p}/windows/0/rate_hz", 1),
                source.number(f"{p}/windows/0/longest_gap_s", 3),
                escape(channel["note"]),
            )
        )
    cite = f"From <code>{escape(source.name)}</code>, loads[n].channels[k]."
    yield table(HEADS, rows, f"{cite} Readings and gap: those of the first window.")


def _channels(source: Source) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for p, load in source.each("/loads"):
        for q, channel in source.each(f"{p}/channels"):
            yield q, channel, load


def _bar(channel: dict[str, Any], load: dict[str, Any]) -> Bar:
    watts = channel["watts"]
    kind = "other" if not load["unit"] else "ours"
    name = f"{load['name']}, {channel['name']}"
    return name, kind, watts["median"], watts["low"], watts["high"]


def _or_not(source: Source, pointer: str, digits: int) -> str:
    return "not measured" if source.at(pointer) is None else source.number(pointer, digits)
