"""The part of the page that shows a throughput result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from sealshot.benchmarks.page.html import bullets, table
from sealshot.benchmarks.report.plots import Bar, bars, lines, stacks
from sealshot.benchmarks.report.source import Source
from sealshot.benchmarks.speed.throughput.contenders import OURS, PEER

KINDS = {OURS: "ours", PEER: "peer"}
SAME_SCORE = "same score"

PEERS_NOTE = (
    "The networks of other people's scores are built here from what they published, with random "
    "weights: speed does not depend on weights, so this is fair; it says nothing of how good they "
    "are. All take the same 64x64 grey crops; a peer's is enlarged to the size that it wants, "
    "which is in its time. Detection and alignment are in nobody's. Dark blue: as sealshot ships "
    "it; light blue: the same scores by other means; red: other people's networks."
)
LOOPS_NOTE = (
    "Closed loop: one call follows another. Open loop: faces arrive at random moments, and a "
    "face's time starts when it arrives, so that whoever waits behind a slow call counts."
)
CONTENDER_HEADS = (
    "score, precision, way",
    "what it is",
    "best faces/s",
    "at batch",
    "spread",
    "parameters, M",
    "MMACs a face",
    "file, MB",
    "memory, MB",
)
CLOSED_HEADS = (
    "score, precision, way",
    "batch",
    "faces/s",
    "spread",
    "p50 ms a call",
    "p95",
    "p99",
    "CPU ms a face",
    "memory, MB",
    "to eager, one by one",
    "to plain export",
    "to default score",
)
OPEN_HEADS = (
    "score, precision, way",
    "batch",
    "faces/s arrive",
    "done",
    "p50 ms a face",
    "p95",
    "p99",
    "most waiting",
    "faces",
)


def in_short(source: Source) -> Iterator[str]:
    """Give the findings as sentences."""
    best = best_rows(source)
    ours = [p for p in best if source.at(f"{p}/way") == OURS]
    for score in dict.fromkeys(source.at(f"{p}/score") for p in ours):
        pointer = max((p for p in ours if source.at(f"{p}/score") == score), key=_rate(source))
        text = (
            f"<b>{escape(source.at(f'{pointer}/name'))}</b>: {_faces(source, pointer)} faces/s at "
            f"batch {source.number(f'{pointer}/batch')}"
        )
        closed = f"{pointer}/closed"
        for field, name in (("to_eager", "PyTorch one by one"), ("to_plain", "the plain export")):
            if source.at(f"{closed}/{field}"):
                text += f"; {source.number(f'{closed}/{field}/median', 2)}x {name}"
        yield text + "."
    for pointer, one in source.each("/frames"):
        yield (
            f"The whole pipeline with <b>{escape(one['score'])}</b>: "
            f"{source.number(f'{pointer}/fps/median', 1)} frames/s, "
            f"{source.number(f'{pointer}/peak_mb')} MB."
        )


def section(source: Source) -> Iterator[str]:
    """Give the parts of the page."""
    best = sorted(best_rows(source), key=_rate(source), reverse=True)
    yield "<h3>Faces per second</h3>"
    if any(source.at(f"{p}/way") == PEER for p in best):
        yield f"<p>{PEERS_NOTE}</p>"
    yield bars([_bar(source, p) for p in best], "faces/s, best batch, log scale", log=True)
    yield table(
        CONTENDER_HEADS,
        [
            (
                _named(source, p),
                escape(source.at(f"{p}/note") or ""),
                _faces(source, p),
                source.number(f"{p}/batch"),
                source.range(f"{p}/closed/faces_per_s"),
                source.number(f"{p}/parameters", 2, scale=1e-6),
                source.number(f"{p}/macs_per_face", 1, scale=1e-6),
                source.number(f"{p}/file_bytes", 1, scale=1e-6),
                source.number(f"{p}/peak_mb"),
            )
            for p in best
        ],
        _cite(source, "rows[n]; n stands before the name"),
    )
    every = [p for p, _ in source.each("/rows")]
    threads = sorted({source.at(f"{p}/threads") for p in every})
    yield f"<h3>By batch size</h3><p>{LOOPS_NOTE}</p>"
    for count in threads:
        said = f"{count} thread{'s' if count > 1 else ''}"
        rows = [p for p in every if source.at(f"{p}/threads") == count]
        yield lines(_curves(source, rows), f"batch, {said}", "faces/s", log=True)
        yield table(
            CLOSED_HEADS,
            [(_named(source, p), *_closed(source, p)) for p in rows],
            f"Closed loop, {said}. " + _cite(source, "rows[n].closed"),
            form="wide",
        )
        yield table(
            OPEN_HEADS,
            [(_named(source, p), *_open(source, p)) for p in rows],
            f"Open loop, {said}. " + _cite(source, "rows[n].open"),
            form="wide",
        )
    yield from _frames(source)
    yield from _agreement(source)


def left_out(source: Source) -> str:
    """Return what was not measured, and why."""
    return bullets(
        f"<b>{escape(entry['what'])}</b>: {escape(entry['why'])}"
        for _, entry in source.each("/left_out")
    )


def best_rows(source: Source) -> list[str]:
    """Return the pointer of each contender's row with the most faces a second."""
    if not source.data["rows"]:
        raise KeyError("rows")
    groups: dict[str, list[str]] = {}
    for pointer, row in source.each("/rows"):
        groups.setdefault(row["name"], []).append(pointer)
    return [max(group, key=_rate(source)) for group in groups.values()]


def _frames(source: Source) -> Iterator[str]:
    every = list(source.each("/frames"))
    if not every:
        return
    clip = source.data["clip"]
    yield "<h3>Frames per second of the whole pipeline</h3>"
    yield (
        f"<p>{escape(clip['name'])}, {source.number('/clip/width')}x"
        f"{source.number('/clip/height')}: decoding, detection, tracking, scores, selection, "
        "sealing. Decoding and detection run beside the rest.</p>"
    )
    names = {p: f"{one['score']}" for p, one in every}
    yield stacks(
        {names[p]: {k: v["median"] for k, v in one["stages_ms"].items()} for p, one in every},
        "ms a frame, medians",
    )
    stages = list(every[0][1]["stages_ms"])
    yield table(
        ("score", "engine", "frames/s", "spread", "memory, MB", "people", *stages),
        [
            (
                escape(one["score"]),
                escape(one["engine"]),
                source.number(f"{p}/fps/median", 1),
                source.range(f"{p}/fps", 1),
                source.number(f"{p}/peak_mb"),
                source.number(f"{p}/people"),
                *(source.number(f"{p}/stages_ms/{stage}/median", 2) for stage in stages),
            )
            for p, one in every
        ],
        "Stages in ms a frame. " + _cite(source, "frames[n]"),
    )


def _agreement(source: Source) -> Iterator[str]:
    every = list(source.each("/agreement"))
    if not every:
        return
    yield "<h3>Do they compute the same?</h3><p>Against PyTorch in float64, on the same crops.</p>"
    yield table(
        ("contender", "crops", "largest difference", "spread of the scores", "rank correlation"),
        [
            (
                escape(one["name"]),
                source.number(f"{p}/crops"),
                source.number(f"{p}/max_difference", 5),
                source.number(f"{p}/spread", 3),
                source.number(f"{p}/spearman", 6),
            )
            for p, one in every
        ],
        _cite(source, "agreement[n]"),
    )


def _closed(source: Source, pointer: str) -> tuple[str, ...]:
    closed = f"{pointer}/closed"
    return (
        source.number(f"{pointer}/batch"),
        _faces(source, pointer),
        source.range(f"{closed}/faces_per_s"),
        *(source.number(f"{closed}/call_ms/{p}", 2) for p in ("p50", "p95", "p99")),
        source.number(f"{closed}/cpu_ms_per_face/median", 3),
        source.number(f"{pointer}/peak_mb"),
        *(
            source.number(f"{closed}/{ratio}/median", 2, unit="x")
            for ratio in ("to_eager", "to_plain", "to_default")
        ),
    )


def _open(source: Source, pointer: str) -> tuple[str, ...]:
    opened = f"{pointer}/open"
    return (
        source.number(f"{pointer}/batch"),
        source.number(f"{opened}/arrivals_per_s", 1),
        source.number(f"{opened}/done_per_s", 1),
        *(source.number(f"{opened}/face_ms/{p}", 2) for p in ("p50", "p95", "p99")),
        source.number(f"{opened}/most_waiting"),
        source.number(f"{opened}/face_ms/count"),
    )


def _curves(source: Source, pointers: list[str]) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for p in pointers:
        point = (source.at(f"{p}/batch"), source.at(f"{p}/closed/faces_per_s/median"))
        curves.setdefault(source.at(f"{p}/name"), []).append(point)
    return {name: sorted(points) for name, points in curves.items()}


def _bar(source: Source, pointer: str) -> Bar:
    rate = source.at(f"{pointer}/closed/faces_per_s")
    kind = KINDS.get(source.at(f"{pointer}/way"), SAME_SCORE)
    return source.at(f"{pointer}/name"), kind, rate["median"], rate["low"], rate["high"]


def _named(source: Source, pointer: str) -> str:
    return f"{pointer.rpartition('/')[2]}. {escape(source.at(f'{pointer}/name'))}"


def _faces(source: Source, pointer: str) -> str:
    digits = 0 if source.at(f"{pointer}/closed/faces_per_s/median") >= 100 else 1
    return source.number(f"{pointer}/closed/faces_per_s/median", digits)


def _rate(source: Source) -> Callable[[str], float]:
    return lambda pointer: float(source.at(f"{pointer}/closed/faces_per_s/median"))


def _cite(source: Source, fields: str) -> str:
    return f"From <code>{escape(source.name)}</code>, {fields}."
