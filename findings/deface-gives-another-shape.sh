#!/usr/bin/env bash
# deface gives a video of another shape: 1080p comes out with 1088 lines, and non-square pixels as square ones.
#
# Expected: what hides faces gives a picture of the size and the shape that it took.
# Seen (deface 1.5.0, imageio-ffmpeg 0.8.1): both sides are stretched to multiples of 16, so 1920x1080 becomes 1920x1088,
# of which a warning tells; and the ratio of the pixels' sides is lost, so that PAL at 16:9 plays at 5:4, without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q deface==1.5.0 imageio==2.38.1 imageio-ffmpeg==0.8.1 av==18.1.0 \
    opencv-python==5.0.0.93 numpy==2.4.*
cd "$folder"
cat > shape.py <<'PYTHON'
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np


def write(path: str, width: int, height: int, ratio: Fraction) -> None:
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        for number in range(5):
            picture = np.full((height, width, 3), 20 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode(None))


def shape(path: str) -> str:
    with av.open(path) as source:
        video = source.streams.video[0]
        return f"{video.width}x{video.height}, pixels {video.sample_aspect_ratio or 'as they come'}"


seen, words = [], []
for name, width, height, ratio in (
    ("full-hd", 1920, 1080, Fraction(1)),
    ("pal", 720, 576, Fraction(64, 45)),
):
    write(f"{name}.mp4", width, height, ratio)
    done = subprocess.run(
        ["venv/bin/deface", f"{name}.mp4", "-o", f"{name}-out.mp4"], check=True, capture_output=True, text=True
    )
    seen.append(shape(f"{name}-out.mp4"))
    words.append("yes" if "resiz" in (done.stdout + done.stderr).lower() else "no")
    print(f"{name}: {shape(f'{name}.mp4')} in; {seen[-1]} out; a word about it: {words[-1]}")
expected = ["1920x1088, pixels as they come", "720x576, pixels as they come"]
sys.exit(0 if seen == expected and words == ["yes", "no"] else 1)
PYTHON
venv/bin/python shape.py
