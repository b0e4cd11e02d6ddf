"""Pages that hold no script and load nothing from elsewhere, to read and to print."""

from __future__ import annotations

from html import escape


def write_html(title: str, style: str, body: str) -> str:
    """Return a page.

    Args:
        title: plain text.
        style: CSS, beside what all pages have.
        body: HTML.
    """
    return _PAGE.format(title=escape(title), style=style, body=body)


def write_table(*rows: tuple[str, str]) -> str:
    """Return a table of two columns of plain text, as HTML."""
    lines = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return "<table>" + "".join(lines) + "</table>"


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 11pt/1.4 serif; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0; }}
th, td {{ border: 1px solid #999; padding: 0.3em 0.5em; text-align: left; vertical-align: top; }}
th {{ font-weight: normal; background: #f3f3f3; }}
td, code, pre, figcaption {{ overflow-wrap: anywhere; }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
