"""Streams on loopback that lose bits, break off, fall silent, come back and change their size.

    python tests/runtime/sources/fuzz_streams.py [--minutes 60] [--seed 1]

Not part of the test run: it takes as long as it is told. A server gives Motion JPEG and H.264 in
MPEG-TS over HTTP and does all of that by chance; one source reads each. Exits 1 unless

- nothing is raised,
- an item comes at least once a second, and times never run back,
- frames come again within a minute after each fault,
- memory, threads and open files are at the end what they were after the first minute.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from sealshot.runtime.demo.clip import HEIGHT, WIDTH, render
from sealshot.runtime.sources import open_source
from sealshot.runtime.types import Frame

FPS = 25
SIZES = ((WIDTH, HEIGHT), (640, 360), (320, 240))
LONGEST_SILENCE_S = 1.0
LONGEST_OUTAGE_S = 60.0
SETTLED_S = 60.0
GROWTH_MB = 60


class Server(ThreadingHTTPServer):
    """Gives /jpeg and /ts, and misbehaves."""

    daemon_threads = True

    def __init__(self, chance: random.Random, jpegs: list[list[bytes]], streams: list[bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.chance, self.jpegs, self.streams = chance, jpegs, streams
        self.faults: dict[str, int] = {}

    def handle_error(self, *_: object) -> None:
        """Say nothing of a reader that went away."""

    def happens(self, fault: str, share: float) -> bool:
        """Say whether a fault happens now, and count it."""
        if self.chance.random() >= share:
            return False
        self.faults[fault] = self.faults.get(fault, 0) + 1
        return True

    def damaged(self, data: bytes) -> bytes:
        """Return data with up to 20 bits turned over."""
        out = bytearray(data)
        for _ in range(self.chance.randrange(1, 20)):
            at = self.chance.randrange(len(out))
            out[at] ^= 1 << self.chance.randrange(8)
        return bytes(out)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.server.happens("refused", 0.2):
            self.send_error(503)
            return
        self.send_response(200)
        jpeg = self.path == "/jpeg"
        kind = "multipart/x-mixed-replace; boundary=frame" if jpeg else "video/mp2t"
        self.send_header("Content-Type", kind)
        self.end_headers()
        size = self.server.chance.randrange(len(SIZES))
        try:
            while self.piece(jpeg, size):
                if self.server.happens("other size", 0.002):
                    size = self.server.chance.randrange(len(SIZES))
        except OSError:
            return

    def piece(self, jpeg: bool, size: int) -> bool:
        """Send what a fifth of a second gives; False hangs up."""
        server = self.server
        data = server.jpegs[size] if jpeg else [server.streams[size]]
        at = server.chance.randrange(max(1, len(data) - 5))
        parts = data[at : at + 5]
        for part in parts:
            part = server.damaged(part) if server.happens("bits", 0.05) else part
            if server.happens("cut", 0.003):
                self.wfile.write(part[: len(part) // 2])
                return False
            if jpeg:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                self.wfile.write(head.encode() + part + b"\r\n")
                time.sleep(1 / FPS)
            else:
                for start in range(0, len(part), 188 * 40):
                    self.wfile.write(part[start : start + 188 * 40])
                    time.sleep(0.01)
        if server.happens("silence", 0.004):
            time.sleep(server.chance.uniform(1, 12))
        return not server.happens("hung up", 0.004)


@dataclass
class Reading:
    """What one source gave."""

    name: str
    frames: int = 0
    faults: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    longest_outage_s: float = 0.0


def read(address: str, reading: Reading, end: float) -> None:
    came = framed = time.monotonic()
    before_s = -1.0
    try:
        with open_source(address) as source:
            came = framed = time.monotonic()
            for item in source:
                now = time.monotonic()
                reading.longest_s = max(reading.longest_s, now - came)
                if item.time_s < before_s:
                    reading.faults.append(f"time runs back from {before_s} to {item.time_s}")
                came, before_s = now, item.time_s
                if isinstance(item, Frame):
                    reading.longest_outage_s = max(reading.longest_outage_s, now - framed)
                    reading.frames, framed = reading.frames + 1, now
                if now > end:
                    break
    except Exception as error:
        reading.faults.append(f"{type(error).__name__}: {error}")
    if reading.longest_s > LONGEST_SILENCE_S:
        reading.faults.append(f"no item for {reading.longest_s:.2f} s")
    if reading.longest_outage_s > LONGEST_OUTAGE_S:
        reading.faults.append(f"no frame for {reading.longest_outage_s:.0f} s")


def material(folder: Path) -> tuple[list[list[bytes]], list[bytes]]:
    """Return JPEGs and transport streams of the demo's clip, in each size."""
    frames = list(render())[60:110]
    jpegs, streams = [], []
    for size in SIZES:
        pictures = [cv2.resize(frame, size) for frame in frames]
        jpegs.append([cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures])
        path = folder / f"{size[0]}.ts"
        command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-r", str(FPS)]
        command += ["-s", f"{size[0]}x{size[1]}", "-i", "-", "-c:v", "libx264", "-g", "25"]
        command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "mpegts", str(path)]
        subprocess.run(command, input=b"".join(p.tobytes() for p in pictures), check=True)
        streams.append(path.read_bytes())
    return jpegs, streams


def state() -> dict[str, int]:
    """Return what must not grow."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "MB": resident // 10**6,
        "threads": threading.active_count(),
        "open files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
    }


def main() -> int:
    """Fuzz, and say how it went."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    logging.getLogger("sealshot").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        server = Server(random.Random(given.seed), *material(Path(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end = time.monotonic() + 60 * given.minutes
    readings = [Reading("/jpeg"), Reading("/ts")]
    address = f"http://127.0.0.1:{server.server_port}"
    readers = [
        threading.Thread(target=read, args=(address + reading.name, reading, end))
        for reading in readings
    ]
    for reader in readers:
        reader.start()
    time.sleep(min(SETTLED_S, 30 * given.minutes))
    before = state()
    for reader in readers:
        reader.join()
    after = state()
    print("faults:", ", ".join(f"{name} {count}" for name, count in sorted(server.faults.items())))
    print("before:", before, "after:", after)
    grown = after["MB"] - before["MB"] > GROWTH_MB or after["open files"] > before["open files"] + 8
    for one in readings:
        print(
            f"{one.name}: {one.frames} frames; longest silence {one.longest_s:.2f} s, longest"
            f" outage {one.longest_outage_s:.1f} s; {'; '.join(one.faults) or 'no fault'}"
        )
    return 1 if grown or any(one.faults or not one.frames for one in readings) else 0


if __name__ == "__main__":
    sys.exit(main())
