"""`sealshot bench tables`: the tables of the pages of measurements, made from the result files.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``, each on a line of its
own; what is between is overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sealshot.benchmarks.conditions.result_file import write_output
from sealshot.benchmarks.report import accuracy, speed
from sealshot.benchmarks.report.cells import (
    bold,
    faces_per_s,
    markdown_table,
    measured,
    read_result,
    short,
    span,
    times,
)
from sealshot.benchmarks.speed.throughput.contenders import EAGER, OURS, PEER
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.errors import InputError

BENCHMARKS = Path(__file__).parent.parent
RESULTS = BENCHMARKS / "results"
PAGE = BENCHMARKS / "RESULTS.md"
TRIED = BENCHMARKS / "TRIED.md"
CARD = BENCHMARKS.parent / "runtime" / "weights" / "MODELS.md"
END = "<!-- end of table -->"
MARKS = re.compile(r"<!-- table: ([a-z-]+) -->\n(.*?)" + re.escape(END), re.DOTALL)

USAGE = """
usage: sealshot bench tables [PAGE.md] [--check]

Write the tables of a page, benchmarks/RESULTS.md, benchmarks/TRIED.md or
runtime/weights/MODELS.md, from the files in benchmarks/results. It needs a checkout: an installed
package has neither.

  --check   write nothing; exit 1 where a table differs from the results

example:
  sealshot bench tables --check
"""


def update(text: str, results: Path = RESULTS) -> str:
    """Return a page with its tables made anew.

    Args:
        text: with marks.
        results: folder of the result files.

    Raises:
        InputError: a mark names no table or has no end, or a result is missing or has another form.
    """
    if text.count("<!-- table: ") != len(MARKS.findall(text)):
        raise InputError("a table of the page has no end or no proper mark", hint=f"add {END}")

    def made(match: re.Match[str]) -> str:
        name = match[1]
        if name not in TABLES:
            raise InputError(f"there is no table '{name}'", hint=f"use one of {', '.join(TABLES)}")
        try:
            table = TABLES[name](results)
        except OSError as error:
            raise InputError(
                f"the table '{name}' needs {error.filename}", hint="measure it"
            ) from None
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                f"the results for the table '{name}' have another form: {error!r}",
                hint="measure again with this version",
            ) from error
        return f"<!-- table: {name} -->\n{table}{END}"

    return MARKS.sub(made, text)


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench tables", USAGE)
    arguments.add_argument("page", nargs="?", type=Path, default=PAGE)
    arguments.add_argument("--check", action="store_true")
    given = arguments.parse_args(argv)
    try:
        text = given.page.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read {given.page}: {error.strerror}", hint="run it in a checkout"
        ) from error
    new = update(text)
    if given.check:
        say(
            "the tables agree with the results"
            if new == text
            else "a table differs from its result"
        )
        return 0 if new == text else 1
    write_output(given.page, new.encode())
    say(f"{len(MARKS.findall(new))} tables in {given.page.name}")
    return 0


def throughput(results: Path) -> str:
    """Faces a second: the best batch of each contender, beside what it weighs."""
    rows = read_result(results, "throughput")["rows"]
    names = dict.fromkeys(row["name"] for row in rows)
    best = [max((r for r in rows if r["name"] == name), key=faces_per_s) for name in names]
    groups = dict.fromkeys(row["score"] for row in best if row["way"] != PEER)
    peers = [row for row in best if row["way"] == PEER]
    ordered = [
        row
        for score in groups
        for row in sorted((r for r in best if r["score"] == score), key=faces_per_s, reverse=True)
    ] + sorted(peers, key=faces_per_s, reverse=True)
    heads = ("", "faces/s (spread)", "batch", "to PyTorch one by one", "to plain export")
    return markdown_table(
        (*heads, "MMACs", "parameters", "MB on disk / in memory"),
        (
            (
                bold(row["name"], row["way"] == OURS),
                f"{short(faces_per_s(row))} ({span(row['closed']['faces_per_s'])})",
                str(row["batch"]),
                times(row["closed"]["to_eager"]) if row["way"] != EAGER else "",
                times(row["closed"]["to_plain"]),
                f"{row['macs_per_face'] / 1e6:,.0f}",
                f"{row['parameters'] / 1e6:.2f} M",
                f"{row['file_bytes'] / 1e6:.1f} / {row['peak_mb']:.0f}",
            )
            for row in ordered
        ),
    )


def pipeline(results: Path) -> str:
    """Frames a second of the whole pipeline."""
    heads = ("score", "frames/s (spread)", "peak memory", "ms a frame: decode, detect")
    return markdown_table(
        (*heads, "track, score, select, seal"),
        (
            (
                f"`{one['score']}`",
                measured(one["fps"], 1),
                f"{one['peak_mb']:.0f} MB",
                *(
                    ", ".join(f"{one['stages_ms'][stage]['median']:.1f}" for stage in stages)
                    for stages in (("decode", "detect"), ("track", "score", "select", "seal"))
                ),
            )
            for one in read_result(results, "throughput")["frames"]
        ),
    )


def energy(results: Path) -> str:
    """Watts and joules, or why there are none."""
    found = read_result(results, "energy")
    if found["why_not"]:
        return f"Energy: **not measured** on this machine. {found['why_not']}.\n"
    return markdown_table(
        ("load", "channel", "W (spread)", "J a face or person (spread)"),
        (
            (
                load["name"],
                channel["name"] + (" (total)" if channel["is_total"] else ""),
                measured(channel["watts"], 2),
                measured(channel["joules_each"], 4) if load["unit"] else "",
            )
            for load in found["loads"]
            for channel in load["channels"]
        ),
    )


def detection(results: Path) -> str:
    """The detectors: agreement with the published one, recall, time."""
    agreement = {r["detector"]: r for r in read_result(results, "detector-agreement")["rows"]}
    recall = {
        row["parameters"].partition(" (")[0]: row["clip_recall"]
        for row in read_result(results, "detector-recall")["rows"]
    }
    speed = {
        row["detector"]: row["total_ms"]
        for row in read_result(results, "detector-speed")["rows"]
        if row["threads"] == 1
    }
    faces = max(row["faces"] for row in agreement.values())
    return markdown_table(
        (
            "detector",
            f"same boxes as facenet-pytorch: IoU > 0.95 / > 0.5, of {faces} faces",
            "recall, faces of 40 px and more on clips",
            "ms a frame, 1 thread",
        ),
        (
            (
                f"`{name}`" if name in speed else name,
                f"{100 * row['iou_above_0.95']:.1f} % / {100 * row['iou_above_0.5']:.1f} %",
                f"{recall[name]:.3f}" if name in recall else "",
                f"{speed[name]:.0f}" if name in speed else "",
            )
            for name, row in agreement.items()
        ),
    )


def tracking(results: Path) -> str:
    """The trackers against labels made by hand."""
    labelled = [r for r in read_result(results, "tracking")["results"] if r["errors"]]
    return markdown_table(
        ("clip", "tracker", "identity switches", "fragments", "false tracks", "people missed"),
        (
            (
                Path(row["clip"]).stem,
                f"`{row['tracker']}`",
                *(str(row["errors"][k]) for k in ("switches", "fragments", "false")),
                f"{row['errors']['missed']} of {row['errors']['people']}",
            )
            for row in labelled
        ),
    )


TABLES: dict[str, Callable[[Path], str]] = {
    "throughput": throughput,
    "pipeline": pipeline,
    "views": speed.views,
    "peers": speed.peers,
    "kept": speed.kept,
    "cameras": speed.cameras,
    "energy": energy,
    "detection": detection,
    "tracking": tracking,
    "erc": accuracy.erc,
    "mixed": accuracy.mixed,
    "matchers": accuracy.matchers,
    "shots": accuracy.shots,
    "walks": accuracy.walks,
    "eyes": accuracy.eyes,
    "by-hand": accuracy.by_hand,
    "by-hand-pairs": accuracy.by_hand_pairs,
    "attributes": accuracy.attributes,
    "degrade": accuracy.degrade,
    "degrade-celeba": accuracy.degrade_celeba,
    "degrade-reason": accuracy.degrade_reason,
    "groups": accuracy.groups,
}
