#!/usr/bin/env bash
# Motion JPEG of FFmpeg goes through GStreamer's RTP whole or as noise, by how many threads encoded it.
#
# Expected: the same pictures by the same encoder arrive the same; RTP's JPEG (RFC 2435) has no Huffman tables, so a payloader
# refuses a picture that has others than the standard ones, as FFmpeg's does ("requires standard Huffman tables"), or says so.
# Seen (GStreamer 1.22.0 of Debian 12, av 18.1.0): FFmpeg's mjpeg encoder makes tables of its own where it encodes with one
# thread, and takes the standard ones where it has several, as by default where there is more than one processor. GStreamer's
# rtpjpegpay leaves any tables out, and rtpjpegdepay puts the standard ones in: pictures of one thread come out as noise, in
# the right number, at the right times and of the right size; neither these two nor jpegdec says a word. So do JPEGs that
# Pillow (or OpenCV) wrote with "optimize".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null | grep -q '^1\.22\.0-'; }
has gstreamer1.0-tools && has gstreamer1.0-plugins-base && has gstreamer1.0-plugins-good \
    || apt-get install -y -qq --no-install-recommends \
        'gstreamer1.0-tools=1.22.0-*' 'gstreamer1.0-plugins-base=1.22.0-*' 'gstreamer1.0-plugins-good=1.22.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6 pillow==12.3.0
gst-launch-1.0 --version | sed -n 1p
cd "$folder"
cat > look.py <<'PYTHON'
import io
import subprocess
import sys

import av
import numpy as np
from PIL import Image

ramp = np.linspace(20, 235, 320)[None, :] * np.linspace(0.5, 1, 240)[:, None]
picture = np.repeat(ramp.astype(np.uint8)[..., None], 3, axis=2)
picture[60:180:8, 40:280] //= 2


def by_ffmpeg(threads):
    with av.open("clip", "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        stream.bit_rate, stream.codec_context.thread_count = 8_000_000, threads
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))


def by_pillow(optimize):
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "jpeg", quality=90, optimize=optimize)
    with open("clip", "wb") as out:
        out.write(data.getvalue() * 3)


def arrives():
    """Number of the pictures that come out, their mean difference from what went in, and what was said."""
    source = "filesrc location=clip ! image/jpeg,framerate=25/1,width=320,height=240 ! jpegparse"
    sink = "jpegdec ! videoconvert ! video/x-raw,format=RGB ! filesink location=raw"
    command = f"gst-launch-1.0 -q {source} ! rtpjpegpay ! rtpjpegdepay ! {sink}".split()
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    out = np.fromfile("raw", np.uint8).reshape(-1, 240, 320, 3).astype(int)
    return len(out), np.abs(out - picture).mean(), said.stdout + said.stderr


changed = False
for name, write, value, whole in (
    ("FFmpeg, 2 threads", by_ffmpeg, 2, True),
    ("FFmpeg, 1 thread", by_ffmpeg, 1, False),
    ("Pillow", by_pillow, False, True),
    ("Pillow, optimize", by_pillow, True, False),
):
    write(value)
    with av.open("clip", format="mjpeg") as clip:
        sent = [np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture).mean() for frame in clip.decode(video=0)]
    number, off, said = arrives()
    print(f"{name}: {len(sent)} pictures, {max(sent):.1f} levels off; of RTP {number}, {off:.1f} off; said: {said!r}")
    changed |= number != 3 or len(sent) != 3 or max(sent) > 5 or bool(said) or (off < 5) != whole or (off > 20) == whole
sys.exit("this has changed" if changed else 0)
PYTHON
venv/bin/python look.py
echo "as found"
