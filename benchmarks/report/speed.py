"""Tables of how fast whole pipelines are: ours beside others, more cameras, other views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sealshot.benchmarks.report.cells import bold, markdown_table, measured, read_result
from sealshot.benchmarks.speed.views import FACES, HEIGHTS

OURS = "sealshot"


def peers(results: Path) -> str:
    """Whole pipelines of others, on the same clips in turns."""
    return markdown_table(
        (
            "clip, pipeline",
            "frames/s (spread)",
            "processor ms a frame",
            "s to the first",
            "MB",
            "people missed",
            "mixed up",
            "in parts",
            "nobody",
        ),
        (
            (
                bold(f"{Path(row['clip']).stem}, {row['pipeline']}", row["pipeline"] == OURS),
                measured(row["fps"], 1),
                f"{row['cpu_ms']['median']:.0f}",
                f"{row['first_s']['median']:.1f}",
                f"{row['once_mb']['median']:.0f}",
                f"{row['errors']['missed']} of {row['errors']['people']}",
                *(str(row["errors"][k]) for k in ("switches", "fragments", "false")),
            )
            for row in read_result(results, "peers")["runs"]
        ),
    )


def kept(results: Path) -> str:
    """What LightQNet says of the pictures that those pipelines keep of a person."""
    return markdown_table(
        ("pipeline, keeps the", "people", "without a face", "LightQNet"),
        (
            (
                bold(f"{row['pipeline']}, {row['rule']}", row["pipeline"] == OURS),
                str(row["people"]),
                str(row["no_face"]),
                f"{row['lightqnet']:.3f}",
            )
            for row in read_result(results, "peers")["pictures"]
        ),
    )


def cameras(results: Path) -> str:
    """What more cameras in one process cost."""
    return markdown_table(
        (
            "cameras",
            "frames/s each",
            "dropped",
            "95 of 100 within",
            "processor ms a frame",
            "processors busy",
            "MB",
        ),
        (
            (
                str(len(row["cameras"])),
                _range(row["cameras"], "fps", 1, ".1f"),
                _range(row["cameras"], "dropped", 100, ".0f") + " %",
                _range(row["cameras"], "p95_ms", 1, ",.0f") + " ms",
                f"{row['cpu_ms']:.0f}",
                f"{row['busy']:.2f}",
                f"{row['once_mb']:,.0f}",
            )
            for row in read_result(results, "cameras")["rows"]
        ),
    )


def views(results: Path) -> str:
    """How many times as fast as version 0.1, by size of the picture and faces in view."""
    return markdown_table(
        ("", *(f"{count} in view" if count else "nobody in view" for count in FACES)),
        (
            (f"{high}p", *(_ratio(read_result(results, f"views-{high}p-{n}")) for n in FACES))
            for high in HEIGHTS
        ),
    )


def _ratio(result: Any) -> str:
    older, today = (build["fps"]["median"] for build in result["builds"])
    return f"{result['fps_ratio']['median']:.2f}x ({today:.0f} for {older:.0f})"


def _range(cameras: Any, key: str, factor: float, form: str) -> str:
    low, high = (f"{factor * end(c[key] for c in cameras):{form}}" for end in (min, max))
    return low if low == high else f"{low} to {high}"
