"""`sealshot bench tables`: the tables of RESULTS.md, made from the result files.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``, each on a line of its
own; what is between is overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealshot.benchmarks.accuracy.erc.evaluate import FEW
from sealshot.benchmarks.conditions.result_file import write_output
from sealshot.benchmarks.report.cells import (
    bold,
    faces_per_s,
    markdown_table,
    measured,
    millions,
    short,
    span,
    times,
    two_digits,
)
from sealshot.benchmarks.speed.throughput.contenders import EAGER, OURS, PEER
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.errors import InputError

BENCHMARKS = Path(__file__).parent.parent
RESULTS = BENCHMARKS / "results"
PAGE = BENCHMARKS / "RESULTS.md"
END = "<!-- end of table -->"
MARKS = re.compile(r"<!-- table: ([a-z-]+) -->\n(.*?)" + re.escape(END), re.DOTALL)

USAGE = """
usage: sealshot bench tables [RESULTS.md] [--check]

Write the tables of benchmarks/RESULTS.md from the files in benchmarks/results. It needs a checkout:
an installed package has neither.

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
    rows = _read(results, "throughput")["rows"]
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
                f"{one['fps']['median']:.1f} ({one['fps']['low']:.1f} to {one['fps']['high']:.1f})",
                f"{one['peak_mb']:.0f} MB",
                *(
                    ", ".join(f"{one['stages_ms'][stage]['median']:.1f}" for stage in stages)
                    for stages in (("decode", "detect"), ("track", "score", "select", "seal"))
                ),
            )
            for one in _read(results, "throughput")["frames"]
        ),
    )


def energy(results: Path) -> str:
    """Watts and joules, or why there are none."""
    found = _read(results, "energy")
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
    agreement = {r["detector"]: r for r in _read(results, "detector-agreement")["rows"]}
    recall = {
        row["parameters"].partition(" (")[0]: row["clip_recall"]
        for row in _read(results, "detector-recall")["rows"]
    }
    speed = {
        row["detector"]: row["total_ms"]
        for row in _read(results, "detector-speed")["rows"]
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
    labelled = [r for r in _read(results, "tracking")["results"] if r["errors"]]
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


SCORE_NAMES = {
    "lightqnet": "LightQNet",
    "lightqnet50": "LightQNet, half width",
    "size": "face size",
    "confidence": "MTCNN's confidence",
    "sharpness": "sharpness (Laplacian)",
    "reconstruction": "plain reconstruction error",
    "brisque": "BRISQUE",
    "icao": "ICAO proxies",
}


def erc(results: Path) -> str:
    """Failures left when the lowest 30 % are discarded, over those before; too few are left out."""
    found = _read(results, "erc-lfw-dev")
    areas = _areas(found, "")
    costs = {
        name: (two_digits(cost["ms"]), millions(cost["macs"]))
        for name, cost in found["costs"].items()
    }
    return markdown_table(
        ("score", *areas, "ms a face", "MMACs"),
        (
            (_score_name(name), *(cells[name] for cells in areas.values()), *costs[name])
            for name in _in_order(found)
        ),
    )


def mixed(results: Path) -> str:
    """The same of copies of the data sets, half of whose pictures are degraded."""
    lfw, celeba = (_read(results, f"erc-{of}-dev-mixed") for of in ("lfw", "celeba"))
    areas = _areas(lfw, "LFW, ") | _areas(celeba, "CelebA, ")
    return markdown_table(
        ("score", *areas),
        (
            (_score_name(name), *(cells[name] for cells in areas.values()))
            for name in _in_order(lfw)
        ),
    )


OUR_SCORES = ("quality", "rp")


def _score_name(name: str) -> str:
    return f"`{name}`" if name in OUR_SCORES else SCORE_NAMES.get(name, name)


def _area(row: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = next(area for area in row["pauc"] if area["limit"] == 0.3)
    return found


def _areas(found: dict[str, Any], of: str) -> dict[str, dict[str, str]]:
    """Heading of each curve that starts at an FNMR -> score -> pAUC(0.3) with its interval."""
    return {
        f"{of}{start['start']} ({start['errors']} failures)": {
            row["score"]: "{value:.2f} [{low:.2f}, {high:.2f}]".format_map(_area(row))
            for row in start["scores"]
        }
        for start in _from_fnmr(found)
    }


def _from_fnmr(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Starts at an FNMR that enough failures stand behind to tell scores apart."""
    return [
        start
        for start in found["starts"]
        if start["start"].startswith("FNMR") and start["errors"] >= FEW
    ]


def _in_order(found: dict[str, Any]) -> list[str]:
    """Our scores, then the others from the best at the first start."""
    first = {row["score"]: _area(row)["value"] for row in _from_fnmr(found)[0]["scores"]}
    return sorted(first, key=lambda name: (name not in OUR_SCORES, first[name]))


CHOSEN_AMONG = {
    "erc-photos-lfw-dev": "photographs of {} people of LFW",
    "erc-photos-celeba-dev": "of {} of CelebA in the wild",
    "erc-shots": "frames of {} tracks",
}


def shots(results: Path) -> str:
    """How much nearer the chosen shot is to the others than one at random, of what there is."""
    found = {among: _read(results, name) for name, among in CHOSEN_AMONG.items()}
    names = [score["score"] for score in next(iter(found.values()))["scores"]]
    rows = {
        among: {score["score"]: score for score in result["scores"]}
        for among, result in found.items()
    }
    return markdown_table(
        ("score", *(among.format(len(found[among]["people"])) for among in rows)),
        (
            (
                _score_name(name),
                *(
                    f"{100 * row['gained']:.0f} % [{100 * row['gained_low']:.0f}, "
                    f"{100 * row['gained_high']:.0f}]"
                    for row in (by_score[name] for by_score in rows.values())
                ),
            )
            for name in names
        ),
    )


def degrade(results: Path) -> str:
    """Share of faces whose score falls when the picture gets worse, middle severity."""
    found = _read(results, "erc-degrade")
    return markdown_table(
        ("", *(d["name"] for d in found["degradations"])),
        (
            (
                _score_name(score["score"]),
                *(f"{100 * fell[1]:.0f} %" for fell in score["fell"]),
            )
            for score in found["scores"]
        ),
    )


TABLES: dict[str, Callable[[Path], str]] = {
    "throughput": throughput,
    "pipeline": pipeline,
    "energy": energy,
    "detection": detection,
    "tracking": tracking,
    "erc": erc,
    "mixed": mixed,
    "shots": shots,
    "degrade": degrade,
}


def _read(results: Path, name: str) -> Any:
    return json.loads((results / f"{name}.json").read_text())
