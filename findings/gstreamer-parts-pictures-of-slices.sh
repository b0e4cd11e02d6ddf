#!/usr/bin/env bash
# GStreamer's rtph264pay with config-interval=-1 puts parameter sets between the slices of one picture; FFmpeg takes it
# for two.
#
# Expected: config-interval=-1 sends SPS and PPS with every key frame, before its first slice: H.264 (7.4.1.2.3) has
# them begin another picture. Ten pictures go in, ten come out.
# Seen (GStreamer 1.22.0 of Debian 12, av 18.1.0 with FFmpeg 8.1.2): they are sent before every slice of a key frame. Where
# that has two, as of x264enc tune=zerolatency or the ultrafast preset with several threads, FFmpeg gives two pictures in
# its place, each with half of it, and the other half is grey or green in all that follows until the next key frame.
# With config-interval=1 it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v gst-launch-1.0 > /dev/null \
    || apt-get install -y -qq --no-install-recommends gstreamer1.0-tools gstreamer1.0-plugins-good > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
cd "$folder"
gst-launch-1.0 --version | sed -n 1p
venv/bin/python - <<'PYTHON'
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

PICTURES, SLICES = 10, 2
print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info)
with av.open("clip.mp4", "w") as out:
    options = {"preset": "ultrafast", "g": "5", "x264-params": f"slices={SLICES}"}
    video = out.add_stream("libx264", rate=25, options=options)
    video.width, video.height, video.pix_fmt = 160, 128, "yuv420p"
    noise = np.random.default_rng(0).integers(0, 255, (128, 160, 3)).astype(np.uint8)
    for index in range(PICTURES):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, index, axis=1), format="bgr24")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        out.mux(video.encode(frame))
    out.mux(video.encode(None))
counts = {}
for interval in ("1", "-1"):
    way = f"filesrc location=clip.mp4 ! qtdemux ! rtph264pay config-interval={interval} ! rtph264depay"
    way += " ! video/x-h264,stream-format=byte-stream,alignment=nal ! filesink location=out.h264"
    subprocess.run(["gst-launch-1.0", "-q", *way.split()], check=True)
    kinds = [part[0] & 31 for part in re.split(b"\0\0\0?\1", Path("out.h264").read_bytes()) if part]
    with av.open("out.h264") as container:
        counts[interval] = sum(1 for _ in container.decode(video=0))
    print(f"config-interval={interval}: types of NAL units {kinds[:10]}..., {counts[interval]} pictures of {PICTURES}")
sys.exit(0 if counts == {"1": PICTURES, "-1": PICTURES + 2} else 1)
PYTHON
