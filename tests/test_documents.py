"""The documents: what they point at is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    page
    for page in sorted(ROOT.rglob("*.md"))
    if not {"node_modules", ".venv", "site-packages"} & set(page.parts)
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """What GitHub calls a heading: its words in small letters, with hyphens between."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def broken(page: Path) -> Iterator[str]:
    """Links of a page to a file that is not there, or to a heading that a page does not have."""
    for link in LINK.findall(page.read_text()):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        there = target.exists()
        if there and heading:
            there = heading in map(anchor, HEADING.findall(target.read_text()))
        if not there:
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_at_is_there(page):
    assert list(broken(page)) == []


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n[a](#one-two) [b](#three) [c](page.md#one-two) [d](other.md)\n")
    assert list(broken(page)) == ["#three", "other.md"]
