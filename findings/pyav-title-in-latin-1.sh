#!/usr/bin/env bash
# PyAV does not open a sound video whose title is not UTF-8, as many an AVI of Windows has it.
#
# Expected: metadata that cannot be read as text costs the metadata; the video opens, as it does with FFmpeg itself
# and with OpenCV.
# Seen (av 18.1.0): av.open raises UnicodeDecodeError, which is no FFmpegError, before a frame is asked for. With
# metadata_errors="replace" it opens and gives all frames.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.*
"$folder/venv/bin/python" - "$folder/clip.avi" <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np

path = Path(sys.argv[1])
with av.open(str(path), "w") as out:
    out.metadata["title"] = "Koeln"
    stream = out.add_stream("mpeg4", rate=25)
    stream.width, stream.height = 64, 48
    for number in range(10):
        picture = np.full((48, 64, 3), 20 * number, np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    out.mux(stream.encode(None))
data = path.read_bytes()
path.write_bytes(data.replace(b"Koeln", "Köln ".encode("latin-1")))


def frames(**options: str) -> str:
    try:
        with av.open(str(path), **options) as source:
            return f"{sum(1 for _ in source.decode(video=0))} frames"
    except Exception as error:
        return type(error).__name__


print("av", av.__version__)
strict, replaced = frames(), frames(metadata_errors="replace")
print(f"as it comes: {strict}; with metadata_errors='replace': {replaced}")
sys.exit(0 if (strict, replaced) == ("UnicodeDecodeError", "10 frames") else 1)
PYTHON
