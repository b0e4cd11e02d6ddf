"""Cameras that are none: clips that another process plays at a steady rate, to who connects.

Each has an address, and begins anew for each connection, of which it has one at a time. Like a real
camera it waits for nobody, and says for each picture when it is due. To play takes a fifth of a
millisecond a picture; that process is nobody's child whose cost is measured.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import av

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.newest import Newest
from sealshot.runtime.sources.reader import Coming, Picture
from sealshot.runtime.sources.sandboxed import Sandboxed

FORMAT = "nut"
"""It takes any codec, and who reads it waits for no packet but the one that it wants."""
TICKS_A_SECOND = 100_000


class Player(Newest):
    """Reads the pictures of an address of :func:`playing`, and notes when each was due."""

    def __init__(self, address: str, due_s: list[float] | None = None) -> None:
        """Connect.

        Args:
            address: one of :func:`playing`.
            due_s: of the pictures of connections before this one; those of this one are added.

        Raises:
            NoVideoError: nobody plays there.
        """
        media = open_media(address, decoded=False)
        assert isinstance(media, Sandboxed)
        super().__init__(media)
        self._told = False
        self.due_s: list[float] = [] if due_s is None else due_s
        """Of each picture, by the monotonic clock, which is that of all processes."""

    def read(self) -> Picture | Coming | None:
        """Return what is next."""
        read = super().read()
        if read is not None and not (self._told and isinstance(read, Picture)):
            assert read.stamp_s is not None
            skipped = read.skipped if isinstance(read, Coming) else 0
            self.due_s += [read.stamp_s] * (skipped + 1)
        self._told = isinstance(read, Coming)
        return read


@contextmanager
def playing(clips: Sequence[Path], fps: float, *, pause_s: float = 0.0) -> Iterator[list[str]]:
    """Play clips, each again and again from when somebody connects to its address.

    Args:
        clips: one for each camera.
        fps: pictures a second of each.
        pause_s: between the last picture of a clip and its first.

    Raises:
        InputError: a clip cannot be played.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_play, args=(clips, fps, pause_s, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            said = ours.recv()
        except EOFError:
            said = "what plays it ended"
        if isinstance(said, str):
            raise InputError(f"a clip cannot be played: {said}", "give a video that FFmpeg reads")
        yield said
    finally:
        process.kill()
        process.join()


def _play(clips: Sequence[Path], fps: float, pause_s: float, asks: Connection) -> None:
    addresses = []
    try:
        for clip in clips:
            container = av.open(str(clip))
            packets = _packets(container)
            server = socket.create_server(("127.0.0.1", 0))
            of = server, container, packets, fps, pause_s
            Thread(target=_serve, args=of, daemon=True).start()
            addresses.append(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    except (av.FFmpegError, IndexError) as error:
        asks.send(str(error))
        return
    asks.send(addresses)
    asks.poll(None)  # until whoever asked is gone


def _packets(container: Any) -> list[tuple[bytes, int, bool]]:
    """Return the packets of a clip: what is in each, its place among the pictures, if it is a key.

    A picture that is shown at once has the place of its packet.
    """
    packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
    shown = sorted(range(len(packets)), key=lambda i: (packets[i].pts or 0, i))
    places = {packet: place for place, packet in enumerate(shown)}
    late = max(i - place for i, place in places.items())
    return [(bytes(p), places[i] + late, p.is_keyframe) for i, p in enumerate(packets)]


def _serve(
    server: socket.socket,
    container: Any,
    packets: list[tuple[bytes, int, bool]],
    fps: float,
    pause_s: float,
) -> None:
    while True:
        line, _ = server.accept()
        with line, suppress(OSError, av.FFmpegError), line.makefile("wb", buffering=0) as file:
            options = {"flush_packets": "1"}
            with av.open(file, "w", format=FORMAT, options=options) as out:
                stream = out.add_stream_from_template(container.streams.video[0])
                start_s = time.monotonic()
                for number in count():
                    round_, place = divmod(number, len(packets))
                    data, shown, key = packets[place]
                    begun_s = start_s + round_ * (len(packets) / fps + pause_s)
                    due_s = begun_s + place / fps
                    packet: av.Packet[Any] = av.Packet(data)
                    packet.time_base = Fraction(1, TICKS_A_SECOND)
                    packet.dts = round(due_s * TICKS_A_SECOND)
                    packet.pts = round((begun_s + shown / fps) * TICKS_A_SECOND)
                    packet.stream, packet.is_keyframe = stream, key
                    time.sleep(max(0.0, due_s - time.monotonic()))
                    out.mux(packet)
