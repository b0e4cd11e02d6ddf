"""Streams on loopback that lose bits, break off, fall silent, come back and change their size.

    python tests/runtime/sources/fuzz_streams.py [--minutes 60] [--seed 1]

Not part of the test run: it takes as long as it is told. Servers give the demo's clip as Motion
JPEG and as H.264 in MPEG-TS over HTTP, and as H.264 over RTSP, and do all of that by chance; a
watch as ``run`` has it follows each. Exits 1 unless

- nothing is raised,
- an item comes at least once a second, and times never run back,
- frames come again within a minute after each fault,
- who is seen in the decoded frames for 0.3 s by the detector that looks at all of every frame,
  40 px and more, has a shot. Whom the watch does not follow counts where that detector finds the
  face in the picture moved by a pixel as well: it takes rubble for a face at times, not twice,
- memory, threads and open files are at the end what they were after the first minutes.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import rtsp_camera

from sealshot.runtime.demo.clip import HEIGHT, WIDTH, render
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import open_stages
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.sources import Source, open_source
from sealshot.runtime.types import Face, Floats, Frame, Heartbeat

FPS = 12.5
SIZES = ((WIDTH, HEIGHT), (768, 432), (640, 360))
LONGEST_SILENCE_S = 1.0
LONGEST_OUTAGE_S = 60.0
SETTLED_S = 180.0
GROWTH_MB = 60
FACE_PX, IN_VIEW_S, SAME_IOU = 40, 0.3, 0.3


class Faults:
    """Decides by chance what goes wrong, and counts it."""

    def __init__(self, seed: int) -> None:
        self.chance, self.counts = random.Random(seed), dict[str, int]()

    def happens(self, fault: str, share: float) -> bool:
        """Say whether a fault happens now, and count it."""
        if self.chance.random() >= share:
            return False
        self.counts[fault] = self.counts.get(fault, 0) + 1
        return True

    def on_the_way(self, data: bytes) -> bytes:
        """Return what arrives of one picture: at times up to 20 bits of it are turned over."""
        if not self.happens("bits", 0.03):
            return data
        out = bytearray(data)
        for _ in range(self.chance.randrange(1, 20)):
            out[self.chance.randrange(len(out))] ^= 1 << self.chance.randrange(8)
        return bytes(out)

    def goes_on(self) -> bool:
        """Fall silent at times, for up to 12 s; say whether the connection holds."""
        if self.happens("silence", 0.002):
            time.sleep(self.chance.uniform(1, 12))
        return not self.happens("hung up", 0.003)


@dataclass(frozen=True)
class Clip:
    """The demo's clip in one size, a picture each."""

    jpegs: list[bytes]
    stream: list[bytes]
    """MPEG-TS, in as many equal parts as there are pictures."""
    units: list[list[bytes]]
    """H.264: the NAL units of each picture."""


@dataclass
class Play:
    """What one reader gets: picture after picture, at times of another size from some point on."""

    faults: Faults
    clips: list[Clip]
    at: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.faults.chance.randrange(len(self.clips))

    def next(self) -> tuple[Clip, int]:
        """Wait for the next picture; return its clip and its place there."""
        time.sleep(1 / FPS)
        if self.faults.happens("other size", 0.002):
            self.size = self.faults.chance.randrange(len(self.clips))
        clip = self.clips[self.size]
        self.at = (self.at + 1) % len(clip.jpegs)
        return clip, self.at


class HttpCamera(ThreadingHTTPServer):
    """Gives /jpeg and /ts, and misbehaves."""

    daemon_threads = True

    def __init__(self, faults: Faults, clips: list[Clip]) -> None:
        super().__init__(("127.0.0.1", 0), _Get)
        self.faults, self.clips = faults, clips

    def handle_error(self, *_: object) -> None:
        """Say nothing of a reader that went away."""


class _Get(BaseHTTPRequestHandler):
    server: HttpCamera

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        faults = self.server.faults
        if faults.happens("refused", 0.2):
            self.send_error(503)
            return
        jpeg = self.path == "/jpeg"
        kind = "multipart/x-mixed-replace; boundary=frame" if jpeg else "video/mp2t"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        play = Play(faults, self.server.clips)
        try:
            while faults.goes_on():
                clip, at = play.next()
                part = faults.on_the_way((clip.jpegs if jpeg else clip.stream)[at])
                if jpeg:
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(part)}"
                    part = f"--frame\r\n{head}\r\n\r\n".encode() + part + b"\r\n"
                if faults.happens("cut", 0.002):
                    self.wfile.write(part[: len(part) // 2])
                    return
                self.wfile.write(part)
        except OSError:
            return


class RtspCamera(rtsp_camera.Camera):
    """Gives one H.264 stream, and misbehaves."""

    def __init__(self, faults: Faults, clips: list[Clip]) -> None:
        super().__init__()
        self.faults, self.clips = faults, clips

    def answers(self) -> bool:
        return not self.faults.happens("refused", 0.2)

    def pictures(self) -> Iterator[list[bytes]]:
        play = Play(self.faults, self.clips)
        while self.faults.goes_on():
            clip, at = play.next()
            yield clip.units[at]

    def arriving(self, packet: bytes) -> bytes | None:
        if self.faults.happens("packet lost", 0.002):
            return b""
        if self.faults.happens("cut", 0.0003):
            return None
        return packet[: rtsp_camera.HEADER] + self.faults.on_the_way(packet[rtsp_camera.HEADER :])


@dataclass(frozen=True)
class Timed:
    """A source as a watch takes it, with what it gives looked at on the way."""

    source: Source
    watcher: Watcher

    def __iter__(self) -> Iterator[Frame | Heartbeat]:
        return self.watcher.timed(self.source)

    @property
    def live(self) -> bool:
        """Whether it is a camera."""
        return self.source.live

    def close(self) -> None:
        """Close the source."""
        self.source.close()


@dataclass(eq=False)
class View:
    """A face in frames that follow each other, found by looking at all of each."""

    box: Floats
    since_s: float
    until_s: float
    frames: int = 0
    tracks: set[int] = field(default_factory=set)

    @property
    def seconds(self) -> float:
        """For how long it was decoded; a frame that nothing follows does not stand for minutes."""
        return self.frames / FPS


class Watcher(Sink):
    """What one watch gave, and who should have a shot."""

    def __init__(self, name: str, exact: Detector) -> None:
        self.name, self._exact = name, exact
        self.frames = self.people = 0
        self.faults: list[str] = []
        self.views: list[View] = []
        self._shots: set[int] = set()
        self._open: list[View] = []
        self._framed = time.monotonic()
        self.longest_s = self.longest_outage_s = 0.0

    def timed(self, source: Source) -> Iterator[Frame | Heartbeat]:
        """Pass on what a source gives, and see that it comes in time and in order."""
        came, before_s = time.monotonic(), -1.0
        for item in source:
            self.longest_s = max(self.longest_s, time.monotonic() - came)
            if item.time_s < before_s:
                self.faults.append(f"time runs back from {before_s} to {item.time_s}")
            before_s = item.time_s
            yield item
            came = time.monotonic()

    def seen(self, seen: Seen) -> None:
        now = time.monotonic()
        self.longest_outage_s = max(self.longest_outage_s, now - self._framed)
        self.frames, self._framed = self.frames + 1, now
        self._shots.update(shot.track for shot in seen.due)
        time_s, views = seen.frame.time_s, list[View]()
        for face in self._faces(seen):
            known = (one for one in self._open if iou(one.box, face.box) >= SAME_IOU)
            view = next(known, None)
            if view is None:
                self.views.append(view := View(face.box, time_s, time_s))
            else:
                self._open.remove(view)
            view.box, view.until_s, view.frames = face.box, time_s, view.frames + 1
            view.tracks.update(one.id for one in seen.tracks.seen if found(face, [one.face]))
            views.append(view)
        self._open = views

    def _faces(self, seen: Seen) -> list[Face]:
        """Return the faces of a frame that are large enough and surely there."""
        faces = [f for f in self._exact.detect(seen.frame.image) if f.box[2] - f.box[0] >= FACE_PX]
        followed = [one.face for one in seen.tracks.seen]
        if all(found(face, followed) for face in faces):
            return faces
        again = self._exact.detect(np.roll(seen.frame.image, 1, axis=1))
        return [face for face in faces if found(face, followed) or found(face, again)]

    def beat(self, beat: Beat) -> None:
        self._shots.update(shot.track for shot in beat.due)

    def end(self, end: End) -> None:
        self._shots.update(shot.track for shot in end.due)
        if self.longest_s > LONGEST_SILENCE_S:
            self.faults.append(f"no item for {self.longest_s:.2f} s")
        if self.longest_outage_s > LONGEST_OUTAGE_S:
            self.faults.append(f"no frame for {self.longest_outage_s:.0f} s")
        self.views = [one for one in self.views if one.seconds >= IN_VIEW_S]
        self.faults += [
            f"no shot of a face in {one.frames} frames, {one.since_s:.2f} to {one.until_s:.2f} s"
            for one in self.views
            if not one.tracks & self._shots
        ]
        self.people = len(self._shots)


def found(face: Face, among: Sequence[Face]) -> bool:
    """Say whether a face is one of others."""
    return any(iou(face.box, other.box) >= SAME_IOU for other in among)


def iou(one: Floats, other: Floats) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    inner = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(box[2:] - box[:2])) for box in (one, other))
    return inner / (areas - inner)


def follow(address: str, watcher: Watcher, minutes: float) -> None:
    """Watch a stream for some minutes of its own time."""
    settings = Settings(address)
    try:
        with open_source(address) as source:
            done = watch(
                Timed(source, watcher), open_stages(settings), [watcher], stop_after_s=60 * minutes
            )
        if done.failure:
            watcher.faults.append(f"{done.failure}")
    except Exception as error:
        watcher.faults.append(f"{type(error).__name__}: {error}")


def render_clips(folder: Path) -> list[Clip]:
    """Return the demo's clip, every second picture, in each size."""
    frames = list(render())[::2]
    clips = []
    for size in SIZES:
        pictures = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-r", str(FPS)]
        command += ["-s", f"{size[0]}x{size[1]}", "-i", "-", "-c:v", "libx264", "-g", "12"]
        command += ["-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
        command += ["-bsf:v", "h264_metadata=aud=insert"]
        paths = [folder / f"{size[0]}.{kind}" for kind in ("ts", "h264")]
        for path in paths:
            subprocess.run(
                [*command, str(path)], input=b"".join(p.tobytes() for p in pictures), check=True
            )
        stream, elementary = (path.read_bytes() for path in paths)
        edges = [len(stream) * place // len(frames) for place in range(len(frames) + 1)]
        clips.append(
            Clip(
                [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures],
                [stream[a:b] for a, b in itertools.pairwise(edges)],
                rtsp_camera.pictures(elementary),
            )
        )
    return clips


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
    faults = Faults(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        clips = render_clips(Path(folder))
    http, camera = HttpCamera(faults, clips), RtspCamera(faults, clips)
    for server in (http, camera):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    exact = open_detector("mtcnn:exact", min_face_px=FACE_PX, threads=1)
    watchers = [
        (f"http://127.0.0.1:{http.server_port}/jpeg", Watcher("Motion JPEG", exact)),
        (f"http://127.0.0.1:{http.server_port}/ts", Watcher("MPEG-TS", exact)),
        (camera.address, Watcher("RTSP", exact)),
    ]
    followers = [
        threading.Thread(target=follow, args=(address, watcher, given.minutes))
        for address, watcher in watchers
    ]
    for follower in followers:
        follower.start()
    time.sleep(min(SETTLED_S, 30 * given.minutes))
    before = state()
    for follower in followers:
        follower.join()
    after = state()
    print("faults:", ", ".join(f"{name} {count}" for name, count in sorted(faults.counts.items())))
    print("before:", before, "after:", after)
    for _, one in watchers:
        print(
            f"{one.name}: {one.frames} frames, {one.people} people, {len(one.views)} faces in view"
            f" for {IN_VIEW_S} s; longest silence {one.longest_s:.2f} s, longest outage"
            f" {one.longest_outage_s:.1f} s; {'; '.join(one.faults) or 'no fault'}"
        )
    grown = after["MB"] - before["MB"] > GROWTH_MB or after["open files"] > before["open files"] + 8
    return 1 if grown or any(one.faults or not one.views for _, one in watchers) else 0


if __name__ == "__main__":
    sys.exit(main())
