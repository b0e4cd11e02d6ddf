#!/usr/bin/env bash
# GStreamer's grey picture of a clip depends on the clip's size: black is 16 at 640x480 and 0 at 1280x720.
#
# Expected: `videoconvert ! video/x-raw,format=GRAY8` gives the same grey levels for the same luma: of limited range (what
# I420 has where nobody says otherwise) 16 becomes 0 and 235 becomes 255, as in the BGR picture of the same clip.
# Seen (GStreamer 1.22.0 of Debian 12): up to 576 lines I420 counts as BT.601, as GRAY8 does too, and the luma is copied as
# it is; above that as BT.709, and it is stretched. The caps say nothing of either. White is 253 wherever it is
# stretched, in BGR too. So a score that reads grey pictures of one camera in two resolutions sees two contrasts; by way
# of BGR it sees one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null | grep -q '^1\.22\.0-'; }
has gstreamer1.0-tools && has gstreamer1.0-plugins-base \
    || apt-get install -y -qq --no-install-recommends \
        'gstreamer1.0-tools=1.22.0-*' 'gstreamer1.0-plugins-base=1.22.0-*' > /dev/null
cd "$folder"
gst-launch-1.0 --version | sed -n 1p
python3 - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

LEVELS = 16, 128, 235
found = {}
for width, height in ((640, 480), (1280, 720)):
    row = b"".join(bytes([level]) * (width // 4) for level in (*LEVELS, LEVELS[-1]))
    Path("clip.yuv").write_bytes(row * height + bytes([128]) * (width * height // 2))
    for form, channels in (("GRAY8", 1), ("BGR", 3)):
        way = f"filesrc location=clip.yuv ! rawvideoparse format=i420 width={width} height={height}"
        way += f" framerate=1/1 ! videoconvert ! video/x-raw,format={form} ! filesink location=out.raw"
        subprocess.run(["gst-launch-1.0", "-q", *way.split()], check=True)
        shown = Path("out.raw").read_bytes()
        seen = tuple(shown[(width * part // 4 + 8) * channels] for part in range(3))
        found[height, form] = seen
        print(f"{width}x{height}, {form}: 16, 128, 235 are", *seen)
stretched = (0, 128, 253)
expected = {(480, "GRAY8"): LEVELS, (480, "BGR"): stretched, (720, "GRAY8"): stretched, (720, "BGR"): stretched}
print("as found" if found == expected else "changed")
sys.exit(found != expected)
PYTHON
