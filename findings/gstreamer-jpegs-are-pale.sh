#!/usr/bin/env bash
# A JPEG that GStreamer makes of a camera's video is paler than the video: black is 16 in it and white 235.
#
# Expected: luma of limited range, which nearly all video has, is stretched before jpegenc writes it, as JFIF has full range
# only and no word for another; full range is left as it is. WebP is BT.601 of limited range: there it is the other way.
# Seen (GStreamer 1.22.0 of Debian 12): jpegenc and webpenc take I420 of any range and write the samples as they are,
# whatever colorimetry the caps tell, with videoconvert before them or without: nothing in what they accept asks it for
# another. So the usual snapshot (`... ! videoconvert ! jpegenc`) has 86 % of the contrast of the video, and a WebP of full
# range, as of a Motion JPEG camera, has its ends cut off. A threshold of contrast or exposure that was set on the one is off
# on the other. By way of RGB (`videoconvert ! video/x-raw,format=RGB ! jpegenc`) both are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null | grep -q '^1\.22\.0-'; }
has gstreamer1.0-plugins-base && has gstreamer1.0-plugins-good && has gstreamer1.0-plugins-bad && has gstreamer1.0-tools \
    || apt-get install -y -qq --no-install-recommends 'gstreamer1.0-tools=1.22.0-*' 'gstreamer1.0-plugins-base=1.22.0-*' \
        'gstreamer1.0-plugins-good=1.22.0-*' 'gstreamer1.0-plugins-bad=1.22.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.* pillow==12.3.0
gst-launch-1.0 --version | sed -n 1p
cd "$folder"
venv/bin/python - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, LUMA = 640, 480, (64, 192)
RANGES = {"limited": ("bt601", (16, 235)), "full": ("1:4:0:0", (0, 255))}  # colorimetry, luma of black and white
WAYS = {"as it is": "", "by videoconvert": "videoconvert !", "by RGB": "videoconvert ! video/x-raw,format=%s !"}
RGB = {"jpegenc": "RGB", "webpenc": "RGBA"}
PALE, TRUE = (16, 235, 64, 192), {"limited": (0, 255, 56, 205), "full": (0, 255, 64, 192)}
odd = {("limited", "jpegenc"): PALE, ("full", "webpenc"): TRUE["limited"]}
changed = False
for name, (colorimetry, ends) in RANGES.items():
    row = np.repeat(np.array([*ends, *LUMA], np.uint8), WIDTH // 4).tobytes()
    Path("clip.yuv").write_bytes(row * HEIGHT + bytes([128]) * (WIDTH * HEIGHT // 2))
    source = f"filesrc location=clip.yuv ! rawvideoparse format=i420 width={WIDTH} height={HEIGHT}"
    source += f" framerate=1/1 colorimetry={colorimetry}"
    for encoder, rgb in RGB.items():
        for way, steps in WAYS.items():
            steps = steps.replace("%s", rgb)
            command = f"gst-launch-1.0 -q {source} ! {steps} {encoder} quality=98 ! filesink location=out"
            subprocess.run(command.split(), check=True)
            picture = np.asarray(Image.open("out").convert("RGB")).astype(int)
            seen = picture[HEIGHT // 2, WIDTH // 8 :: WIDTH // 4, 1]
            print(f"{name} range, {encoder} {way}: black, white, 64 and 192 are", *seen)
            due = TRUE[name] if way == "by RGB" else odd.get((name, encoder), TRUE[name])
            changed |= bool(np.abs(seen - due).max() > 3)
print("changed" if changed else "as found")
sys.exit(changed)
PYTHON
