#!/usr/bin/env bash
# Copying H.264 out of an MKV with PyAV by the usual recipe loses the first key frame, and with it every picture
# up to the next one.
#
# Expected: `demux` marks the packets that only flush a decoder by `dts is None`, as PyAV's own example of copying a
# stream takes it (`if packet.dts is None: continue`); packets with a picture have a dts.
# Seen (av 18.1.0): Matroska stores no dts. Where the stream has B-frames the first two packets, the key frame among
# them, come with dts None and a picture inside; so the recipe leaves them out, and a copy of 50 pictures decodes to
# none. Out of an mp4 the same stream is copied whole. What tells a flushing packet is its size of 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON' | tee "$folder/seen.txt"
import sys

import av
import numpy as np

print("av", av.__version__, "libavformat", ".".join(map(str, av.library_versions["libavformat"])))


def pictures(path):
    with av.open(path) as container:
        try:
            return sum(1 for _ in container.decode(video=0))
        except av.FFmpegError:
            return 0


def copy(path, to, skips):
    with av.open(path) as source, av.open(to, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if not skips(packet):
                packet.stream = stream
                target.mux(packet)


for suffix in ("mkv", "mp4"):
    path, to = (f"{sys.argv[1]}/{name}.{suffix}" for name in ("clip", "copy"))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(50):
            noise = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        container.mux(stream.encode(None))
    with av.open(path) as container:
        full = [packet for packet in container.demux(video=0) if packet.size]
        print(suffix, "packets with a picture and no dts:", sum(p.dts is None for p in full))
    copy(path, to, lambda packet: packet.dts is None)
    print(suffix, "copied by dts:", pictures(to), "pictures")
    copy(path, to, lambda packet: not packet.size)
    print(suffix, "copied by size:", pictures(to), "pictures")
PYTHON
expected="mkv packets with a picture and no dts: 2
mkv copied by dts: 0 pictures
mkv copied by size: 50 pictures
mp4 packets with a picture and no dts: 0
mp4 copied by dts: 50 pictures
mp4 copied by size: 50 pictures"
if [ "$(tail -n +2 "$folder/seen.txt")" = "$expected" ]; then
    echo "as found"
else
    echo "changed"
    exit 1
fi
