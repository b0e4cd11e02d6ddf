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
    CREDIT,
    PLANES,
    PROTOCOL,
    ROOM,
    Broken,
    Data,
    Ended,
    Need,
    Opened,
    Parts,
    Raw,
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
        while (picture := stream.read()) is not None:
            raw, planes = _raw(picture.raw) if request.raw else (Raw(), [])
            user = memoryview(picture.user_data)
            room.write([memoryview(picture.bgr.planes[0]), *planes, user])
            parent.send(pack(_shown(picture, raw, stream)))
            del picture, planes  # its memory is for the next one
        parent.send(pack(Ended(stream.damaged, stream.moves)))
    finally:
        stream.close()


class _Room:
    """Shared memory that a picture lies in until it was copied out."""

    def __init__(self, parent: socket.socket, memory: int) -> None:
        self._parent, self._memory = parent, memory
        self._map: mmap.mmap | None = None
        self._size, self._free = 0, True

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


def _shown(picture: Decoded, raw: Raw, stream: Stream) -> Shown:
    turn, matrix, stamp = picture.turn, stream.strange_matrix, picture.stamp
    aspect = picture.pixel_aspect
    return Shown(
        picture.bgr.width,
        picture.bgr.height,
        picture.bgr.planes[0].line_size,
        turn.transposed | turn.right_to_left << 1 | turn.upside_down << 2,
        0 if stamp is None else stamp.ticks,
        (0, 0) if stamp is None else stamp.base_s.as_integer_ratio(),
        stream.damaged,
        stream.moves,
        -1 if matrix is None else matrix,
        (0, 0) if aspect is None else aspect.as_integer_ratio(),
        picture.colours,
        len(picture.user_data),
        raw,
    )


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
