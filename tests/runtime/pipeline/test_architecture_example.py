"""The sink that ARCHITECTURE.md shows, run as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "runtime" / "ARCHITECTURE.md"


def test_the_sink_of_the_page_counts_the_people_of_a_clip(demo, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    sink = code[code.index("class ") : code.index("video, path")].strip()
    assert len(sink.splitlines()) <= 20
    counts = tmp_path / "counts.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, demo.clip, counts], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = [json.loads(line) for line in counts.read_text().splitlines()]
    assert [line["people"] for line in told] == [0, 1, 2]
    assert [line["time_s"] for line in told] == sorted(line["time_s"] for line in told)


def test_the_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", PAGE.read_text())
    roots = (PAGE.parent, PAGE.parent.parent)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
