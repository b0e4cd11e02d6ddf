"""The page of `sealshot board check`: the verdict, the steps, and all that they looked at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from sealshot.benchmarks.board.check.report import INTERRUPTED, NOT_RUN, Report, Step
from sealshot.benchmarks.board.check.steps import ABSENT, FAILED, PASSED, columns
from sealshot.benchmarks.conditions.result_file import write_output

MARKS = {PASSED: "✓", FAILED: "✗", ABSENT: "–", NOT_RUN: "·", INTERRUPTED: "!"}
LONG = 30
"""Characters of a cell that gets room of its own."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { margin-bottom: 0; }
.wide { overflow-x: auto; }  /* a table scrolls, the page does not */
table { border-collapse: collapse; margin: .6rem 0 1.4rem; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
td.long { min-width: 14rem; }
.passed { color: #1a6b2f; } .failed { color: #a11; } .other { color: #666; }
.verdict { font-weight: 600; white-space: nowrap; }
code { background: #f4f4f4; padding: .1rem .3rem; overflow-wrap: anywhere; }
.small { font-size: .9rem; color: #555; }
@media (max-width: 40rem) {  /* a step a paragraph */
  .steps th { display: none; }
  .steps tr { display: block; padding: .5rem 0; border-bottom: 1px solid #ddd; }
  .steps td { display: inline; border: 0; }
  .steps td:first-child { font-weight: 600; }
  .steps td:last-child { display: block; }
}
@media print { body { margin: 0; max-width: none; font-size: 11px; } .wide { overflow: visible; }
               h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def write_page(report: Report, path: Path) -> None:
    """Write the page: one file, no script, nothing fetched.

    Raises:
        InputError: it cannot be written.
    """
    where = report.environment
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f"<p>sealshot board check: {_verdict(report.verdict)}</p>",
        _table(
            [
                {
                    "step": step.name,
                    "verdict": step.outcome.verdict,
                    "s": step.seconds,
                    "why": step.outcome.why,
                }
                for step in report.steps
            ],
            "steps",
        ),
        *(_section(step) for step in report.steps if step.outcome.rows),
        "<h2>To repeat it</h2>",
        f"<p><code>{escape(report.command)}</code></p>",
        f'<p class="small">{escape(where.date)}, commit {escape(where.commit)}, '
        f"{escape(where.machine)}, {where.cores} cores, load {where.load_1min} at the start. All "
        "figures are in <code>check.json</code>, those of the measurements in the files that "
        "it names.</p>",
    ]
    body = "\n".join(parts)
    page = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(report.title)}: {escape(report.verdict)}</title>\n"
        f"<style>{STYLE}</style>\n{body}\n</html>\n"
    )
    write_output(path, page.encode(), "folder")


def _section(step: Step) -> str:
    heading = f"<h2>{escape(step.name.capitalize())}: {_verdict(step.outcome.verdict)}</h2>"
    return f"{heading}<p>{escape(step.outcome.why)}</p>{_table(step.outcome.rows)}"


def _table(rows: Sequence[dict[str, Any]], kind: str = "") -> str:
    names = columns(rows)
    numeric = {
        name
        for name in names
        if all(_is_number(row.get(name)) or row.get(name) is None for row in rows)
    }
    head = "".join(f"<th{_class(name in numeric)}>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_class(name in numeric, row.get(name))}>{_cell(row.get(name))}</td>"
            for name in names
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide {kind}"><table><tr>{head}</tr>{body}</table></div>'


def _class(number: bool, value: object = "") -> str:
    if number:
        return ' class="number"'
    return ' class="long"' if len(str(value)) > LONG else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
