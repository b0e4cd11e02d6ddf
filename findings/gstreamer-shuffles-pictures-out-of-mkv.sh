#!/usr/bin/env bash
# GStreamer copies video with B-frames out of an MKV into MP4 with the times of its pictures shuffled.
#
# Expected: `matroskademux ! h264parse ! mp4mux` (qtmux alike) changes the container and nothing else: 30 pictures, 40 ms
# apart, stay 40 ms apart; or it is refused, as Matroska has no decoding times, which MP4 needs.
# Seen (GStreamer 1.22.0 of Debian 12, av 18.1.0): for the decoding times the muxer takes presentation times, which go back
# and forth where there are B-frames, and makes them rise. Of a clip of 1.2 s pictures are up to a second off, and a third of
# them stand before one that was taken earlier: what happened at a time, and which came first, is another thing in the copy.
# With fragment-duration FFmpeg shows fewer pictures than there were. HEVC is the same. The exit code is 0 and nothing is
# said. With h264timestamper (h265timestamper) behind the parser all times are right; so they are out of MP4 or MPEG-TS, into
# MKV, and without B-frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null | grep -q '^1\.22\.0-'; }
has gstreamer1.0-plugins-base && has gstreamer1.0-plugins-good && has gstreamer1.0-plugins-bad && has gstreamer1.0-tools \
    || apt-get install -y -qq --no-install-recommends 'gstreamer1.0-tools=1.22.0-*' 'gstreamer1.0-plugins-base=1.22.0-*' \
        'gstreamer1.0-plugins-good=1.22.0-*' 'gstreamer1.0-plugins-bad=1.22.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
gst-launch-1.0 --version | sed -n 1p
cd "$folder"
venv/bin/python - <<'PYTHON'
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np

PICTURES = 30
CODECS = {
    "h264": ("libx264", {"bf": "2", "g": "10"}),
    "h265": ("libx265", {"x265-params": "log-level=none:bframes=2:keyint=10"}),
}
COPIES = {  # the elements, and whether the times come out right
    "mp4mux": False,
    "mp4mux fragment-duration=400": False,
    "{}timestamper ! mp4mux": True,
    "matroskamux": True,
}


def write(path: str, form: str) -> None:
    encoder, options = CODECS[form]
    with av.open(path, "w") as out:
        video = out.add_stream(encoder, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 160, 128, "yuv420p"
        for index in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(np.full((128, 160, 3), 8 * index, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


def shown(path: str) -> dict[int, int]:
    """The milliseconds, from the first picture, at which each picture is shown."""
    with av.open(path) as source:
        times = {}
        for frame in source.decode(video=0):
            number = round(frame.to_ndarray(format="bgr24").mean() / 8)
            times[number] = round(1000 * frame.pts * frame.time_base)
        first = min(times.values())
        return {number: time - first for number, time in times.items()}


failed = False
for form in CODECS:
    write("clip.mkv", form)
    before = shown("clip.mkv")
    for elements, right in COPIES.items():
        way = f"filesrc location=clip.mkv ! matroskademux ! {form}parse ! {elements.format(form)} ! filesink location=copy"
        done = subprocess.run(["gst-launch-1.0", "-q", *way.split()], capture_output=True, text=True)
        after = shown("copy")
        off = max(abs(after[number] - before[number]) for number in after)
        order = [after[number] for number in sorted(after)]
        back = sum(later < earlier for earlier, later in zip(order, order[1:]))
        print(
            f"{form}, {elements.format(form)}: {len(after)} of {PICTURES} pictures, up to {off} ms off, "
            f"{back} before their predecessor; exit code {done.returncode}, {done.stderr.strip() or 'nothing said'}"
        )
        failed |= done.returncode != 0 or (off <= 1 and back == 0 and len(after) == PICTURES) != right
        failed |= elements == "mp4mux" and (off < 300 or back == 0)
print("changed" if failed else "as found")
sys.exit(failed)
PYTHON
