#!/usr/bin/env bash
# One packet that never arrives makes aiortc show a quiet picture 511 pictures late, for good: 20 seconds at 25 a second.
#
# Expected: a packet that is sent again in vain costs its picture and a pause of parts of a second; then the picture is live
# again.
# Seen (aiortc 1.16.0): the receiver waits until 512 packets lie behind the hole, without a limit of time, and gives nothing
# meanwhile, 20 seconds at 25 pictures of one packet a second, as of a scene in which nothing moves. Then each packet that comes
# lets one waiting picture out, and adds one: it stays 511 pictures behind. A key frame of 50 packets makes good 49 of them, and
# may be minutes away; streams of many packets a picture wait shorter, and catch up. Each picture has its own right
# timestamp, and nothing is said, so what is shown as live is not. The video's last picture is never given either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q aiortc==1.16.0 av==18.1.0 numpy==2.4.6
cat > "$folder/call.py" <<'PYTHON'
import asyncio
import sys
import time
from fractions import Fraction

import av
import numpy as np
from aiortc import RTCPeerConnection, VideoStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import RtpPacket, is_rtcp

RATE = 100
loses, pictures = sys.argv[1] == "lossy", int(sys.argv[2])
send = RTCDtlsTransport._send_rtp
types: list[int] = []
passed = 0


async def wire(transport, data):
    """Lose the 100th packet of the video and what repeats it (RTX has a payload type of its own)."""
    global passed
    if not is_rtcp(data):
        types.append(RtpPacket.parse(data).payload_type)
        passed += 1
        if loses and (passed == 100 or types[-1] != types[0]):
            return
    await send(transport, data)


class Scene(VideoStreamTrack):
    def __init__(self):
        super().__init__()
        self.number, self.began = -1, time.monotonic()

    async def recv(self):
        self.number += 1
        await asyncio.sleep(max(0.0, self.began + self.number / RATE - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + self.number % 2, np.uint8))
        frame.pts, frame.time_base = self.number, Fraction(1, RATE)
        return frame


async def call():
    RTCDtlsTransport._send_rtp = wire
    camera, viewer, scene = RTCPeerConnection(), RTCPeerConnection(), Scene()
    camera.addTrack(scene)
    seen = []

    @viewer.on("track")
    def shows(track):
        async def watch():
            while True:
                frame = await track.recv()
                seen.append((round(frame.time * RATE), scene.number))

        shows.task = asyncio.ensure_future(watch())

    await camera.setLocalDescription(await camera.createOffer())
    await viewer.setRemoteDescription(camera.localDescription)
    await viewer.setLocalDescription(await viewer.createAnswer())
    await camera.setRemoteDescription(viewer.localDescription)
    while scene.number < pictures:
        await asyncio.sleep(0.05)
    late = [sent - shown for shown, sent in seen]
    pause = max(after[1] - before[1] for before, after in zip(seen, seen[1:]))
    await camera.close()
    await viewer.close()
    shows.task.cancel()
    print(f"{sys.argv[1]}: late by {late[50]} pictures before, {late[-1]} at the end; longest pause {pause}", flush=True)
    if loses:
        assert 500 < pause < 560 and min(late[150:]) > 500, late
    else:
        assert pause < 250 and late[-1] < 100, late


asyncio.run(call())
PYTHON
"$folder/venv/bin/python" "$folder/call.py" whole 900
"$folder/venv/bin/python" "$folder/call.py" lossy 1500
echo "as found"
