"""The page itself: style, tables, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from sealshot.benchmarks.erc.page import STYLE

EXTRA_STYLE = """
body { max-width: 64rem; }
h2 { margin-top: 2.2rem; border-top: 2px solid #0b6e99; padding-top: .6rem; }
table { width: 100%; }
th { font-weight: 600; vertical-align: bottom; font-size: .9rem; }
td:nth-child(-n+2):not(.n), th:nth-child(-n+2):not(.n) { text-align: left; }
td { vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
figure { margin: 1rem 0; text-align: center; }
figure svg { width: 34rem; }
li { margin: .2rem 0; }
[data-field] { cursor: help; }
code { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
@media screen and (max-width: 44rem) {
  body { margin: 1rem auto; }
  table, tbody, tr, td { display: block; }
  tr.head { display: none; }
  tr { border: 1px solid #ddd; border-radius: .4rem; margin: .6rem 0; padding: .4rem .7rem; }
  td, td:nth-child(-n+2):not(.n) { border: 0; padding: .05rem 0; text-align: right;
       display: flex; justify-content: space-between; gap: 1rem; }
  td::before { content: attr(data-head); color: #555; text-align: left; }
  td.name { font-weight: 600; }
  td.name::before { content: none; }
  td.empty { display: none; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  td, th { padding: .12rem .5rem .12rem 0; font-size: 8pt; }
  tr, figure, li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure svg { width: 125mm; }
}
"""


def page(title: str, body: Iterable[str]) -> str:
    """Return the whole page; nothing in it is fetched from elsewhere."""
    text = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{EXTRA_STYLE}</style>\n"
        f"<h1>{escape(title)}</h1>\n{text}\n</html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], source: str = "") -> str:
    """Return a table; on a narrow screen each row becomes a card.

    Args:
        heads: of the columns; the first column names the row.
        rows: cells, already HTML.
        source: where its numbers are, for print, where nothing can be pointed at.
    """
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = []
    for row in rows:
        cells = []
        for i, (text, cell) in enumerate(zip(heads, row, strict=True)):
            kind = "name" if i == 0 else "empty" if not cell else ""
            cells.append(f'<td class="{kind}" data-head="{escape(text, quote=True)}">{cell}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    below = f'<p class="small">{source}</p>' if source else ""
    return f'<table><tr class="head">{head}</tr>{"".join(lines)}</table>{below}'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, already HTML; empty ones are left out."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in pairs if value)
    return f"<dl>{items}</dl>"


def bullets(items: Iterable[str]) -> str:
    """Return a list of HTML items; nothing where there are none."""
    text = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{text}</ul>" if text else ""
