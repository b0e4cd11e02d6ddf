#!/usr/bin/env bash
# Grey pictures come back from lossless H.264 with more contrast than they had, and from HEVC and FFV1 as they went in.
#
# Expected: what is encoded as `gray` without loss and decoded as `gray` is what it was, or is at least the same picture
# from each codec: the range that a stream states (H.273) says what its black is, and none of the three states full.
# Seen (av 18.1.0 with FFmpeg 8.1.2; the program ffmpeg 5.1 and OpenCV 5.0 alike): all three hold the same luma.
# Monochrome H.264 is decoded to `yuv420p` and taken for limited range: 16 becomes 0, 235 becomes 255, and what lies
# beyond is lost. Monochrome HEVC is decoded to `gray`, which FFmpeg takes for full range even where frame and stream say
# limited: a camera's black stays at 16. Tagged as full range, all come back alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' 2> /dev/null
import io
import sys
from fractions import Fraction

import av
import numpy as np

FULL = 2
CODECS = {
    "libx264": {"qp": "0"},
    "libx265": {"x265-params": "lossless=1:log-level=none"},
    "ffv1": {},
}
picture = np.repeat(np.arange(256, dtype=np.uint8)[None], 64, axis=0)


def back(codec: str, range_: int | None) -> tuple[bool, int, np.ndarray]:
    """Whether the luma is what it was, the range that is stated, and the picture as `gray`."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25, options=CODECS[codec])
        stream.width, stream.height, stream.pix_fmt = 256, 64, "gray"
        if range_ is not None:
            stream.codec_context.color_range = range_
        frame = av.VideoFrame.from_ndarray(picture, format="gray")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        frame = next(container.decode(video=0))
        plane = frame.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, :256]
        return np.array_equal(luma, picture), frame.color_range, frame.to_ndarray(format="gray")


print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info)
as_found = True
for range_ in (None, FULL):
    for codec in CODECS:
        same_luma, stated, grey = back(codec, range_)
        words = {0: "nothing", 1: "limited", FULL: "full"}[stated]
        print(f"{codec} states {words}: luma {'kept' if same_luma else 'changed'}; 16, 128, 235 are", *grey[0, [16, 128, 235]])
        stretched = range_ is None and codec == "libx264"
        as_found &= same_luma and grey[0, 16] == (0 if stretched else 16)
        as_found &= grey[0, 235] == (255 if stretched else 235)
        as_found &= stated == (FULL if range_ else {"libx265": 1}.get(codec, 0))
print("as found" if as_found else "changed")
sys.exit(not as_found)
PYTHON
