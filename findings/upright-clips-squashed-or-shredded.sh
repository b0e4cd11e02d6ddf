#!/usr/bin/env bash
# A clip that was filmed upright is squashed into landscape by MoviePy and DeFFcode, and cut to shreds by ffmpegcv.
#
# Expected: a phone stores 160x120 and a display matrix that says "turn by 90 degrees"; a reader gives pictures of 120x160, in
# which a square is a square, as OpenCV and the program ffmpeg do, or 160x120 as they are stored, as PyAV does.
# Seen (moviepy 2.2.1, deffcode 0.2.8, ffmpegcv 0.3.20): ffmpeg turns the pictures by itself, the three learn it from the words
# that it prints. MoviePy looks for "displaymatrix", and FFmpeg 9, in imageio-ffmpeg since 0.8, says "Display Matrix": it then
# has the turned pictures stretched to the stored size, so that faces are 1.8 times as wide as they are high; with 0.6.0 it is right.
# DeFFcode knows the angle (output_orientation 90.0) and stretches all the same. ffmpegcv looks at nothing, and reads rows
# of 120 pixels as rows of 160. Counts of pictures are right, and nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v ffprobe > /dev/null || apt-get install -y -qq --no-install-recommends ffmpeg > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q moviepy==2.2.1 imageio-ffmpeg==0.8.1 deffcode==0.2.8 ffmpegcv==0.3.20 av==18.1.0 \
    numpy==2.4.* opencv-python-headless==5.0.0.93
"$folder/venv/bin/pip" install -q --no-deps --target "$folder/old" imageio-ffmpeg==0.6.0
cd "$folder"
ffmpeg -version | sed -n 1p
cat > write.py <<'PYTHON'
import subprocess

import av
import imageio_ffmpeg
import numpy as np

picture = np.full((120, 160, 3), 60, np.uint8)
picture[16:56, 32:72] = 230  # a square of 40 pixels
with av.open("stored.mp4", "w") as out:
    stream = out.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
    for _ in range(10):
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
    out.mux(stream.encode(None))
program = imageio_ffmpeg.get_ffmpeg_exe()
turn = ["-display_rotation", "90", "-i", "stored.mp4", "-c", "copy", "upright.mp4"]
subprocess.run([program, "-v", "error", *turn], check=True)
PYTHON
cat > read.py <<'PYTHON'
import os
import sys

import cv2
import numpy as np


def moviepy(path):
    from moviepy import VideoFileClip

    return list(VideoFileClip(path, audio=False).iter_frames())


def deffcode(path):
    from deffcode import FFdecoder

    return list(FFdecoder(path, custom_ffmpeg="/usr/bin/ffmpeg").formulate().generateFrame())


def ffmpegcv(path):
    import ffmpegcv

    return list(ffmpegcv.VideoCapture(path))


def opencv(path):
    video = cv2.VideoCapture(path)
    return [video.read()[1] for _ in range(10)]


pictures = globals()[sys.argv[1]]("upright.mp4")
height, width = pictures[5].shape[:2]
bright = pictures[5][..., 0] > 145
down, across = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
box = np.ptp(across) + 1, np.ptp(down) + 1
whole = "whole" if bright.sum() > 0.9 * box[0] * box[1] else "in pieces"
print(f"{len(pictures)} pictures of {width}x{height}, the square is {whole}: {box[0]}x{box[1]}", flush=True)
os._exit(0)
PYTHON
venv/bin/python write.py
seen() { venv/bin/python read.py "$1" 2> log | tail -1; }
[[ $(seen opencv) == "10 pictures of 120x160, the square is whole: 40x40" ]]
for reader in moviepy deffcode ffmpegcv; do echo "$reader: $(seen $reader)"; done | tee told
echo "moviepy with imageio-ffmpeg 0.6.0: $(PYTHONPATH=$folder/old seen moviepy)" | tee -a told
grep -q "^moviepy: 10 pictures of 160x120, the square is whole: 5[2-4]x\(29\|30\|31\)$" told
grep -q "^deffcode: 10 pictures of 160x120, the square is whole: 5[2-4]x\(29\|30\|31\)$" told
grep -q "^ffmpegcv: 10 pictures of 160x120, the square is in pieces" told
grep -q "^moviepy with imageio-ffmpeg 0.6.0: 10 pictures of 120x160, the square is whole: 40x40$" told
