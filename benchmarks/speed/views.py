"""`python -m sealshot.benchmarks.speed.views`: clips of so many faces in pictures of a size.

What a camera costs depends on how large its pictures are and on how many faces it sees. These clips
differ in that alone: a grainy wall and people who sway, turn their heads and stay. All are the
demo's portrait.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sealshot.runtime.cli.arguments import Arguments, positive_int, run_module
from sealshot.runtime.cli.terminal import progress, say
from sealshot.runtime.demo.clip import portrait, room
from sealshot.runtime.demo.cutout import Pose
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import PART, WRITE_ELSEWHERE, file_error
from sealshot.runtime.types import Image

USAGE = """\
usage: python -m sealshot.benchmarks.speed.views -o DIR [options]

Draw clips of 0, 1, 8 and 40 faces in 1280x720, 1920x1080 and 3840x2160, H.264, 25 frames a second,
named as `views-1080p-8.mp4`.

  --frames N         of each (default 150)
  -o, --output DIR   where they go

example:
  python -m sealshot.benchmarks.speed.views -o views/
  sealshot bench throughput --against a19e6d8 --clip views/views-1080p-8.mp4 --runs 2
"""

HEIGHTS = (720, 1080, 2160)
FACES = (0, 1, 8, 40)
FPS = 25
GRAIN, GRAINS = 2.0, 4
FACE_SHARE = 1 / 18
"""Width of a face over the height of the picture: 40 px, 60 px and 120 px."""


def view(width: int, height: int, faces: int, frames: int) -> Iterator[Image]:
    """Draw a clip, frame by frame: ``uint8 [height, width, 3]`` BGR.

    Args:
        width: of a frame.
        height: likewise.
        faces: in view all the time, in rows and columns.
        frames: how many.
    """
    cutout = portrait()
    wall, rng = room(width, height), np.random.default_rng(0)
    grains = [rng.normal(0, GRAIN, wall.shape).astype(np.float32) for _ in range(GRAINS)]
    rows = max(1, round(math.sqrt(faces * height / width)))
    columns = -(-faces // rows)
    for index in range(frames):
        frame, time_s = wall.copy(), index / FPS
        for one in range(faces):
            row, column = divmod(one, columns)
            sway = height / 60 * math.sin(1.7 * time_s + 2.1 * one)
            pose = Pose(
                x=width * (column + 0.5) / columns + sway,
                y=height * (row + 0.4) / rows + sway / 4,
                face_px=height * FACE_SHARE,
                yaw_deg=25 * math.sin(time_s + one),
                blur_px=0.3,
                light=0.9 + 0.1 * math.sin(0.7 * time_s + one),
            )
            (cutout.mirrored() if one % 2 else cutout).draw(frame, pose)
        frame += grains[index % GRAINS]
        yield np.clip(frame, 0, 255).astype(np.uint8)


def write(path: Path, width: int, height: int, faces: int, frames: int) -> None:
    """Write such a clip as H.264 in MP4, which appears when it is whole.

    Raises:
        SealshotError: it cannot be written.
    """
    part = path.with_name(path.name + PART)
    try:
        _draw(part, path.name, width, height, faces, frames)
        part.replace(path)
    except OSError as error:
        raise file_error(f"cannot write {path}", error, WRITE_ELSEWHERE) from error
    finally:
        part.unlink(missing_ok=True)


def _draw(part: Path, name: str, width: int, height: int, faces: int, frames: int) -> None:
    with av.open(str(part), "w", format="mp4") as file, progress(name, frames) as bar:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for done, image in enumerate(view(width, height, faces, frames), start=1):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            bar.update(done, "")
        file.mux(stream.encode(None))


def main(argv: list[str]) -> int:
    """Write the clips that ``argv`` asks for."""
    arguments = Arguments("bench", USAGE)
    arguments.prog = "python -m sealshot.benchmarks.speed.views"
    arguments.add_argument("--frames", type=positive_int, default=150)
    arguments.add_argument("-o", "--output", type=Path, required=True)
    args = arguments.parse_args(argv)
    if not args.output.is_dir():
        raise InputError(f"there is no folder {args.output}", hint="make it, or name another")
    for height in HEIGHTS:
        for faces in FACES:
            path = args.output / f"views-{height}p-{faces}.mp4"
            write(path, height * 16 // 9, height, faces, args.frames)
            say(str(path))
    return 0


if __name__ == "__main__":
    run_module(main)
