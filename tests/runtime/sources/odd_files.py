"""Files made by ffmpeg of the demo's own rendered clip."""

from __future__ import annotations

import json
import subprocess
from itertools import islice
from pathlib import Path

from sealshot.runtime.demo.clip import FPS, HEIGHT, WIDTH, render

FIRST, FRAMES = 60, 25
X264 = "-c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv420p"
TONE = "-f lavfi -i sine=d=4 -map 0:v -map 1:a"


def ffmpeg(*options: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, options)], check=True)


def probe(path: Path, entries: str) -> dict:
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-of", "json"]
    done = subprocess.run(
        [*command, "-show_entries", entries, str(path)], check=True, capture_output=True
    )
    return json.loads(done.stdout)


def write_clip(path: Path, *options: str) -> Path:
    """Write a second of the demo's clip as these options of ffmpeg say."""
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24"]
    command += ["-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-", *options, str(path)]
    frames = islice(render(), FIRST, FIRST + FRAMES)
    subprocess.run(command, input=b"".join(f.tobytes() for f in frames), check=True)
    return path


def joined(base: Path, folder: Path, *makes: str) -> Path:
    """Make several files and put them behind each other, as recorders do with their parts."""
    path = folder / "joined.ts"
    with path.open("wb") as file:
        for make in makes:
            ffmpeg("-i", base, *make.split(), folder / "part.ts")
            file.write((folder / "part.ts").read_bytes())
    return path
