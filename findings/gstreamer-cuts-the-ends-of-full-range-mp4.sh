#!/usr/bin/env bash
# GStreamer shows full-range video out of an MP4 with black and white cut off; the same video out of an MKV is right.
#
# Expected: an MP4 says twice that its luma has full range, as many cameras' has: in the H.264 or HEVC itself and in the box
# `colr` (nclx). The BGR picture of luma 0 to 255 is 0 to 255, as with FFmpeg.
# Seen (GStreamer 1.22.0 of Debian 12): qtdemux gives "bt601" or "bt709", which are of limited range, whatever the flag in nclx
# says: it takes the flag from the byte before it, the low one of the matrix, of which the top bit is never set. h264parse
# and h265parse believe the container more than the stream. So 0 to 16 all are 0, 235 is 253, and 128 to 192 are
# further apart: one tone in seven is gone and the rest has 116 % of its contrast. So it is with MOV, whose nclc has no flag.
# From MKV or the bare stream the picture is right. Remux to MKV before, or set the caps behind the decoder
# (`capssetter caps=video/x-raw,colorimetry=1:4:16:4` for BT.601).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null | grep -q '^1\.22\.0-'; }
has gstreamer1.0-plugins-base && has gstreamer1.0-plugins-good && has gstreamer1.0-plugins-bad && has gstreamer1.0-tools \
    || apt-get install -y -qq --no-install-recommends 'gstreamer1.0-tools=1.22.0-*' 'gstreamer1.0-plugins-base=1.22.0-*' \
        'gstreamer1.0-plugins-good=1.22.0-*' 'gstreamer1.0-plugins-bad=1.22.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.*
gst-launch-1.0 --version | sed -n 1p
cd "$folder"
venv/bin/python - <<'PYTHON'
import subprocess
import sys

import av
import numpy as np

WIDTH, HEIGHT, LEVELS = 256, 64, (0, 8, 16, 64, 128, 192, 235, 255)
CUT = (0, 0, 0, 54, 128, 202, 253, 255)
READ = {"mp4": "qtdemux !", "mov": "qtdemux !", "mkv": "matroskademux !", "h264": ""}
TRUE = "capssetter caps=video/x-raw,colorimetry=1:4:16:4 !"


def write(path):
    """A ramp of luma 0 to 255, tagged as full range and BT.601."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = WIDTH, HEIGHT, "yuv420p", {"qp": "1"}
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for tagged in (stream.codec_context, frame):
            tagged.color_range, tagged.colorspace, tagged.color_primaries, tagged.color_trc = 2, 6, 6, 6
        for number, plane in enumerate(frame.planes):
            samples = np.full((plane.height, plane.line_size), 128, np.uint8)
            if number == 0:
                samples[:, :WIDTH] = range(WIDTH)
            plane.update(samples.tobytes())
        for number in range(5):
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def by_gstreamer(path, extra=""):
    way = f"{READ[path[5:]]} h264parse ! openh264dec ! {extra} videoconvert ! video/x-raw,format=BGR"
    subprocess.run(f"gst-launch-1.0 -q filesrc location={path} ! {way} ! filesink location=raw".split(), check=True)
    return np.fromfile("raw", np.uint8)[: WIDTH * 3 : 3]


def by_ffmpeg(path):
    with av.open(path) as clip:
        return next(clip.decode(video=0)).to_ndarray(format="bgr24")[0, :, 0]


print("av", av.__version__)
changed = False
for suffix in READ:
    path = f"clip.{suffix}"
    write(path)
    if suffix == "mp4":
        box = open(path, "rb").read().partition(b"colrnclx")[2][:7]
        print(f"{path}: nclx {box.hex(' ')}, of which the last is the range")
        assert box == bytes([0, 6, 0, 6, 0, 6, 0x80])
    shown = {"FFmpeg": by_ffmpeg(path), "GStreamer": by_gstreamer(path), "GStreamer told": by_gstreamer(path, TRUE)}
    for name, levels in shown.items():
        seen = tuple(int(levels[level]) for level in LEVELS)
        print(f"{path} by {name}:", *seen)
        due = CUT if name == "GStreamer" and suffix in ("mp4", "mov") else LEVELS
        changed |= max(abs(one - other) for one, other in zip(seen, due, strict=True)) > 1
print("changed" if changed else "as found")
sys.exit(changed)
PYTHON
