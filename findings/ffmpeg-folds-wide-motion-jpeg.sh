#!/usr/bin/env bash
# FFmpeg sends Motion JPEG wider than 2040 pixels by RTP with a width cut to 8 bits: 2560x1440 arrives as noise of 512x1440.
#
# Expected: RTP's JPEG (RFC 2435) has a byte for each side, in units of 8 pixels, so 2040 is the most that it can say. A larger
# picture is refused ("not supported"), as rtpenc_jpeg refuses other JPEGs that the format cannot carry, or sent by a way that
# knows more: ONVIF and GStreamer write 0 and tell the size elsewhere.
# Seen (av 18.1.0 with FFmpeg 8.1.2): the number is cut to its lowest 8 bits. Pictures of 4 megapixels, 2560x1440, arrive as
# 512x1440 (and 3840x2160 as 1792x112), all of them and at their times, with each line folded into five. The receiving FFmpeg
# decodes them without an error, so no face is found in them, and no count tells. 2048x1536 is 0 pixels wide and is not
# decoded at all. Sides that are no multiple of 8 grow: 1080x1350 arrives as 1080x1352. The sender says nothing of either. Send
# H.264, or scale to 2040 pixels or fewer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import socket
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

PICTURES = 10
SIZES = {(640, 480): (640, 480), (1080, 1350): (1080, 1352), (2560, 1440): (512, 1440)}
print("av", av.__version__, "FFmpeg", av.ffmpeg_version_info)


def send(width: int, height: int, port: int) -> None:
    """From black on the left to white on the right."""
    picture = np.broadcast_to(np.linspace(0, 255, width)[:, None], (height, width, 3)).astype(np.uint8)
    with av.open(f"rtp://127.0.0.1:{port}", "w", format="rtp") as out:
        video = out.add_stream("mjpeg", rate=10, options={"huffman": "default"})
        video.width, video.height, video.pix_fmt, video.codec_context.color_range = width, height, "yuvj420p", 2
        for index in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuvj420p")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            out.mux(video.encode(frame))
            time.sleep(0.1)


def receive(port: int, seen: list[tuple[int, int, int]]) -> None:
    """Note width, height, and how bright the right edge is."""
    Path(f"{port}.sdp").write_text(
        f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {port} RTP/AVP 26\r\n"
    )
    options = {"protocol_whitelist": "file,rtp,udp", "buffer_size": "20000000"}
    try:
        with av.open(f"{port}.sdp", options=options, timeout=(20, 5)) as source:
            for frame in source.decode(video=0):
                seen.append((frame.width, frame.height, int(frame.to_ndarray(format="gray")[8, -20])))
    except av.FFmpegError as error:  # nothing more comes
        print(f"  then {type(error).__name__}")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1] & ~1


failed = False
for (width, height), arrives in SIZES.items():
    port, seen = free_port(), []
    listener = threading.Thread(target=receive, args=(port, seen))
    listener.start()
    time.sleep(1)
    send(width, height, port)
    listener.join()
    sizes = {picture[:2] for picture in seen}
    edge = int(np.median([picture[2] for picture in seen])) if seen else None
    print(f"{width}x{height}: {len(seen)} of {PICTURES} pictures arrive, as {sizes}; {edge} at the right edge of 255")
    failed |= sizes != {arrives} or len(seen) < PICTURES // 2 or (edge > 200) != (width <= 2040)
print("changed" if failed else "as found")
sys.exit(failed)
PYTHON
