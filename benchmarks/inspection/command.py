"""`sealshot inspect`: draw tracks, scores and choices, to judge them by eye."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.inspection.drawing import Drawing
from sealshot.benchmarks.inspection.report import (
    INDEX,
    About,
    Folder,
    Inspection,
    write_index,
    write_scenes,
)
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.commands.watching import USAGE as WATCHING
from sealshot.runtime.cli.commands.watching import BarSink, add_watching, watching
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import fail, note, progress, say, say_json, table, warn
from sealshot.runtime.cli.words import PERCENTILE, counted
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stages import open_stages, open_watched
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.sources import Source

USAGE = f"""
usage: sealshot inspect SOURCE -o DIR [options]

Draw what `sealshot run` would choose, to judge it by eye. DIR GETS PLAIN FACES: nothing is sealed.

For each track: the shot, a filmstrip with the chosen crop framed, the score over time, and the
frame of the shot with boxes, tracks and scores. Besides: frames from the whole video, index.html to
look at it all, tracks.json. Ctrl-C ends the run; what was seen so far is drawn.
{needs("bench")}

  -o, --output DIR    folder for the pictures; made if absent
  --force             replace an older inspection in DIR; other files in it stay
{WATCHING}
  --json              print tracks.json instead of a table

examples:
  sealshot inspect crowd.mp4 -o inspected/
  sealshot inspect 0 --score rp --stop-after 20 -o inspected/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("inspect", USAGE)
    add_watching(arguments)
    add = arguments.add_argument
    add("-o", "--output", type=Path, required=True)
    add("--force", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    settings = watching(arguments, given)
    importlib.import_module("sealshot.benchmarks.page.figures")  # needs an extra: said first
    warn(f"{given.output} GETS PLAIN FACES. Nothing in it is sealed; who can read it sees them.")
    stop = Stop()
    with stop.on_signals(), progress("inspecting") as bar:

        def connect(source: Source, drawing: Drawing) -> Sequence[Sink]:
            return [BarSink(bar, source, lambda *_: f"{len(drawing.rows)} tracks drawn")]

        found, failure = inspect(
            settings, given.output, force=given.force, stop=stop, connect=connect
        )
    if given.json:
        say_json(asdict(found))
    else:
        _print(found, given.output)
    if failure:
        fail(failure)
        return failure.exit_code
    return 0


def inspect(
    settings: Settings,
    output: Path,
    *,
    force: bool = False,
    stop: Stop | None = None,
    connect: Callable[[Source, Drawing], Sequence[Sink]] = lambda _source, _drawing: (),
) -> tuple[Inspection, SealshotError | None]:
    """Watch a source as `run` does, and draw instead of sealing.

    Args:
        settings: what to run on; what concerns sealing is not used.
        output: the folder to write to.
        force: whether it may hold an older inspection, which is then replaced.
        stop: ends it early.
        connect: makes more sinks.

    Returns:
        What was found, and what ended the run early. Ctrl-C ends it too; both leave the tracks up
        to then drawn.

    Raises:
        InputError: the source, an option or the folder is wrong. Nothing was drawn.
        SealshotError: a picture could not be written.
    """
    with open_watched(settings) as source:
        stages = open_stages(settings)
        engine = stages.engine
        drawing = Drawing(
            Folder(output, force=force),
            margin=settings.choice.margin,
            score_name=engine.manifest.name,
        )
        sinks = [drawing, *connect(source, drawing)]
        done = watch(source, stages, sinks, stop, stop_after_s=settings.stop_after_s)
    rows = sorted(drawing.rows, key=lambda row: row.track)
    found = Inspection(
        about=About(
            source=source.name,
            score=engine.manifest.name,
            model_sha256=engine.manifest.sha256,
            detector=settings.detector,
            tracker=settings.tracker,
            engine=engine.description,
        ),
        tracks=tuple(rows),
        frames=done.frames,
        passing=stages.selector.passing,
        interrupted=done.interrupted,
        scenes=write_scenes(drawing.folder, drawing.scenes, rows),
    )
    write_index(drawing.folder, found)
    return found, done.failure


def _print(found: Inspection, output: Path) -> None:
    if found.tracks:
        table(
            (">track", ">frames", ">from", ">to", ">score", ">percentile", ">best frame", ">at"),
            (
                (
                    str(row.track),
                    str(row.frames_seen),
                    f"{row.first_s:.2f} s",
                    f"{row.last_s:.2f} s",
                    f"{row.score:.2f}",
                    f"{row.percentile:.0f}",
                    str(row.frame),
                    f"{row.time_s:.2f} s",
                )
                for row in found.tracks
            ),
        )
        note(PERCENTILE)
    say(
        f"{counted(len(found.tracks), 'person', 'people')} in {counted(found.frames, 'frame')}"
        + (f", {found.passing} passing" if found.passing else "")
        + (", interrupted" if found.interrupted else "")
        + f": {output / INDEX}"
    )
