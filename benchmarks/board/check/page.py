"""The page of `sealshot board check`: the verdict, the steps, and all that they looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sealshot.benchmarks.board.check.report import INTERRUPTED, NOT_RUN, Report
from sealshot.benchmarks.board.check.steps import ABSENT, FAILED, PASSED, columns
from sealshot.benchmarks.conditions.environment import origin
from sealshot.benchmarks.conditions.result_file import write_output
from sealshot.benchmarks.page.html import facts, page, table

MARKS = {PASSED: "✓", FAILED: "✗", ABSENT: "–", NOT_RUN: "·", INTERRUPTED: "!"}
CLOSE_COLUMNS = 3
"""Of a table that a phone shows as one; one with more becomes a card a row there."""


def write_page(report: Report, path: Path) -> None:
    """Write the page: one file, no script, nothing fetched.

    Raises:
        InputError: it cannot be written.
    """
    write_output(path, page(f"{report.title}: {report.verdict}", _body(report)).encode(), "folder")


def _body(report: Report) -> Iterator[str]:
    where = report.environment
    yield f"<p>sealshot board check: {_verdict(report.verdict)}</p>"
    yield table(
        ("step", "verdict", "seconds", "why"),
        [
            (
                escape(step.name),
                _verdict(step.outcome.verdict),
                f"{step.seconds:.1f}",
                escape(step.outcome.why),
            )
            for step in report.steps
        ],
    )
    for step in report.steps:
        if step.outcome.rows:
            yield f"<h2>{escape(step.name.capitalize())}: {_verdict(step.outcome.verdict)}</h2>"
            yield f"<p>{escape(step.outcome.why)}</p>{_rows(step.outcome.rows)}"
    yield "<h2>To repeat it</h2>"
    yield f"<pre>{escape(report.command)}</pre>"
    yield facts(
        [
            ("machine", escape(f"{where.machine}, {where.cores} cores")),
            ("instructions", escape(", ".join(where.instructions))),
            ("made", escape(f"{where.date}, {origin(where.commit, where.versions)}")),
            ("load at the start", f"{where.load_1min} processes, mean of the minute before"),
        ]
    )
    yield (
        '<p class="small">All figures are in <code>check.json</code>, those of the measurements in '
        "the files that it names.</p>"
    )


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    names = columns(rows)
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    return table(names, cells, form="close" if len(names) <= CLOSE_COLUMNS else "cards")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = "" if value is None else str(value)
    return _verdict(text) if text in MARKS else escape(text)


def _verdict(verdict: str) -> str:
    kind = verdict if verdict in (PASSED, FAILED) else "other"
    return f'<span class="verdict {kind}">{MARKS[verdict]} {escape(verdict)}</span>'
