#!/usr/bin/env bash
# One lost packet of HEVC costs every picture up to the next key frame in FFmpeg 8's decoder; of H.264 it costs one.
#
# Expected: of 48 packets without B-frames and with one key frame, of which one is not handed to the decoder (as a
# network loses it), 47 pictures come out, those after the loss with damage in them; so it is for H.264.
# Seen, av 17.1.0 and 18.1.0: HEVC gives the 10 pictures before the loss and then none, and `decode` raises nothing:
# "Could not find ref" and "Error constructing the frame RPS" are in the log alone. A camera with a long distance of
# key frames is dark for seconds. With the flag `output_corrupt` all 47 come, those after the loss marked corrupt, and
# grey where the lost picture lay. The program ffmpeg 5.1 shows them unasked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/lost.py" <<'PYTHON'
import io

import av
from av.codec.context import Flags

FRAMES, LOST = 48, 10


def clip(encoder, options):
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as out:
        stream = out.add_stream(encoder, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame(256, 256, "yuv420p")
            row = bytes((8 * number + 3 * x) % 200 + 20 for x in range(256))
            for plane in frame.planes:
                plane.update(b"".join(row[y % 64 :] + row[: y % 64] for y in range(plane.height))[: plane.buffer_size]
                             if plane.line_size == 256 else bytes([128]) * plane.buffer_size)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data


def shown(data, corrupt=False):
    data.seek(0)
    with av.open(data) as container:
        context = container.streams.video[0].codec_context
        if corrupt:
            context.flags |= int(Flags.output_corrupt)
        packets = [packet for number, packet in enumerate(container.demux(video=0)) if number != LOST]
        frames = [frame for packet in packets for frame in packet.decode()]
    return len(frames), sum(frame.is_corrupt for frame in frames)


h264 = clip("libx264", {"bf": "0", "g": "250"})
hevc = clip("libx265", {"x265-params": "bframes=0:keyint=250:log-level=none"})
seen = {"H.264": shown(h264), "HEVC": shown(hevc), "HEVC, output_corrupt": shown(hevc, corrupt=True)}
print(f"av {av.__version__}: pictures of {FRAMES - 1} packets, and those marked corrupt: {seen}")
assert seen["H.264"][0] == FRAMES - 1, "H.264 hides pictures, too"
assert seen["HEVC"] == (LOST, 0), "HEVC shows what follows a loss"
assert seen["HEVC, output_corrupt"] == (FRAMES - 1, FRAMES - 1 - LOST), "the flag has another meaning"
PYTHON
for package in av==17.1.0 av==18.1.0; do
    python3 -m venv "$folder/$package"
    "$folder/$package/bin/pip" install -q "$package"
    "$folder/$package/bin/python" "$folder/lost.py"
done
