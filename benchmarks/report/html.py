"""The page itself: style, tables, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from sealshot.benchmarks.accuracy.erc.page import STYLE
from sealshot.benchmarks.report.source import ABSENT

EXTRA_STYLE = """
body { max-width: 64rem; }
h2 { margin-top: 2.2rem; border-top: 2px solid #0b6e99; padding-top: .6rem; }
table { width: 100%; }
th { font-weight: 600; vertical-align: bottom; font-size: .9rem; }
td.text, th.text { text-align: left; }
td.v { white-space: nowrap; }
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
  .cards table, .cards tbody, .cards tr, .cards td { display: block; }
  .cards thead, .cards td.empty { display: none; }
  .cards tr { border: 1px solid #ddd; border-radius: .4rem; margin: .6rem 0; padding: .4rem .7rem; }
  .cards td { border: 0; padding: .05rem 0; text-align: right; white-space: normal;
       display: flex; justify-content: space-between; gap: 1rem; }
  .cards td::before { content: attr(data-head); color: #555; text-align: left; }
  .cards td.name { font-weight: 600; text-align: left; }
  .cards td.name::before { content: none; }
  .wide { overflow-x: auto; }
  .wide td, .wide th { padding-right: .7rem; font-size: .85rem; }
  .wide td.name, .wide th:first-child { position: sticky; left: 0; background: #fff; }
  .wide td.name { min-width: 8rem; max-width: 9rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  td, th { padding: .12rem .5rem .12rem 0; font-size: 8pt; }
  tr, figure, li { break-inside: avoid; }
  thead tr { break-after: avoid; }
  td.v { white-space: normal; }
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


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], source: str = "", *, wide: bool = False
) -> str:
    """Return a table.

    Args:
        heads: of the columns; the first column names the row.
        rows: cells, already HTML.
        source: where its numbers are, for print, where nothing can be pointed at.
        wide: on a narrow screen it can be moved sideways; otherwise each row becomes a card there.
    """
    cells = [list(row) for row in rows]
    numeric = [any("data-field" in row[i] for row in cells) for i in range(len(heads))]
    kinds = ["name text", *("v" if is_number else "text" for is_number in numeric[1:])]
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
        f'<div class="{"wide" if wide else "cards"}"><table><thead><tr>{head}</tr></thead>'
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
