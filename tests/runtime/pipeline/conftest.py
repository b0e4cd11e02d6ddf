"""A source and stages whose faces a test writes down, so that times are exact; a real camera."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from sealshot.runtime.detect.finder import EveryFrame
from sealshot.runtime.pipeline.select import Selector
from sealshot.runtime.pipeline.settings import Emit
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import Stages, Stopwatch, Watcher
from sealshot.runtime.sources import Source
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Face, Frame, Heartbeat, Ratings

BOTH_IN_VIEW = slice(60, 110)
"""Frames of the demo's clip."""


class Script(Source):
    """Gives what a test wrote down: a time and how many people are in view, or None for a beat.

    An exception is raised where it stands; a callable is called, and gives nothing.
    """

    def __init__(self, *items: object, live: bool = True) -> None:
        super().__init__("script", live=live, frames=None, fps=None)
        self.closed = False
        self._items = self._play(items)

    def _play(self, items: tuple[object, ...]) -> Iterator[Frame | Heartbeat]:
        index = 0
        for item in items:
            if isinstance(item, Exception):
                raise item
            if callable(item):
                item()
                continue
            time_s, people = item
            if people is None:
                yield Heartbeat(time_s)
            else:
                yield Frame(index, time_s, np.full((100, 300, 3), people, np.uint8))
                index += 1

    def _read(self) -> Frame | Heartbeat | None:
        return None if self.closed else next(self._items, None)

    def close(self) -> None:
        self.closed = True


class Detector:
    """Finds as many faces as the picture is bright, each at its place."""

    def detect(self, image: np.ndarray) -> list[Face]:
        boxes = [(100.0 * i, 10.0, 100.0 * i + 40, 50.0) for i in range(int(image[0, 0, 0]))]
        return [Face(np.float32(box), 0.9, np.zeros((5, 2), np.float32)) for box in boxes]


class Scorer:
    """Scores each face 1, and remembers which tracks it was told have ended."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def rate_frame(self, image, tracks) -> Ratings:
        return self.rate_tracks(np.empty((len(tracks.seen), 1, 64, 64), np.uint8), tracks)

    def rate_tracks(self, crops, tracks) -> Ratings:
        assert len(crops) == len(tracks.seen)
        self.ended += tracks.ended
        return Ratings.of(np.ones(len(crops), np.float32))


class Diary(Sink):
    """Writes down what it is given: kind, time, tracks whose shots are due."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, float, tuple[int, ...]]] = []
        self.last: End | None = None

    def seen(self, seen: Seen) -> None:
        due = tuple(shot.track for shot in seen.due)
        self.entries.append(("seen", seen.frame.time_s, due))

    def beat(self, beat: Beat) -> None:
        self.entries.append(("beat", beat.time_s, tuple(shot.track for shot in beat.due)))

    def end(self, end: End) -> None:
        assert self.last is None
        self.last = end
        self.entries.append(("end", -1.0, tuple(shot.track for shot in end.due)))


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture(params=[True, False], ids=["live", "recorded"])
def script(request) -> Callable[..., Script]:
    """A recording is read by one thread more."""
    return partial(Script, live=request.param)


@pytest.fixture
def stages() -> Callable[..., Stages]:
    """Makes stages for a script; each detection makes a person."""

    def make(emit: Emit = Emit()) -> Stages:
        selector, scorer, stopwatch = Selector(float, emit), Scorer(), Stopwatch()
        watcher = Watcher(open_tracker("bytetrack"), scorer, selector, stopwatch)
        return Stages(EveryFrame(Detector()), scorer, selector, watcher, stopwatch)

    return make


class Camera(ThreadingHTTPServer):
    """Serves pictures as MJPEG at 25 a second, forth and back for ever.

    Or only once: then the line is dead, and stays open.
    """

    daemon_threads = True

    def __init__(self, pictures: list[bytes], *, for_ever: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pictures, self.for_ever = pictures, for_ever
        self.cut_at: float | None = None  # wall time
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/live"


class _Handler(BaseHTTPRequestHandler):
    server: Camera

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        pictures = self.server.pictures
        play = itertools.cycle(pictures + pictures[::-1]) if self.server.for_ever else pictures
        for jpeg in play if self.server.cut_at is None else ():
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:  # the reader went away
                return
            time.sleep(1 / 25)
        self.server.cut_at = self.server.cut_at or time.time()
        self.server.over.wait()


@pytest.fixture
def camera(demo, request: pytest.FixtureRequest) -> Iterator[Camera]:
    """A network camera that sees both people of the demo, once, or with the parameter for ever."""
    clip, pictures = cv2.VideoCapture(str(demo.clip)), []
    while (read := clip.read())[0]:
        pictures.append(cv2.imencode(".jpg", read[1])[1].tobytes())
    server = Camera(pictures[BOTH_IN_VIEW], for_ever=getattr(request, "param", False))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()
