"""Files and network streams through PyAV, which is FFmpeg: what they say, and their pictures."""

from __future__ import annotations

import errno
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

import av
from av.error import FFmpegError

from sealshot.runtime.sandbox.claims import (
    created,
    end_and_length,
    expected_frames,
    nominal_rate,
)
from sealshot.runtime.sandbox.device import accelerator, surface
from sealshot.runtime.sandbox.errors import NoStreamError
from sealshot.runtime.sandbox.facts import Facts
from sealshot.runtime.sandbox.frames import Frames, Stamp
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sandbox.packets import Packet
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sandbox.show import Shower

NANOSECOND = Fraction(1, 10**9)
TEXT_CODECS = frozenset({"ansi", "xbin", "idf", "bintext"})
"""FFmpeg draws text files by their suffix."""
LIVE_FORMATS = frozenset({"hls", "dash", "sdp", "rtsp", "mpjpeg"})
"""What has a size that is not that of the video."""
SEGMENTED = frozenset({"hls", "dash"})
"""Lists of addresses: FFmpeg gives what it was told of TLS to the list, not to what it names."""
# no password may be wrong for the sake of another try: cameras lock their users out
LASTING = (
    av.HTTPBadRequestError,
    av.HTTPUnauthorizedError,
    av.HTTPForbiddenError,
    av.HTTPNotFoundError,
    av.InvalidDataError,
    av.ProtocolNotFoundError,
    av.DemuxerNotFoundError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One picture as it was decoded; :meth:`Stream.show` makes of it what a player shows."""

    shown_aspect: Fraction
    """Width over height of a pixel of ``raw`` for who shows it."""
    turn: Turn
    stamp: Stamp | None
    """The time that its container gives, from wherever that counts; None where it gives none."""
    raw: av.VideoFrame
    pixel_aspect: Fraction | None
    """Width over height of a pixel of ``raw``; None where nobody says."""
    colours: tuple[int, int, int, int]
    """Of the stream: range, matrix, primaries, transfer, by the numbers of ITU-T H.273."""
    user_data: bytes
    """What was marked in its packet, and all behind it."""


class Stream(Facts, Protocol):
    """Gives pictures of a file or an address."""

    codec: str
    ends: bool
    """Whether it says how long it is, as a recording does and a camera does not."""
    still: bool
    """Whether it is one picture and no video."""
    time_base: Fraction
    """What one tick of a time stamp lasts, in seconds."""
    rate: Fraction | None
    """Frames per second on average, as the container says."""
    sound: av.AudioStream | None
    """Whose packets are given on."""

    @property
    def strange_matrix(self) -> int | None:
        """As :attr:`Shower.strange_matrix`."""

    @property
    def in_software(self) -> bool:
        """Whether a device was asked for that does not decode the picture that was read last."""

    def read(self) -> Decoded | None:
        """Return the next picture that can be decoded; None at the end and where it broke."""

    @property
    def skipped(self) -> int:
        """Pictures that were left out while it skimmed."""

    def skim(self, skims: bool) -> None:
        """Leave pictures out from now on, or no more, that no other one refers to."""

    def show(self, picture: Decoded) -> av.VideoFrame | None:
        """Return a picture as BGR with square pixels, to be turned yet, or its own planes.

        See :meth:`Shower.show`. None, and it counts as damaged, where damage gave it a form that
        cannot be shown. Another thread may read meanwhile.
        """

    def close(self) -> None:
        """Close the file or the connection. A second call does nothing."""


Hear: TypeAlias = "Callable[[av.Packet[Any]], None]"


def open_stream(request: Request, hear: Hear | None = None) -> Stream:
    """Open what is asked for.

    Args:
        request: what.
        hear: is given the packets of the sound, where that is asked for.

    Raises:
        NoStreamError: it cannot be opened, or has no video that this FFmpeg can decode.
    """
    return Media(request, hear) if request.every_s is None else Again(request, request.every_s)


class Media:
    """Reads the best video stream of a file or an address."""

    def __init__(self, request: Request, hear: Hear | None = None) -> None:
        """Open it and find its video; raises NoStreamError."""
        target = request.target
        try:
            self._container = av.open(
                target,
                options=dict(request.options),
                metadata_errors="replace",
                timeout=request.timeouts_s,
                hwaccel=accelerator(request.device) if request.device else None,
            )
        except FFmpegError as error:
            raise no_stream(error, target) from None
        except (OSError, ValueError) as error:  # what no FFmpeg error stands for
            raise NoStreamError(type(error).__name__, lasting=True) from None
        try:
            if request.verified and self._container.format.name in SEGMENTED:
                raise NoStreamError(
                    "it is a list of segments, whose certificates FFmpeg does not verify",
                    "give the address of the stream itself; --tls-unverified takes the list, and "
                    "each shot says so",
                    lasting=True,
                )
            self._stream = self._find()
        except NoStreamError:
            self._container.close()
            raise
        self._aspect = Fraction(*request.aspect) if request.aspect else None
        self._device, self._shower = request.device, Shower()
        self._mark, self._marked = bytes.fromhex(request.mark), dict[int, bytes]()
        self._hear = hear
        best = self._container.streams.best("audio") if request.sound else None
        self.sound = best if isinstance(best, av.AudioStream) else None
        self._frames = Frames(
            self._container,
            self._stream,
            threads=request.threads,
            public=request.raw,
            look=self._look_at,
            sound=self.sound,
        )
        self._pictures: Iterator[Decoded] = self._read_all()
        self._closed = False
        self._sizes: list[int] = []
        self._packet_sum: int | None = None
        self.moves = False
        self.codec = str(self._stream.codec_context.name)
        self.ends, self.still = self._ends(), self._is_still()
        self.created = created(self._container)
        self.time_base, self.rate = self._frames.time_base, self._stream.average_rate
        self.fps = nominal_rate(self._stream)
        self.end_s, length_s = end_and_length(self._container, self._stream)
        self.frames = expected_frames(self._stream, self.fps, length_s)

    @property
    def strange_matrix(self) -> int | None:
        """As :attr:`Shower.strange_matrix`."""
        return self._shower.strange_matrix

    @property
    def damaged(self) -> int:
        """As :attr:`Frames.damaged`."""
        return self._frames.damaged

    @property
    def skipped(self) -> int:
        """As :attr:`Frames.skipped`."""
        return self._frames.skipped

    def skim(self, skims: bool) -> None:
        """See :meth:`Frames.skim`."""
        self._frames.skim(skims)

    @property
    def in_software(self) -> bool:
        """Whether a device was asked for that does not decode the picture that was read last."""
        context = self._stream.codec_context
        return bool(self._device) and context.pix_fmt != surface(context.codec, self._device)

    def _find(self) -> av.VideoStream:
        stream = self._container.streams.best("video")
        if stream is None:
            raise NoStreamError(
                "there is no video in it", "name a file or an address with video", lasting=True
            )
        assert isinstance(stream, av.VideoStream)
        context = getattr(stream, "codec_context", None)
        if context is None:
            raise NoStreamError(
                "FFmpeg as PyAV brings it cannot decode its video",
                "convert it: ffmpeg -i IN -c:v libx264 OUT.mp4",
                lasting=True,
            )
        if context.name in TEXT_CODECS:
            raise NoStreamError("it is a text file", "name a video file", lasting=True)
        return stream

    def _ends(self) -> bool:
        if (self._container.duration or 0) > 0:
            return True
        return self._container.size > 0 and self._container.format.name not in LIVE_FORMATS

    def _is_still(self) -> bool:
        name = self._container.format.name
        return name == "image2" or name.endswith("_pipe")

    def read(self) -> Decoded | None:
        """Return the next picture that can be decoded; None at the end and where it broke."""
        return None if self._closed else next(self._pictures, None)

    def close(self) -> None:
        """Close the file or the connection."""
        if not self._closed:
            self._closed = True
            self._container.close()

    def _read_all(self) -> Iterator[Decoded]:
        for frame in self._frames:
            if isinstance(frame, av.Packet):
                if self._hear is not None:
                    self._hear(frame)
                continue
            yield self._picture(frame)
            del frame  # its memory is for the next one

    def show(self, picture: Decoded) -> av.VideoFrame | None:
        """See :meth:`Stream.show`."""
        try:
            return self._shower.show(picture.raw, picture.shown_aspect, picture.turn)
        except FFmpegError:
            self._frames.damaged += 1
            return None

    def _picture(self, frame: av.VideoFrame) -> Decoded:
        context, said = self._stream.codec_context, self._frames.pixel_aspect(frame)
        aspect = said or Fraction(1)
        if self._aspect is not None:
            aspect = self._aspect * frame.height / frame.width
        return Decoded(
            aspect,
            self._shower.turn(frame),
            self._frames.stamp(frame),
            frame,
            said,
            (
                context.color_range,
                context.colorspace,
                context.color_primaries,
                context.color_trc,
            ),
            self._marked.pop(frame.pts, b"") if frame.pts is not None else b"",
        )

    def _look_at(self, packet: Packet) -> None:
        """Keep what is marked, and find out whether the stream says that its pictures differ."""
        if self._mark and packet.size and packet.pts is not None:
            data = bytes(packet)
            at = data.find(self._mark)
            if at >= 0:
                self._marked[packet.pts] = data[at:]
        if self.moves or not packet.size:
            return
        self._sizes = [*self._sizes[-24:], packet.size]
        checksum = zlib.crc32(packet)
        differs, self._packet_sum = self._packet_sum not in (None, checksum), checksum
        # a copy of the picture before takes next to no bytes
        self.moves = differs and len(self._sizes) > 1 and packet.size * 10 > max(self._sizes)


class Again:
    """Reads one picture a period, each by a connection of its own, from what has no more to give.

    It opens nothing before the first picture is due.
    """

    codec, still, ends, moves = "", True, False, False
    frames: int | None = None
    end_s: float | None = None
    created: datetime | None = None
    strange_matrix: int | None = None
    in_software = False
    skipped = 0
    time_base = Fraction(1, 1000)
    rate: Fraction | None = None
    sound: av.AudioStream | None = None

    def __init__(self, request: Request, every_s: float) -> None:
        self._request, self._every_s = request, every_s
        self._next_s = time.monotonic()
        self._media: Media | None = None
        self.fps: float | None = 1 / every_s
        self.damaged = 0

    def read(self) -> Decoded | None:
        """Wait until a picture is due and fetch it; None if it is not given."""
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = max(self._next_s + self._every_s, time.monotonic())
        try:
            media = Media(self._request)
        except NoStreamError:
            return None
        try:
            picture, self._media = media.read(), media
            self.in_software = media.in_software
            # whoever takes it may get several at once
            return picture and replace(picture, stamp=Stamp(time.monotonic_ns(), NANOSECOND))
        finally:
            media.close()

    def skim(self, skims: bool) -> None:
        """Do nothing: each picture is asked for."""

    def show(self, picture: Decoded) -> av.VideoFrame | None:
        """See :meth:`Stream.show`; it is the picture that was read last."""
        assert self._media is not None
        shown = self._media.show(picture)
        self.strange_matrix = self._media.strange_matrix
        return shown

    def close(self) -> None:
        """Do nothing: each picture has a connection of its own."""


def no_stream(error: FFmpegError, target: str) -> NoStreamError:
    """Say why FFmpeg could not open something; its own text has the address in it."""
    why = str(error.strerror or type(error).__name__)
    why = why[:1].lower() + why[1:]
    if isinstance(error, av.HTTPUnauthorizedError):
        return NoStreamError(why, "check user and password", lasting=True)
    # a relay without its camera knows no such page; a camera that starts hangs up
    passes = (av.HTTPNotFoundError, av.InvalidDataError) if is_rtsp(target) else ()
    lasting = isinstance(error, LASTING) and not isinstance(error, passes)
    return NoStreamError(why, lasting=lasting, unread=error.errno == errno.EIO)


def is_rtsp(target: str) -> bool:
    """Whether an address is one of RTSP."""
    return target.lower().startswith("rtsp")
