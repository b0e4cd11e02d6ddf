"""`sealshot bench uncovered`: which faces of a video its public version still shows.

Black box: the public version, written without loss, is held against the original. A detector that
had no part in covering (YuNet beside MTCNN) finds the faces of the original; an eye is uncovered
where the pixels around it are in the public version what they were. What a judge finds and is no
face can be left out by hand, in a list that goes with the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.rows import read_rows
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import progress, say_json, table
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.hiding import MIN_FACE_PX
from sealshot.runtime.public.recording import Recording, Shown
from sealshot.runtime.types import Face

AROUND_PX = 2
"""Pixels around an eye, on each side."""

USAGE = f"""
usage: sealshot bench uncovered ORIGINAL PUBLIC --judge DETECTOR [options]

Count the faces of ORIGINAL of which PUBLIC shows an eye. PUBLIC is what `sealshot deidentify
ORIGINAL -o PUBLIC.mkv --codec ffv1` wrote: without loss, picture by picture.

  --judge DETECTOR    finds the faces of ORIGINAL: yunet:FILE.onnx, or mtcnn:exact
  --min-face PX       smallest face that counts (default {MIN_FACE_PX})
  --no-faces FILE     what the judge takes for a face and is none, looked at by hand: CSV with the
                      columns frame,x,y, one point in each
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench uncovered crowd.mp4 public.mkv --judge yunet:yunet.onnx
"""


@dataclass(frozen=True)
class Uncovered:
    """A face that is shown."""

    frame: int
    box: tuple[float, ...]
    score: float


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench uncovered", USAGE)
    arguments.add_argument("original", type=Path)
    arguments.add_argument("public", type=Path)
    arguments.add_argument("--judge", required=True)
    arguments.add_argument("--min-face", type=positive_int, default=MIN_FACE_PX)
    arguments.add_argument("--no-faces", type=Path)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    judge = open_detector(given.judge, min_face_px=given.min_face)
    none = _read(given.no_faces) if given.no_faces else []
    faces, shown = 0, []
    with (
        progress("judging") as bar,
        Recording(given.original) as original,
        Recording(given.public) as public,
    ):
        pairs = zip_longest(_pictures(original), _pictures(public))
        for index, (left, right) in enumerate(pairs):
            if left is None or right is None:
                raise InputError(
                    f"{given.public} has not as many pictures as {given.original}",
                    hint="give the whole public version of this video",
                )
            for face in judge.detect(left.image):
                if _is_listed(index, face, none):
                    continue
                faces += 1
                if any(_is_same(left, right, x, y) for x, y in face.landmarks[:2].tolist()):
                    box = tuple(float(v) for v in face.box.round(1))
                    shown.append(Uncovered(index, box, round(face.score, 3)))
            bar.update(index + 1, f"{len(shown)} of {faces}", original.frames)
    fields = {
        "clip": given.original.name,
        "judge": given.judge.partition(":")[0],
        "min_face_px": given.min_face,
        "face_frames": faces,
        "uncovered": [asdict(one) for one in shown],
        "environment": asdict(environment()),
    }
    if given.output:
        write_result(given.output, fields)
    if given.json:
        say_json(fields)
    else:
        table(
            (">frame", "box", ">score"),
            (
                (str(one.frame), " ".join(f"{v:.0f}" for v in one.box), f"{one.score:.2f}")
                for one in shown
            ),
            title=f"{len(shown)} of {faces} faces of {given.original.name} show an eye",
        )
    return 0


def _pictures(recording: Recording) -> Iterator[Shown]:
    return (item for item in recording if not isinstance(item, av.Packet))


def _is_same(left: Shown, right: Shown, x: float, y: float) -> bool:
    """Say whether the pixels around a point of the original's image are what they were."""
    luma, other = left.picture.planes[0], right.picture.planes[0]
    height, width = luma.shape
    column = round(x * width / left.image.shape[1])
    row = round(y * height / left.image.shape[0])
    if not (0 <= row < height and 0 <= column < width):
        return False
    area = np.s_[
        max(0, row - AROUND_PX) : row + AROUND_PX + 1,
        max(0, column - AROUND_PX) : column + AROUND_PX + 1,
    ]
    return bool((luma[area] == other[area]).all())


def _is_listed(frame: int, face: Face, listed: Sequence[tuple[int, float, float]]) -> bool:
    x0, y0, x1, y1 = face.box.tolist()
    return any(at == frame and x0 <= x <= x1 and y0 <= y <= y1 for at, x, y in listed)


def _read(path: Path) -> list[tuple[int, float, float]]:
    return read_rows(
        path,
        lambda row: (int(row["frame"]), float(row["x"]), float(row["y"])),
        "is not a list of what is no face",
        "the columns are frame,x,y",
    )
