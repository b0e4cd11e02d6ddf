#!/usr/bin/env bash
# mkvmerge writes the user data of the first HEVC picture into the header, and FFmpeg then gives it with every picture.
#
# Expected: user data (SEI user_data_unregistered) that a camera puts beside a picture, such as its number or time, belongs to
# that picture (H.265, D.3.7); a remuxer lays it where the picture is, and decoded picture n says n, and nothing else.
# Seen (mkvtoolnix 74.0.0 of Debian 12, av 18.1.0 with FFmpeg 8.1.2): from an MPEG-TS, mkvmerge copies the SEI before the first
# picture into CodecPrivate too, beside the parameter sets. FFmpeg takes what is there for each picture's own: 30 pictures say
# "picture 0" and their own number. Who reads the first that he finds has 30 pictures called 0. PyAV's `side_data.get()`
# happens to give the last. The same copied by FFmpeg has one each, as H.264 has after mkvmerge. The packets are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
has() { dpkg-query -W -f '${Version}' mkvtoolnix 2> /dev/null | grep -q '^74\.0\.0-'; }
has || apt-get install -y -qq --no-install-recommends 'mkvtoolnix=74.0.0-*' > /dev/null
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.*
cd "$folder"
mkvmerge --version
venv/bin/python - <<'PYTHON'
import subprocess
import sys

import av
import numpy as np

PICTURES, NAME = 30, b"whose this is..."  # a UUID of 16 bytes
HEADER = {"libx264": b"\x06", "libx265": b"\x4e\x01"}


def write(path: str, codec: str) -> None:
    """Encode pictures, and lay before each one its number, in the order of decoding."""
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"x265-params": "log-level=none:info=0:bframes=0"} if "265" in codec else {"bf": "0"}
        packets = []
        for number in range(PICTURES):
            picture = np.full((64, 64, 3), 8 * number, np.uint8)
            packets += stream.encode(av.VideoFrame.from_ndarray(picture))
        packets += stream.encode(None)
        for number, packet in enumerate(packets):
            body = NAME + b"picture %d" % number
            unit = b"\0\0\0\1" + HEADER[codec] + b"\x05" + bytes([len(body)]) + body + b"\x80"
            told = av.Packet(unit + bytes(packet))
            told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
            told.stream, told.is_keyframe = stream, packet.is_keyframe
            out.mux(told)


def copy(path: str, to: str) -> None:
    with av.open(path) as source, av.open(to, "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)


def said(path: str) -> list[list[str]]:
    """What is told of each decoded picture, under our name."""
    with av.open(path) as source:
        data = [
            [bytes(part) for part in frame.side_data if part.type.name == "SEI_UNREGISTERED"]
            for frame in source.decode(video=0)
        ]
    return [[part[16:].decode() for part in parts if part.startswith(NAME)] for parts in data]


print("av", av.__version__)
own = [[f"picture {number}"] for number in range(PICTURES)]
found = {}
for codec in HEADER:
    write("camera.ts", codec)
    copy("camera.ts", "ffmpeg.mkv")
    subprocess.run(["mkvmerge", "-q", "-o", "mkvmerge.mkv", "camera.ts"], check=True)
    for path in ("camera.ts", "ffmpeg.mkv", "mkvmerge.mkv"):
        told = said(path)
        print(f"{codec}, {path}: picture 7 says {told[7]}")
        found[codec, path] = told
odd = found.pop(("libx265", "mkvmerge.mkv"))
right = all(told == own for told in found.values()) and odd == [["picture 0", *one] for one in own]
print("as found" if right else "changed")
sys.exit(not right)
PYTHON
