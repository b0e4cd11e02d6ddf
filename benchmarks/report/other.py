"""Results of any other kind, their numbers as they stand in the file, and what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sealshot.benchmarks.page.html import ABSENT, facts, table
from sealshot.benchmarks.report.source import Source

ELSEWHERE = ("kind", "environment", "conditions", "left_out", "why_not")
MOST_COLUMNS, MOST_ROWS = 12, 60


def in_short(source: Source) -> Iterator[str]:
    """Give the findings as sentences: only that there are none, where there are none."""
    if why_not := source.at("/why_not"):
        yield f"{escape(source.kind.capitalize())}: <b>not measured</b>. {escape(why_not)}."


def section(source: Source) -> Iterator[str]:
    """Give the parts of the page."""
    if why_not := source.at("/why_not"):
        yield f"<p><b>Not measured.</b> {escape(why_not)}.</p>"
        return
    plain = [
        (key, _cell(source, f"/{key}"))
        for key, value in source.data.items()
        if key not in ELSEWHERE and _is_plain(value)
    ]
    yield facts(plain)
    for key, value in source.data.items():
        if key in ELSEWHERE or _is_plain(value):
            continue
        yield f"<h3>{escape(key.replace('_', ' '))}</h3>"
        yield _grid(source, f"/{key}", value)


def _grid(source: Source, pointer: str, value: Any) -> str:
    entries = list(source.each(pointer)) if _is_table(value) else [(pointer, value)]
    if not _is_table(value) and not isinstance(value, Mapping):
        return f"<p>{len(value)} numbers, in the file.</p>"
    fields = list(dict.fromkeys(f for _, entry in entries for f in _flat(entry)))[:MOST_COLUMNS]
    rows = [
        (escape(p.rpartition("/")[2]), *(_cell(source, p + field) for field in fields))
        for p, _ in entries[:MOST_ROWS]
    ]
    heads = (
        "place in the file",
        *(field[1:].replace("/", " ").replace("_", " ") for field in fields),
    )
    more = len(entries) - MOST_ROWS
    cite = f"From <code>{escape(source.name)}</code>, {escape(pointer[1:])}."
    note = f" {more} more rows are in the file." if more > 0 else ""
    return table(heads, rows, cite + note, form="wide")


def _is_table(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return len(value) > 0 and all(isinstance(entry, dict) for entry in inner)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _flat(entry: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in entry.items():
        here = f"{above}/{key.replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, dict):
            yield from _flat(value, here)
        elif _is_plain(value):
            yield here


def _cell(source: Source, pointer: str) -> str:
    value = source.at(pointer)
    if value is None:
        return ABSENT
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return escape(str(value))
    small = isinstance(value, float) and abs(value) < 100
    return source.number(pointer, 3 if small else 0)
