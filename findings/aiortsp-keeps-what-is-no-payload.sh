#!/usr/bin/env bash
# aiortsp and dpkt hand an RTP packet's header extension and its padding on as the first and last bytes of the picture.
#
# Expected: `packet.data` is the payload, as RFC 3550 (5.1, 5.3.1) has it: what follows the CSRCs and the extension, without
# the padding that the packet's last byte counts. aiortc's RtpPacket gives that.
# Seen (aiortsp 1.4.0, dpkt 1.9.8): dpkt.rtp knows the bits X and P (`packet.x`, `packet.p`) and skips the CSRCs, no more; so
# aiortsp's iter_packets gives 16 bytes before the H.264 of each packet of an ONVIF replay, which has the extension 0xABAC
# with the time of the picture, and of cameras and proxies that send extensions live. The first byte, 0xAB, is
# then read as the NAL unit's header: type 11, "end of stream", where 5 was a key frame, so that a reader which goes by
# the type drops every picture, and nothing is wrong to see in the counts of packets and losses. Cut by hand: with x, 4 bytes
# and 4 times the number in the third and fourth; with p, as many at the end as the last one says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q aiortsp==1.4.0 dpkt==1.9.8
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import struct
import sys
from importlib.metadata import version

from aiortsp.rtsp.reader import RTSPReader

UNIT = b"\x65picture"  # a NAL unit of type 5
REPLAY = struct.pack("!HHIII", 0xABAC, 3, 0xEDA13300, 0x80000000, 0x80070000)  # ONVIF Streaming, 6.3
PADDING = b"\0\0\3"
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
SENT = {  # the bits of the first byte that say what is there, and what stands around the payload
    "alone": (0, b"", b""),
    "CSRC": (0x01, b"\0\0\0\7", b""),
    "extension": (0x10, REPLAY, b""),
    "padding": (0x20, b"", PADDING),
    "all": (0x31, b"\0\0\0\7" + REPLAY, PADDING),
}


async def serve(reader, writer):
    """A camera: answers RTSP, and after PLAY sends the packets within the connection."""
    method = ""
    while method != "PLAY":
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, number = request.split()[0], request.split("CSeq: ")[1].split()[0]
        head, body = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n", ""
        if method == "OPTIONS":
            head += "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        if method == "DESCRIBE":
            body = SDP
            head += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        if method == "SETUP":
            head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        writer.write((head + "\r\n" + body).encode())
    for sequence, (bits, before, after) in enumerate(SENT.values()):
        packet = struct.pack("!BBHII", 0x80 | bits, 0x80 | 96, sequence, 9000, 1) + before + UNIT + after
        writer.write(struct.pack("!cBH", b"$", 0, len(packet)) + packet)


async def look():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"rtspt://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    changed = False
    async with RTSPReader(url) as reader:
        packets = reader.iter_packets()
        for name, (bits, before, after) in SENT.items():
            data = bytes((await asyncio.wait_for(anext(packets), 20)).data)
            print(f"{name}: {data[:4].hex(' ')} ... {data[-3:].hex(' ')}, {len(data)} bytes of {len(UNIT)}, type {data[0] & 31}")
            changed |= data != before[4 * (bits & 15) :] + UNIT + after
        server.close()
    print("changed" if changed else "as found")
    return changed


print("aiortsp", version("aiortsp"), "dpkt", version("dpkt"))
sys.exit(asyncio.run(asyncio.wait_for(look(), 60)))
PYTHON
