"""The HTML of every page: one style for desk, phone and paper; tables, facts, figures.

A page is one file, or one folder: it fetches nothing from elsewhere and runs no script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

ABSENT = "–"
NUMBER = re.compile(
    r"N( ?(%|x|s|ms|MB|W))?( \(N to N\))?|N to N".replace("N", r"[+-]?[\d,]+(\.\d+)?")
)
"""A number, its unit, its spread."""

Form = Literal["cards", "close", "wide"]
"""What a table becomes on a narrow screen: a card a row; smaller, with broken lines; or as it is,
to be moved sideways beside the names of the rows, which stay."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1, h2, h3, p, li { overflow-wrap: anywhere; }
h1 { line-height: 1.2; }
h2 { margin-top: 2.2rem; border-top: 2px solid #0b6e99; padding-top: .6rem; line-height: 1.25; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0;
        font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .9rem .25rem 0; text-align: right; vertical-align: top;
         border-bottom: 1px solid #ddd; }
th { font-weight: 600; vertical-align: bottom; font-size: .9rem; }
td.text, th.text { text-align: left; }
td.v { white-space: nowrap; }
td:last-child, th:last-child { padding-right: 0; }
figure { margin: 1rem 0; text-align: center; }
svg, img { max-width: 100%; height: auto; }
figure svg { width: 36rem; }
li { margin: .2rem 0; }
[data-field] { cursor: help; }
code, pre { background: #f4f4f4; padding: .1rem .3rem; overflow-wrap: anywhere; }
pre { padding: .6rem; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
.small { font-size: .9rem; color: #555; }
.warning { background: #b3261e; color: #fff; padding: .5rem .8rem; font-weight: 600; }
.verdict { font-weight: 600; white-space: nowrap; }
.passed { color: #1a6b2f; } .failed { color: #a11; } .other { color: #555; }
@media screen and (max-width: 44rem) {
  body { margin: 1rem auto; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; }
  .cards table, .cards tbody, .cards tr, .cards td { display: block; }
  .cards thead, .cards td.empty { display: none; }
  .cards tr { border: 1px solid #ddd; border-radius: .4rem; margin: .6rem 0; padding: .4rem .7rem; }
  .cards td { border: 0; padding: .05rem 0; text-align: right; white-space: normal;
       display: flex; justify-content: space-between; gap: 1rem; overflow-wrap: anywhere; }
  .cards td::before { content: attr(data-head); color: #555; text-align: left; flex: none;
       max-width: 55%; }
  .cards td.name { font-weight: 600; text-align: left; }
  .cards td.name::before { content: none; }
  .close td, .close th { padding-right: .4rem; font-size: .8rem; white-space: normal;
       overflow-wrap: break-word; }
  .wide { overflow-x: auto; }
  .wide td, .wide th { padding-right: .7rem; font-size: .85rem; }
  .wide td.name, .wide th:first-child { position: sticky; left: 0; background: #fff; }
  .wide td.name { min-width: 8rem; max-width: 9rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  td, th { padding: .12rem .5rem .12rem 0; font-size: 8pt; overflow-wrap: anywhere; }
  tr, figure, li, section { break-inside: avoid; }
  thead tr { break-after: avoid; }
  td.v { white-space: normal; }
  h2, h3 { break-after: avoid; }
  figure svg { width: 125mm; max-height: 110mm; }
}
"""


def page(title: str, body: Iterable[str], style: str = "") -> str:
    """Return the whole page.

    Args:
        title: of the page, plain text; it is its first heading too.
        body: parts, already HTML.
        style: rules for what only this page has.
    """
    text = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n"
        f"<h1>{escape(title)}</h1>\n{text}\n</html>\n"
    )


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    source: str = "",
    *,
    form: Form = "cards",
) -> str:
    """Return a table; a column of numbers stands to the right.

    Args:
        heads: of the columns, plain text; the first column names the row.
        rows: cells, already HTML.
        source: below it, HTML: where its numbers are, and what their heads mean.
        form: what it becomes on a narrow screen.
    """
    cells = [list(row) for row in rows]
    numeric = [any(map(_is_number, column)) for column in zip(*cells, strict=True)]
    kinds = ["name text", *("v" if number else "text" for number in numeric[1:])]
    kinds += ["text"] * (len(heads) - len(kinds))  # without a row nothing is a number
    head = "".join(
        f'<th class="{kind}">{escape(text)}</th>' for text, kind in zip(heads, kinds, strict=True)
    )
    lines = []
    for row in cells:
        line = "".join(
            f'<td class="{kind}{"" if cell else " empty"}" data-head="{escape(text, quote=True)}">'
            f"<span>{cell}</span></td>"
            for text, kind, cell in zip(heads, kinds, row, strict=True)
        )
        lines.append(f"<tr>{line}</tr>")
    below = f'<p class="small">{source}</p>' if source else ""
    return (
        f'<div class="{form}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{below}"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, already HTML; those that are not known are left out."""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{value}</dd>"
        for name, value in pairs
        if value not in ("", ABSENT)
    )
    return f"<dl>{items}</dl>"


def bullets(items: Iterable[str]) -> str:
    """Return a list of HTML items; nothing where there are none."""
    text = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{text}</ul>" if text else ""


def _is_number(cell: str) -> bool:
    return "data-field" in cell or NUMBER.fullmatch(cell) is not None
