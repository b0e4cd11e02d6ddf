#!/usr/bin/env bash
# Copied into Matroska, by FFmpeg or by mkvmerge, a clip shows again what was cut off it in MP4.
#
# Expected: a copy without encoding shows what its source showed. `ffmpeg -ss 1.5 -c copy` has to begin at a key frame, so it
# writes an edit list (ISO/IEC 14496-12, 8.6.6) that hides the pictures before the cut, and players and FFmpeg do not show
# them. A copy into Matroska, which knows no edit lists, hides them too, or is refused, or a warning tells.
# Seen (FFmpeg of imageio-ffmpeg 0.8.1, mkvtoolnix 74.0.0 of Debian 12; decoded by av 18.1.0): 45 pictures are shown of the MP4
# and of its copy as MP4, 90 of both copies as MKV: who was cut off is seen again, from the first picture on, and times
# are 1.5 s later. mkvmerge, not FFmpeg, also leaves out the display matrix of a clip that was filmed upright: a face
# detector then looks at people who lie on their side. None of them says a word, and each exit code is 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' mkvtoolnix 2> /dev/null | grep -q '^74\.0\.0-'; }
has || apt-get install -y -qq --no-install-recommends 'mkvtoolnix=74.0.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.*
cd "$folder"
mkvmerge --version
venv/bin/python - <<'PYTHON'
import subprocess
import sys

import av
import imageio_ffmpeg
import numpy as np

LEVELS = range(20, 200, 2)  # of 90 pictures, 30 a second, one key frame


def ffmpeg(*options: str) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    done = subprocess.run([program, "-v", "warning", "-y", *options], check=True, capture_output=True, text=True)
    assert not done.stderr, done.stderr


def copy(path: str, to: str) -> None:
    """Copy into another container; nothing but that is said."""
    if "mkvmerge" in to:
        done = subprocess.run(["mkvmerge", "-o", to, path], check=True, capture_output=True, text=True)
        assert "warning" not in done.stdout.lower()
    else:
        ffmpeg("-i", path, "-c", "copy", to)


def shown(path: str) -> tuple[int, int, int]:
    """Return how many pictures are shown, the level of the first, and by how much it is turned, in degrees."""
    with av.open(path) as source:
        frames = list(source.decode(video=0))
    first = int(frames[0].to_ndarray(format="gray").mean())
    return len(frames), first, frames[0].rotation


with av.open("whole.mp4", "w") as out:
    stream = out.add_stream("libx264", rate=30, options={"g": "90", "bf": "2", "sc_threshold": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    for level in LEVELS:
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64), level, np.uint8), format="gray")))
    out.mux(stream.encode(None))
ffmpeg("-ss", "1.5", "-i", "whole.mp4", "-c", "copy", "cut.mp4")
ffmpeg("-display_rotation", "90", "-i", "whole.mp4", "-c", "copy", "turned.mp4")
print(imageio_ffmpeg.get_ffmpeg_version(), "av", av.__version__)
found = {}
for name in ("cut", "turned"):
    for path in (f"{name}.mp4", f"{name}-ffmpeg.mp4", f"{name}-ffmpeg.mkv", f"{name}-mkvmerge.mkv"):
        if path != f"{name}.mp4":
            copy(f"{name}.mp4", path)
        found[path] = shown(path)
        print("{}: {} pictures, the first of level {}, turned by {}".format(path, *found[path]))
whole, half = (90, 20, 0), (45, 109, 0)
expected = {
    "cut.mp4": half, "cut-ffmpeg.mp4": half, "cut-ffmpeg.mkv": whole, "cut-mkvmerge.mkv": whole,
    "turned.mp4": (90, 20, 90), "turned-ffmpeg.mp4": (90, 20, 90), "turned-ffmpeg.mkv": (90, 20, 90),
    "turned-mkvmerge.mkv": whole,
}
print("as found" if found == expected else "changed")
sys.exit(found != expected)
PYTHON
