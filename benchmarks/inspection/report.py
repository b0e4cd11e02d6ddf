"""The folder that an inspection writes: pictures of each track as it ends, the index at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from sealshot.benchmarks.conditions.result_file import as_json
from sealshot.benchmarks.inspection.draw import draw_scene, draw_scores, draw_strip
from sealshot.benchmarks.inspection.history import History, Scene, encode
from sealshot.benchmarks.page.html import facts, page
from sealshot.runtime.cli.words import PERCENTILE, counted
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Shot

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # plain faces are for their owner alone
INDEX, TABLE = "index.html", "tracks.json"
OWN = re.compile(
    r"(track-\d+-(shot\.jpg|strip\.jpg|scores\.png|frame\.jpg)|frame-\d+\.jpg"
    rf"|{re.escape(INDEX)}|{re.escape(TABLE)})(\.part)?"
)

STYLE = """
.seen { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.seen img { max-height: 15rem; width: auto; }
.strip { overflow-x: auto; margin: .6rem 0; }
.strip img { display: block; }
@media screen and (max-width: 44rem) { .strip img { max-width: none; } }  /* moved sideways */
"""


@dataclass(frozen=True)
class Row:
    """One track of the index."""

    track: int
    frames_seen: int
    first_s: float
    last_s: float
    frame: int
    """The chosen one."""
    time_s: float
    score: float
    percentile: float
    worst_score: float
    box: tuple[float, float, float, float]
    """Pixels of the frame."""
    reason: str
    files: dict[str, str]


@dataclass(frozen=True)
class About:
    """What an inspection ran on."""

    source: str
    score: str
    model_sha256: str
    detector: str
    tracker: str
    engine: str


@dataclass(frozen=True)
class Inspection:
    """What an inspection found."""

    about: About
    tracks: tuple[Row, ...]
    frames: int
    passing: int
    """Tracks too short to be a person."""
    interrupted: bool
    scenes: tuple[str, ...]
    """Files of frames from the whole video."""


class Folder:
    """The folder that is written to.

    Raises:
        InputError: it holds something and ``force`` is not given, or it is no folder.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self.path = path
        try:
            path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            there = sorted(path.iterdir())
            if there and not force:
                raise InputError(
                    f"the folder {path} is not empty",
                    hint="name another one with -o, or let --force replace an older inspection",
                )
            for file in there:
                if OWN.fullmatch(file.name):
                    file.unlink()
        except OSError as error:
            raise InputError(
                f"cannot write to the folder {path}: {error.strerror}",
                hint="name another one with -o",
            ) from error

    def put(self, name: str, data: bytes) -> str:
        """Write a file whole or not at all; return its name.

        Raises:
            SealshotError: it could not be written.
        """
        try:
            write_atomic(self.path / name, data, mode=PRIVATE_FILE)
        except OSError as error:
            raise SealshotError(
                f"cannot write {self.path / name}: {error.strerror}",
                hint="free some space or name another folder with -o",
            ) from error
        return name


def write_track(
    folder: Folder, history: History, shot: Shot, *, margin: float, score_name: str
) -> Row:
    """Draw one track and return its row of the index."""
    stem = f"track-{shot.track:04d}"
    files = {
        "shot": folder.put(f"{stem}-shot.jpg", encode(shot.image)),
        "strip": folder.put(f"{stem}-strip.jpg", draw_strip(history, shot, margin)),
        "scores": folder.put(f"{stem}-scores.png", draw_scores(history, shot, score_name)),
    }
    if history.scene:
        picture = draw_scene(history.scene, {shot.track: shot.frame})
        files["frame"] = folder.put(f"{stem}-frame.jpg", picture)
    return Row(
        track=shot.track,
        frames_seen=shot.frames_seen,
        first_s=history.first_s,
        last_s=history.last_s,
        frame=shot.frame,
        time_s=shot.time_s,
        score=shot.score,
        percentile=shot.percentile,
        worst_score=history.score(history.worst),
        box=shot.box,
        reason=shot.reason,
        files=files,
    )


def write_scenes(folder: Folder, scenes: list[Scene], rows: list[Row]) -> tuple[str, ...]:
    """Draw frames from the whole video; return their files."""
    chosen = {row.track: row.frame for row in rows}
    return tuple(
        folder.put(f"frame-{scene.frame:06d}.jpg", draw_scene(scene, chosen)) for scene in scenes
    )


def write_index(folder: Folder, found: Inspection) -> None:
    """Write the index, for people and for machines."""
    folder.put(TABLE, as_json(asdict(found)))
    folder.put(INDEX, _page(found).encode())


def _page(found: Inspection) -> str:
    return page(f"Inspection of {found.about.source}", _body(found), STYLE)


def _body(found: Inspection) -> Iterator[str]:
    about = found.about
    yield '<p class="warning">This folder shows plain faces. Nothing in it is sealed.</p>'
    pairs = {
        "people": f"{len(found.tracks)} in {counted(found.frames, 'frame')}"
        + (", interrupted" if found.interrupted else ""),
        "too short to be a person": counted(found.passing, "track") if found.passing else "",
        "score": f"{about.score}; higher is better",
        "detector": about.detector,
        "tracker": about.tracker,
        "engine": about.engine,
    }
    yield facts((name, escape(value)) for name, value in pairs.items())
    yield (
        "<p>Of each person: the chosen shot; the score over time, the chosen frame ringed; and a "
        "strip of the crops that were scored, each with its time in seconds and its score below, "
        "the chosen one framed in green; a phone shows a part, which can be moved sideways.</p>"
        f'<p class="small">{escape(PERCENTILE.capitalize())}.</p>'
    )
    yield from map(_section, found.tracks)
    yield "<h2>Frames</h2>"
    yield (
        "<p>At each box: number of the track, and score. Green: the chosen frame of the track; "
        "orange: another frame of it; grey: too short to be a person.</p>"
    )
    for name in found.scenes:
        yield f'<p><img src="{name}" alt="a frame with boxes" loading="lazy"></p>'


def _section(row: Row) -> str:
    frame = row.files.get("frame")
    link = f' <a href="{frame}">the whole frame</a>' if frame else ""
    shot, scores, strip = (
        f'<img src="{row.files[name]}" alt="{what}" loading="lazy">'
        for name, what in (
            ("shot", "the chosen shot"),
            ("scores", "the score over time"),
            ("strip", "crops in order of time"),
        )
    )
    why = "".join(f"<li>{escape(part)}</li>" for part in row.reason.split("; "))
    return (
        f'<section id="track-{row.track}"><h2>Track {row.track}</h2>'
        f"<p>{row.first_s:.2f} to {row.last_s:.2f} s, {row.frames_seen} detections; chosen: frame "
        f'{row.frame} at {row.time_s:.2f} s.{link}</p><ul class="small">{why}</ul>'
        f'<div class="seen">{shot}{scores}</div><div class="strip">{strip}</div></section>'
    )
