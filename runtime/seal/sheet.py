"""The contact sheet of opened shots: everybody on one page, in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from sealshot.runtime.seal.page import write_html
from sealshot.runtime.seal.payload import Metadata

STYLE = """\
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(10em, 1fr)); gap: 1em; }
figure { margin: 0; break-inside: avoid; }
img { width: 100%; height: 12em; object-fit: contain; background: #eee; }
figcaption { font-size: 9pt; }
"""


def write_sheet(shots: Sequence[tuple[Metadata, Sequence[str]]]) -> str:
    """Return the page (HTML), which shows the pictures that lie beside it.

    Args:
        shots: what is known of each, and the names of its files, picture first.
    """
    shots = sorted(shots, key=lambda shot: (shot[0].source, shot[0].utc, shot[0].track))
    count = f"{len(shots)} opened shot{'s' * (len(shots) != 1)}"
    body = f"<h1>{count}</h1>\n<main>\n" + "\n".join(_figure(*shot) for shot in shots) + "\n</main>"
    return write_html(count, STYLE, body)


def _figure(known: Metadata, files: Sequence[str]) -> str:
    picture, *others = files
    links = " ".join(f'<a href="{_link(one)}">{one.rpartition(".")[2]}</a>' for one in others)
    words = [
        known.utc,
        known.source,
        f"person {known.track}, score {known.score:.2f}, percentile {known.percentile:.1f}",
        *known.reason.split("; "),
    ]
    caption = "<br>".join(map(escape, words))
    return (
        f'<figure><a href="{_link(picture)}"><img src="{_link(picture)}" loading="lazy" '
        f'alt="person {known.track}"></a><figcaption>{caption}<br>{links}</figcaption></figure>'
    )


def _link(name: str) -> str:
    return escape("./" + quote(name))
