#!/usr/bin/env bash
# imageio's PyAV plugin gives another picture than the one that was asked for by its number, as a rule the first.
#
# Expected: imread(clip, index=n) is picture n of imiter(clip); who wants n guessed from a rate says so
# (constant_framerate=True).
# Seen (imageio 2.38.1, av 18.1.0): n by the mean rate is taken for a timestamp, unless the container's format is marked
# VARIABLE_FPS; that is a mark of muxers, which no format that is read has, so "None: read from the container" means True for
# all. A clip whose first timestamp is not 0, as of each segment but the first that `ffmpeg -f segment` writes, gives its
# first picture for every n up to that time, and later one that is so much too early. Where a camera dropped pictures, those
# behind are too early by as many. Nothing is said; imiter, and an index with constant_framerate=False, give the right ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q imageio==2.38.1 av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON' | tee seen.txt
from fractions import Fraction

import av
import imageio.v3 as iio
import numpy as np


def write(path, times_ms):
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"g": "12"}
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 3 * number + 10, np.uint8), "rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def number(picture):
    return round((float(picture.mean()) - 10) / 3)


clips = {
    "plain.mp4": range(0, 2400, 40),
    "from-1s-on.mkv": range(1000, 3400, 40),
    "from-60s-on.mkv": range(60_000, 62_400, 40),
    "three-dropped.mp4": [40 * tick for tick in range(63) if tick not in (10, 11, 12)],
}
for path, times in clips.items():
    write(path, times)
    assert [number(picture) for picture in iio.imiter(path, plugin="pyav")] == list(range(60))
    asked = (5, 20, 30, 50)
    got = [number(iio.imread(path, index=n, plugin="pyav")) for n in asked]
    right = [number(iio.imread(path, index=n, plugin="pyav", constant_framerate=False)) for n in asked]
    assert right == list(asked)
    print(f"{path}: {asked} are {got}")
PYTHON
diff - seen.txt <<'END'
plain.mp4: (5, 20, 30, 50) are [5, 20, 30, 50]
from-1s-on.mkv: (5, 20, 30, 50) are [0, 0, 5, 25]
from-60s-on.mkv: (5, 20, 30, 50) are [0, 0, 0, 0]
three-dropped.mp4: (5, 20, 30, 50) are [5, 17, 27, 47]
END
echo "as found"
