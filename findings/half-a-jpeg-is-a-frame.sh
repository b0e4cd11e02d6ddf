#!/usr/bin/env bash
# A Motion JPEG frame of which the second half was lost decodes to a whole frame: no error, no mark of damage.
#
# Expected: FFmpeg's mjpeg decoder refuses the packet, or marks the frame as corrupt, as its H.264 decoder does.
# Seen (av 18.1.0, FFmpeg 8.1): one frame of the full size, is_corrupt False, its lower half a flat colour. So frames
# that a network camera or a full disk cut short cannot be counted by errors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.* opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import av
import cv2
import numpy as np

picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8), (640, 480))
jpeg = cv2.imencode(".jpg", picture)[1].tobytes()


def decode(data: bytes):
    codec = av.CodecContext.create("mjpeg", "r")
    (frame,) = codec.decode(av.Packet(data)) + codec.decode(None)
    wrong = np.abs(frame.to_ndarray(format="bgr24").astype(int) - picture).mean(axis=(1, 2)) > 12
    return frame.is_corrupt, wrong[:200].mean(), wrong[-200:].mean()


print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info)
results = {"whole": decode(jpeg), "its first half": decode(jpeg[: len(jpeg) // 2])}
for name, (corrupt, top, bottom) in results.items():
    print(f"{name}: corrupt {corrupt}; rows that are wrong: {top:.0%} of the top, {bottom:.0%} below")
corrupt, top, bottom = results["its first half"]
sys.exit(0 if not corrupt and top < 0.1 and bottom > 0.9 else 1)
PYTHON
