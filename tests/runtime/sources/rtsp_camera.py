"""A camera that gives H.264 over RTSP (RFC 2326), its RTP packets interleaved with it."""

from __future__ import annotations

import socketserver
import time
from collections.abc import Iterator

PAYLOAD, CLOCK_HZ, HEADER = 1200, 90_000, 12
DELIMITER = 9
DESCRIPTION = """v=0\r
o=- 0 0 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 0.0.0.0\r
t=0 0\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1\r
a=control:video\r
"""


class Camera(socketserver.ThreadingTCPServer):
    """Serves on a free port of the loopback; a test says what it gives, and what goes wrong."""

    daemon_threads = allow_reuse_address = True

    asked_for = ""
    """How the last reader wants the packets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def address(self) -> str:
        """Where it is watched."""
        return f"rtsp://127.0.0.1:{self.server_address[1]}/live"

    def answers(self) -> bool:
        """Say whether it answers a reader that has connected, or hangs up."""
        return True

    def pictures(self) -> Iterator[list[bytes]]:
        """Yield the NAL units of each picture when it is due; the end hangs up."""
        raise NotImplementedError

    def arriving(self, packet: bytes) -> bytes | None:
        """Return what arrives of an RTP packet; nothing where it is lost, None where all ends."""
        return packet

    def handle_error(self, *_: object) -> None:
        """Say nothing of a reader that went away."""


class _Session(socketserver.StreamRequestHandler):
    server: Camera

    def handle(self) -> None:
        if not self.server.answers():
            return
        while request := self.rfile.readline().decode():
            method, headers = request.split()[0], {}
            while ":" in (line := self.rfile.readline().decode()):
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            more, body = "Session: 1\r\n", ""
            if method == "OPTIONS":
                more += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = DESCRIPTION
                more += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                self.server.asked_for = headers["transport"]
                more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            head = f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', 0)}\r\n{more}\r\n"
            self.wfile.write((head + body).encode())
            if method == "PLAY":
                return self._play()

    def _play(self) -> None:
        sequence, start = 0, time.monotonic()
        for units in self.server.pictures():
            stamp = int((time.monotonic() - start) * CLOCK_HZ)
            parts = [part for unit in units for part in payloads(unit)]
            for place, payload in enumerate(parts):
                last = 0x80 if place == len(parts) - 1 else 0
                head = bytes((0x80, last | 96)) + (sequence & 0xFFFF).to_bytes(2, "big")
                head += (stamp & 0xFFFFFFFF).to_bytes(4, "big") + b"\0\0\0\1"
                sequence += 1
                packet = self.server.arriving(head + payload)
                if packet is None:
                    return
                if packet:
                    self.wfile.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)


def payloads(unit: bytes) -> list[bytes]:
    """Return a NAL unit as RTP payloads: one, or fragments (RFC 6184, FU-A)."""
    if len(unit) <= PAYLOAD:
        return [unit]
    indicator, kind, rest = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
    starts = range(0, len(rest), PAYLOAD)
    return [
        bytes((indicator, kind | 0x80 * (at == 0) | 0x40 * (at == starts[-1])))
        + rest[at : at + PAYLOAD]
        for at in starts
    ]


def pictures(stream: bytes) -> list[list[bytes]]:
    """Return the NAL units of each picture of an H.264 byte stream with delimiters."""
    found: list[list[bytes]] = []
    for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        if unit[0] & 0x1F == DELIMITER:
            found.append([])
        found[-1].append(unit)
    return found
