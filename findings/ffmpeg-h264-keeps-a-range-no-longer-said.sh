#!/usr/bin/env bash
# FFmpeg's H.264 decoder goes on with the range and the colour matrix of before when a stream comes that names none.
#
# Expected: each sequence parameter set stands for itself; where it names no range it has limited range, and no matrix means
# "unspecified" (H.264, E.2.1). So a stream decodes to the same pictures alone and behind another one, as where recordings
# were joined, or a camera changed its settings: FFmpeg's HEVC decoder does so.
# Seen (av 18.1.0 with FFmpeg 8.1.2, OpenCV 5.0 alike): after full range, as of many cameras, a part whose parameter set names
# nothing, which is what x264 writes for limited range, is marked as full range (color_range 2): black is 16 and white 235 in
# the BGR picture from there to the end. After BT.709 it is BT.709 in place of unspecified: its colours are up to 6 levels
# off. Read by itself, or from a key frame in it, the same part is right; so what a picture looks like depends on where the
# reader began. The other way round, to full range, each part is right. Nothing is said. Open each part by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cd "$folder"
venv/bin/python - <<'PYTHON'
import io
import sys
from pathlib import Path

import av
import cv2
import numpy as np

PICTURES, FULL, BT709 = 10, 2, 1
CODECS = {
    "h264": ("libx264", {"bf": "0", "x264-params": "repeat-headers=1"}),
    "hevc": ("libx265", {"x265-params": "log-level=none:bframes=0:repeat-headers=1"}),
}
RAMP = np.tile(np.arange(256, dtype=np.uint8), (64, 1)).tobytes()
print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info, "OpenCV", cv2.__version__)


def part(form: str, range_: int | None = None, matrix: int | None = None) -> bytes:
    """A ramp of luma 0 to 255."""
    encoder, options = CODECS[form]
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        video = out.add_stream(encoder, rate=25, options=options)
        video.width, video.height, video.pix_fmt = 256, 64, "yuv420p"
        for index in range(PICTURES):
            frame = av.VideoFrame(256, 64, "yuv420p")
            for plane, samples in zip(frame.planes, (RAMP, bytes([90]) * 4096, bytes([160]) * 4096)):
                plane.update(samples)
            for thing in (video.codec_context, frame):
                if range_ is not None:
                    thing.color_range = range_
                if matrix is not None:
                    thing.colorspace = matrix
            frame.pts = index
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return file.getvalue()


def last(form: str, data: bytes) -> tuple[int, int, np.ndarray]:
    with av.open(io.BytesIO(data), format=form) as source:
        *_, frame = source.decode(video=0)
    return frame.color_range, frame.colorspace, frame.to_ndarray(format="bgr24")


def last_of_opencv(data: bytes) -> np.ndarray:
    Path("part.h264").write_bytes(data)
    capture, picture = cv2.VideoCapture("part.h264"), None
    while True:
        ok, got = capture.read()
        if not ok:
            return picture
        picture = got


failed = False
for form in CODECS:
    plain = part(form)
    alone = last(form, plain)
    for what, before in {"full range": {"range_": FULL}, "BT.709": {"matrix": BT709}}.items():
        behind = last(form, part(form, **before) + plain)
        away = int(np.abs(alone[2].astype(int) - behind[2]).max())
        print(f"{form}: range and matrix {alone[:2]} alone, {behind[:2]} behind {what}; up to {away} levels apart")
        failed |= (away > 3) != (form == "h264") or (form == "hevc" and alone[:2] != behind[:2])
plain, full = part("h264"), part("h264", FULL)
away = int(np.abs(last_of_opencv(plain).astype(int) - last_of_opencv(full + plain)).max())
print(f"OpenCV, h264: up to {away} levels apart behind full range")
other_way = np.abs(last("h264", full)[2].astype(int) - last("h264", plain + full)[2]).max()
failed |= away <= 3 or other_way > 0
print("changed" if failed else "as found")
sys.exit(bool(failed))
PYTHON
