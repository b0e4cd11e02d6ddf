#!/usr/bin/env bash
# FFmpeg writes encrypted MP4 in fragments, or hybrid, that its own reader cannot decrypt with the right key.
#
# Expected: `encryption_scheme=cenc-aes-ctr` with `movflags=frag_keyframe` or `hybrid_fragmented`, which keep what was recorded
# when the power goes, gives a file that opens with `decryption_key`, as without these flags, or is refused.
# Seen (av 18.1.0 with FFmpeg 8.1.2): both are written and closed without a word, and none of 20 pictures comes back. AES-CTR
# needs each picture's IV, in `senc`. With frag_keyframe alone the pictures up to the second key frame stand in `moov`,
# which has no senc; with hybrid_fragmented the moov that is written last, for all of them, has none. Plain MP4, or fragments
# with `+empty_moov` or `+delay_moov`, are right. Of a hybrid file that was written with one of these two the IVs are still
# in the fragments: call its mdat `free`, 8 bytes long, and leave out the last moov, as below. Open each kind of
# recording once with its key before it counts: that it was closed without an error says nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.*
cd "$folder"
venv/bin/python - <<'PYTHON'
import struct
import sys

import av
import numpy as np

PICTURES, KEY, KID = 20, "00112233445566778899aabbccddeeff", "0123456789abcdef0123456789abcdef"
CIPHER = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": KEY, "encryption_kid": KID}
OPENS = {
    "": True,
    "frag_keyframe+empty_moov": True,
    "frag_keyframe+delay_moov": True,
    "frag_keyframe": False,
    "hybrid_fragmented": False,
    "hybrid_fragmented+frag_keyframe+empty_moov": False,
}


def write(path, options):
    picture = np.random.default_rng(0).integers(0, 255, (16, 20, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    with av.open(path, "w", options=options) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 160, 128, "yuv420p", {"g": "5"}
        for number in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 4 * number, 1))
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def pictures(path, options):
    """The pictures that come out before the first error."""
    shown = []
    try:
        with av.open(path, options=options) as clip:
            for frame in clip.decode(video=0):
                shown.append(frame.to_ndarray(format="gray"))
    except av.InvalidDataError:
        pass
    return shown


def right(path):
    return sum(np.array_equal(*pair) for pair in zip(pictures(path, {"decryption_key": KEY}), clear))


def fragments(data):
    """The fragments of a hybrid file: its mdat is named free and ends at once, the moov behind it is left out."""
    start = data.index(b"mdat") - 4
    (size,) = struct.unpack_from(">I", data, start)
    return data[:start] + struct.pack(">I4s", 8, b"free") + data[start + 8 : start + size]


print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info)
write("clear.mp4", {})
clear = pictures("clear.mp4", {})
assert len(clear) == PICTURES
changed = False
for flags, opens in OPENS.items():
    write("clip.mp4", CIPHER | ({"movflags": flags} if flags else {}))
    data = open("clip.mp4", "rb").read()
    count = right("clip.mp4")
    print(f"{flags or 'no flags'}: {data.count(b'senc')} senc, {count} of {PICTURES} pictures with the key")
    changed |= count != PICTURES * opens
with open("clip.mp4", "wb") as out:
    out.write(fragments(data))
count = right("clip.mp4")
print(f"the fragments of the last one: {count} of {PICTURES}")
changed |= count != PICTURES
print("changed" if changed else "as found")
sys.exit(changed)
PYTHON
