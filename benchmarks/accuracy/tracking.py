"""`sealshot bench tracking`: trackers side by side on the same detections.

Tracks, identity switches, fragments, time a frame.
With hand labels the errors are counted. Without, ``--sheets`` draws every track for the eye. The
sheets SHOW PLAIN FACES: keep them out of the repository.
"""

from __future__ import annotations

import csv
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.inspection.history import Thinned
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import progress, say_json, table
from sealshot.runtime.crops import cut, square
from sealshot.runtime.detect import MIN_FACE_PX, Detector, open_detector, open_finder
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.presence import Presence
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.sources import ahead, frames_of, open_source
from sealshot.runtime.track import TRACKERS, open_tracker
from sealshot.runtime.types import Face, Frame, Image

MIN_HITS = 3  # fewer faces than this are no track to judge
LARGE_PX, LARGE_S = 40.0, 0.5  # whose face is so wide for so long must get a track
SAME_FACE_IOU = 0.4  # of a detection and a label
CELLS, CELL_PX, ROWS = 12, 96, 20  # of a contact sheet
FRAMES_AHEAD = 4
FONT = cv2.FONT_HERSHEY_SIMPLEX

USAGE = f"""
usage: sealshot bench tracking CLIP ... [options]

Run all trackers on the same detections of each CLIP, and compare them.

  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --min-face PX       width of the smallest face to look for (default {MIN_FACE_PX})
  --truth DIR         hand labels: for crowd.mp4 the file DIR/crowd.csv with the columns
                      frame,person,x0,y0,x1,y1; a clip without a file is not judged
  --sheets DIR        draw the tracks of each clip and tracker; SHOWS PLAIN FACES
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench tracking crowd.mp4 --truth labels/ -o results/tracking.json
"""

Box = NDArray[np.floating]
Boxes = Sequence[tuple[int, Box]]
"""Faces of one track or person: frame index, and box ``[4]`` in pixels."""


@dataclass(frozen=True)
class Errors:
    """What a tracker got wrong, by hand labels, in tracks that `sealshot run` takes for people."""

    people: int
    """Labelled people whose face is LARGE_PX wide for LARGE_S."""
    missed: int
    """Of these, those who are the main person of no track."""
    switches: int
    """People other than the main one who have two faces or more in a track."""
    fragments: int
    """Tracks beyond the first with the same main person."""
    false: int
    """Tracks in which most faces are nobody's."""


@dataclass(frozen=True)
class Result:
    """One tracker on one clip."""

    clip: str
    tracker: str
    frames: int
    faces: int
    tracks: int
    lengths: tuple[int, ...]
    """Faces of each track that is a person's, the longest first."""
    median_ms: float
    p99_ms: float
    """Time of a frame."""
    errors: Errors | None


class Followed:
    """What one tracker made of a clip."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tracks: dict[int, list[tuple[int, Box]]] = defaultdict(list)
        self.cells: dict[int, Thinned[Image]] = defaultdict(lambda: Thinned(2 * CELLS))
        self._tracker = open_tracker(name)
        self._presence = Presence()

    def update(self, frame: Frame, faces: Sequence[Face], *, draw: bool) -> None:
        """Take the faces of a frame."""
        seen = self._tracker.update(frame.time_s, faces).seen
        self._presence.add(frame.time_s, {track.id for track in seen})
        for track in seen:
            box = track.face.box
            self.tracks[track.id].append((frame.index, box))
            if draw:
                self.cells[track.id].offer(partial(draw_cell, frame, box))

    def people(self) -> dict[int, list[tuple[int, Box]]]:
        """Return the tracks that `sealshot run` takes for a person: in view for long enough."""
        reached = self._presence.reached
        return {id: faces for id, faces in self.tracks.items() if reached(id, Settings.min_seen_s)}


def compare(
    clip: Path, detector: Detector, *, truth: Path | None = None, sheets: Path | None = None
) -> list[Result]:
    """Run all trackers on a clip, one after the other in each frame.

    Args:
        clip: a video.
        detector: finds the faces.
        truth: folder of hand labels; a clip without a file in it is not judged.
        sheets: folder for contact sheets, which show plain faces.

    Raises:
        InputError: the clip or its labels cannot be read, or a sheet cannot be written.
    """
    file = truth and truth / f"{clip.stem}.csv"
    people = read_truth(file) if file and file.exists() else None
    followed = [Followed(name) for name in TRACKERS]
    found: list[tuple[float, Sequence[Face]]] = []
    with (
        open_source(str(clip)) as source,
        ahead(detected(frames_of(source), detector), FRAMES_AHEAD) as frames,
        progress(clip.name, source.frames) as bar,
    ):
        for frame, faces in frames:
            for one in followed:
                one.update(frame, faces, draw=sheets is not None)
            found.append((frame.time_s, faces))
            bar.update(len(found), f"{len(faces)} faces")
    times = timed(found)
    enough = LARGE_S * (len(found) - 1) / (found[-1][0] or 1.0)
    results = []
    for one in followed:
        if sheets:
            write_sheets(sheets, f"{clip.stem}-{one.name}", one)
        lengths = [len(boxes) for boxes in one.people().values() if len(boxes) >= MIN_HITS]
        results.append(
            Result(
                clip=clip.name,
                tracker=one.name,
                frames=len(found),
                faces=sum(len(faces) for _, faces in found),
                tracks=len(one.tracks),
                lengths=tuple(sorted(lengths, reverse=True)),
                median_ms=round(float(np.median(times[one.name])), 4),
                p99_ms=round(float(np.percentile(times[one.name], 99)), 4),
                errors=None if people is None else judge(one.people(), people, enough),
            )
        )
    return results


def timed(frames: Sequence[tuple[float, Sequence[Face]]]) -> dict[str, list[float]]:
    """Return the milliseconds of each frame for each tracker, run in turn with nothing beside."""
    trackers = {name: open_tracker(name) for name in TRACKERS}
    times: dict[str, list[float]] = {name: [] for name in trackers}
    for time_s, faces in frames:
        for name, tracker in trackers.items():
            start = time.perf_counter()
            tracker.update(time_s, faces)
            times[name].append(1e3 * (time.perf_counter() - start))
    return times


def detected(frames: Iterable[Frame], detector: Detector) -> Iterator[tuple[Frame, Sequence[Face]]]:
    """Yield frames and their faces."""
    finder = open_finder(detector)
    for frame in frames:
        yield frame, finder.look(frame.time_s, frame.pixels)()


def read_truth(path: Path) -> dict[int, Boxes]:
    """Read hand labels: the boxes of each person.

    Raises:
        InputError: the file is no CSV with the columns frame, person, x0, y0, x1, y1.
    """
    people: dict[int, list[tuple[int, Box]]] = defaultdict(list)
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
            if not rows:
                raise ValueError("no rows")
            for row in rows:
                box = np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")])
                people[int(row["person"])].append((int(row["frame"]), box))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} does not hold hand labels: {error!r}",
            hint="give a CSV file with the columns frame,person,x0,y0,x1,y1",
        ) from error
    return dict(people)


def judge(tracks: Mapping[int, Boxes], people: Mapping[int, Boxes], enough: float) -> Errors:
    """Count what is wrong with tracks.

    Args:
        tracks: the faces of each track.
        people: the faces of each labelled person.
        enough: frames in which a face must be LARGE_PX wide to be one of ``Errors.people``.
    """
    labels: dict[int, list[tuple[int, Box]]] = defaultdict(list)  # by frame: person, box
    for person, faces in people.items():
        for frame, box in faces:
            labels[frame].append((person, box))
    large = {
        person
        for person, faces in people.items()
        if sum(box[2] - box[0] >= LARGE_PX for _, box in faces) >= enough
    }
    main: Counter[int | None] = Counter()
    switches = 0
    for faces in tracks.values():
        if len(faces) < MIN_HITS:
            continue
        who = Counter(whose(box, labels[frame]) for frame, box in faces)
        main[who.most_common(1)[0][0]] += 1
        switches += max(0, sum(n >= 2 for person, n in who.items() if person is not None) - 1)
    false = main.pop(None, 0)
    return Errors(
        people=len(large),
        missed=len(large - main.keys()),
        switches=switches,
        fragments=main.total() - len(main),
        false=false,
    )


def whose(box: Box, labels: Iterable[tuple[int, Box]]) -> int | None:
    """Return the labelled person whose box overlaps most with ``box``; None if none does."""
    overlap, person = max(((iou(box, other), person) for person, other in labels), default=(0, 0))
    return person if overlap >= SAME_FACE_IOU else None


def iou(a: Box, b: Box) -> float:
    """Intersection of two boxes over their union."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return both / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both)


def draw_cell(frame: Frame, box: Box) -> Image:
    """Draw a face with what is around it, and the frame index, ``uint8 [CELL_PX, CELL_PX, 3]``."""
    x, y, side = square(np.asarray(box, np.float32), margin=0.4)
    way = cv2.INTER_AREA if side > CELL_PX else cv2.INTER_CUBIC
    part = cut(frame.image, x, y, side)
    cell = np.asarray(cv2.resize(part, (CELL_PX, CELL_PX), interpolation=way), np.uint8)
    x0, y0, x1, y1 = ((box - [x, y, x, y]) * CELL_PX / side).round().astype(int).tolist()
    cv2.rectangle(cell, (x0, y0), (x1, y1), (80, 200, 60), 1)
    cv2.putText(cell, str(frame.index), (2, CELL_PX - 4), FONT, 0.4, (0, 255, 255), 1)
    return cell


def write_sheets(folder: Path, name: str, followed: Followed) -> None:
    """Write ``NAME-1.png`` and so on: a row for each track, its faces evenly spaced in time.

    Raises:
        InputError: a file cannot be written.
    """
    rows = []
    for track, cells in followed.cells.items():
        pictures = cells.items
        chosen = sorted(set(np.linspace(0, len(pictures) - 1, CELLS).round().astype(int).tolist()))
        row = np.zeros((CELL_PX, (CELLS + 1) * CELL_PX, 3), np.uint8)
        faces = followed.tracks[track]
        words = (f"#{track}", f"{len(faces)} faces", f"{faces[0][0]}-{faces[-1][0]}")
        for line, text in enumerate(words):
            cv2.putText(row, text, (4, 24 + 22 * line), FONT, 0.45, (255, 255, 255), 1)
        for place, at in enumerate(chosen, start=1):
            row[:, place * CELL_PX : (place + 1) * CELL_PX] = pictures[at]
        rows.append(row)
    for number in range(math.ceil(len(rows) / ROWS)):
        path = folder / f"{name}-{number + 1}.png"
        folder.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), np.vstack(rows[number * ROWS : (number + 1) * ROWS])):
            raise InputError(f"cannot write {path}", hint="name another folder with --sheets")


def show(results: Sequence[Result]) -> None:
    """Print a table."""
    columns = ["clip", "tracker", ">tracks", ">kept", "longest", ">switches", ">fragments"]
    columns += [">missed", ">false", ">ms a frame"]
    rows = []
    for r in results:
        e = r.errors
        judged = (e.switches, e.fragments, f"{e.missed} of {e.people}", e.false) if e else "----"
        longest = " ".join(map(str, r.lengths[:8])) + (" ..." if len(r.lengths) > 8 else "")
        rows.append(
            [r.clip, r.tracker, str(r.tracks), str(len(r.lengths)), longest]
            + [str(value) for value in judged]
            + [f"{r.median_ms:.3f}"]
        )
    table(columns, rows)


def main(argv: list[str]) -> int:
    """Entry point."""
    arguments = Arguments("bench tracking", USAGE)
    arguments.add_argument("clips", metavar="CLIP", nargs="+", type=Path)
    arguments.add_argument("--detector", default="mtcnn")
    arguments.add_argument("--min-face", type=positive_int, default=MIN_FACE_PX)
    arguments.add_argument("--truth", type=Path)
    arguments.add_argument("--sheets", type=Path)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args(argv)
    if options.truth and not options.truth.is_dir():
        raise InputError(f"there is no folder {options.truth}", hint="check --truth")
    detector = open_detector(options.detector, min_face_px=options.min_face)
    results = [
        result
        for clip in options.clips
        for result in compare(clip, detector, truth=options.truth, sheets=options.sheets)
    ]
    fields = {
        "detector": options.detector.partition(":")[0],
        "min_face_px": options.min_face,
        "results": [asdict(result) for result in results],
        "environment": asdict(environment(("scipy",))),
    }
    if options.output:
        write_result(options.output, fields)
    if options.json:
        say_json(fields)
    else:
        show(results)
    return 0
