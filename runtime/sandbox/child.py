"""The process that parses a stream: one for each file that is opened and each connection.

It gets its request through a socket, gives up its rights, opens, and lays picture after picture, or
whatever else is asked for, into shared memory. When the socket is shut down it closes what it has
open, and ends.
"""

from __future__ import annotations

import math
import mmap
import os
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import av

from sealshot.runtime.sandbox.confine import confine
from sealshot.runtime.sandbox.errors import NoStreamError
from sealshot.runtime.sandbox.media import Decoded, Stream, open_stream
from sealshot.runtime.sandbox.messages import (
    ASK,
    ASK_NEIGHBOUR,
    CREDIT,
    NEWEST,
    PLANES,
    PROTOCOL,
    ROOM,
    Broken,
    Data,
    Ended,
    Need,
    Opened,
    Parts,
    Ratio,
    Raw,
    Ready,
    Refused,
    Request,
    Shown,
    pack,
)

JOBS = {
    "attachments": "contents",
    "images": "images",
    "packets": "contents",
    "pieces": "pieces",
    "profiles": "onvif",
    "stream_address": "onvif",
}
"""What it can do beside giving the pictures of a stream: a function, and its module here."""
Job: TypeAlias = Callable[[Request], Iterator[Parts]]
POLLRDHUP = getattr(select, "POLLRDHUP", 0x2000)
SKIM_BELOW = 1 / 8
"""Where a smaller share of a camera's pictures is asked for the decoder skims: to look at
neighbours that are further apart costs more, which less decoding makes up for only where few are
looked at."""
LOOK_BACK_S = 1.0
CLOSE_S = 1.0
"""How long a stream may take to be closed."""
REQUEST_MOST = 1 << 17
"""Bytes."""
LIBRARIES = [str(Path(module).parent) for module in (os.__file__, av.__file__)]
"""Python's and PyAV's folders: some parts are loaded when they are first needed."""


def main(line: int, memory: int) -> None:
    """Serve one stream.

    Args:
        line: descriptor of the socket to whoever asks.
        memory: descriptor of the shared memory.
    """
    parent = socket.socket(fileno=line)
    request = Request.from_bytes(parent.recv(REQUEST_MOST))
    os.environ.update(request.environment)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # what NumPy would start cannot give its rights up
    job = job_of(request.job) if request.job else None
    guards = confine(
        [*request.readable, *request.named(), *LIBRARIES],
        network=request.network,
        local_sockets=request.local_sockets,
        threads=request.threads,
    )
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    parent.send(pack(guards))  # who ends before it is to blame itself, and no picture
    with suppress(ConnectionError):  # nobody is there any more
        try:
            _serve(parent, memory, request, job)
        except ConnectionError:
            raise
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {Path(where.filename).name}, line {where.lineno}"
            parent.send(pack(Broken(what.encode())))
        while parent.recv(ROOM.size):  # what lies unread when it ends is an error there
            pass


def _end_with(parent: socket.socket) -> None:
    """End when nobody is there any more, though a read or a decoder hangs."""
    poll = select.poll()
    poll.register(parent, POLLRDHUP)
    poll.poll()
    time.sleep(CLOSE_S)
    os._exit(0)


def job_of(name: str) -> Job:
    """Load what does a job."""
    job: Job = getattr(import_module(f"sealshot.runtime.sandbox.{JOBS[name]}"), name)
    return job


def _serve(parent: socket.socket, memory: int, request: Request, job: Job | None) -> None:
    if request.protocol != PROTOCOL:
        why = b"sealshot was updated while this program ran"
        parent.send(pack(Refused(lasting=True, unread=False, why=why, hint=b"start it again")))
        return
    room = _Room(parent, memory)
    try:
        if job is not None:
            for parts in job(request):
                parent.send(pack(Data(room.write(map(memoryview, parts)))))
                del parts
            parent.send(pack(Ended(0, moves=False)))
            return
        stream = open_stream(request)
    except NoStreamError as error:
        parent.send(
            pack(Refused(error.lasting, error.unread, error.why.encode(), error.hint.encode()))
        )
        return
    try:
        parent.send(pack(_opened(stream)))
        while not room.newest and (picture := stream.read()) is not None:
            _give(parent, room, stream, picture, raw=request.raw)
            del picture  # its memory is for the next one
        if room.newest:
            _Newest(parent, room, stream, raw=request.raw).run()
        parent.send(pack(Ended(stream.damaged, stream.moves)))
    finally:
        stream.close()


def _give(
    parent: socket.socket, room: _Room, stream: Stream, picture: Decoded, *, raw: bool
) -> bool:
    """Give a picture; say whether it could be shown."""
    shown = stream.show(picture)
    if shown is None:
        return False
    own = shown is picture.raw
    said, planes = _raw(picture.raw) if own or raw else (Raw(), [])
    bgr = [] if own else [memoryview(shown.planes[0])]
    room.write([*bgr, *planes, memoryview(picture.user_data)])
    parent.send(pack(_shown(picture, shown, said, stream)))
    return True


class _Newest:
    """Decodes all, and gives a picture when it is asked for; no other is."""

    def __init__(self, parent: socket.socket, room: _Room, stream: Stream, *, raw: bool) -> None:
        self._parent, self._room, self._stream, self._raw = parent, room, stream, raw
        # held while a picture is given, so that who asked knows which of those it was told of
        self._changed = threading.Condition()
        self._newest: Decoded | None = None
        self._neighbour: Decoded | None = None
        """The first one that was decoded since one was given."""
        self._had = self._given = 0
        self._since_s = time.monotonic()
        self._failure: BaseException | None = None
        self._giver = threading.Thread(target=self._answer, name="giver", daemon=True)

    def run(self) -> None:
        """Do so until the stream has ended and its last picture was asked for.

        Raises:
            ConnectionError: nobody is there any more.
            Exception: a defect.
        """
        stream, skipped = self._stream, 0
        self._giver.start()
        while (picture := stream.read()) is not None:
            skipped, more = stream.skipped, stream.skipped - skipped
            with self._changed:
                self._raise()
                self._parent.send(pack(Ready(*_stamp(picture), stream.damaged, stream.moves, more)))
                self._skim(1 + more)
                self._newest = picture
                self._neighbour = self._neighbour or picture
                self._changed.notify()
            del picture  # its memory is for the next one
        with self._changed:
            self._changed.wait_for(lambda: self._newest is None or self._failure)
            self._raise()

    def _skim(self, more: int) -> None:
        """Look once a second whether to skim; a public stream shows all that can be had."""
        self._had += more
        now_s = time.monotonic()
        if self._raw or now_s - self._since_s < LOOK_BACK_S:
            return
        self._stream.skim(self._given < SKIM_BELOW * self._had)
        self._since_s, self._had, self._given = now_s, 0, 0

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _answer(self) -> None:
        try:
            while True:
                neighbour = self._room.wait_for_ask() == ASK_NEIGHBOUR
                with self._changed:
                    while not self._give(neighbour):
                        pass
                    self._changed.notify()
        except BaseException as error:  # raised where it is decoded
            with self._changed:
                self._failure = error
                self._changed.notify()

    def _give(self, neighbour: bool) -> bool:
        self._changed.wait_for(lambda: self._newest)
        picture = self._neighbour if neighbour and self._neighbour else self._newest
        assert picture
        self._neighbour = None
        if picture is self._newest:
            self._newest = None
        self._given += 1
        return _give(self._parent, self._room, self._stream, picture, raw=self._raw)


class _Room:
    """Shared memory that a picture lies in until it was copied out."""

    def __init__(self, parent: socket.socket, memory: int) -> None:
        self._parent, self._memory = parent, memory
        self._map: mmap.mmap | None = None
        self._size, self._free, self._asked = 0, True, b""
        self.newest = False
        """Whether only the newest picture is wanted from now on."""

    def wait_for_ask(self) -> bytes:
        """Return how a picture is asked for, once it is.

        Raises:
            ConnectionError: nobody is there any more.
        """
        while not self._asked:
            self._listen()
        asked, self._asked = self._asked, b""
        return asked

    def write(self, given: Iterable[memoryview]) -> int:
        """Lay parts behind each other, once there is room; return how many bytes they are.

        Raises:
            ConnectionError: nobody is there any more.
        """
        parts = tuple(given)
        size = sum(part.nbytes for part in parts)
        if size > self._size:
            self._parent.send(pack(Need(size)))
            while size > self._size:
                self._listen()
        while not self._free:
            self._listen()
        assert self._map is not None
        self._free, at = False, 0
        for part in parts:
            self._map[at : at + part.nbytes] = part.cast("B") if part.format != "B" else part
            at += part.nbytes
        return size

    def _listen(self) -> None:
        said = self._parent.recv(ROOM.size)
        if said == CREDIT:
            self._free = True
        elif said in (ASK, ASK_NEIGHBOUR):
            self._asked = said
        elif said == NEWEST:
            self.newest = True
        elif len(said) == ROOM.size:
            (self._size,) = ROOM.unpack(said)
            self._map = mmap.mmap(self._memory, self._size)
        else:
            raise ConnectionError


def _opened(stream: Stream) -> Opened:
    return Opened(
        stream.ends,
        stream.still,
        stream.codec.encode(),
        math.nan if stream.fps is None else stream.fps,
        math.nan if stream.end_s is None else stream.end_s,
        -1 if stream.frames is None else stream.frames,
        math.nan if stream.created is None else stream.created.timestamp(),
        stream.time_base.as_integer_ratio(),
        (0, 0) if stream.rate is None else stream.rate.as_integer_ratio(),
    )


def _shown(picture: Decoded, shown: av.VideoFrame, raw: Raw, stream: Stream) -> Shown:
    turn, matrix = picture.turn, stream.strange_matrix
    aspect = picture.pixel_aspect
    return Shown(
        shown.width,
        shown.height,
        0 if shown is picture.raw else shown.planes[0].line_size,
        turn.transposed | turn.right_to_left << 1 | turn.upside_down << 2,
        *_stamp(picture),
        stream.damaged,
        stream.moves,
        -1 if matrix is None else matrix,
        (0, 0) if aspect is None else aspect.as_integer_ratio(),
        picture.colours,
        len(picture.user_data),
        raw,
    )


def _stamp(picture: Decoded) -> tuple[int, Ratio]:
    stamp = picture.stamp
    return (0, (0, 0)) if stamp is None else (stamp.ticks, stamp.base_s.as_integer_ratio())


def _raw(frame: av.VideoFrame) -> tuple[Raw, list[memoryview]]:
    planes = frame.planes
    if len(planes) > PLANES or any(plane.line_size <= 0 for plane in planes):
        return Raw(), []  # rows from below upwards
    said = Raw(
        frame.format.name.encode(),
        frame.width,
        frame.height,
        frame.color_range,
        frame.colorspace,
        frame.color_primaries,
        frame.color_trc,
        tuple((plane.buffer_size, plane.line_size) for plane in planes),
    )
    return said, [memoryview(plane) for plane in planes]
