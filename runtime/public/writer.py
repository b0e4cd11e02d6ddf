"""Writing a video through PyAV, whole or not at all."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
from av.error import ArgumentError, ExternalError, FFmpegError

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import PART, WRITE_ELSEWHERE, file_error, fsync_folder
from sealshot.runtime.public.containers import CONTAINERS, Codec
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import nal_unit
from sealshot.runtime.public.output_file import OutputFile
from sealshot.runtime.public.picture import TEN_BITS, Blank, Form

T = TypeVar("T")
LOOKS_NOT_AHEAD = "rc-lookahead=0:sync-lookahead=0:bframes=0"
# codec -> FFmpeg's encoder and its options
ENCODERS: dict[Codec, tuple[str, dict[str, str]]] = {
    "h264": (
        "libx264",  # pictures that it holds back to look ahead would be most of its memory
        {"preset": "superfast", "crf": "22", "x264-params": LOOKS_NOT_AHEAD},
    ),
    "h265": ("libx265", {"preset": "veryfast", "crf": "22", "x265-params": "log-level=none"}),
    "ffv1": ("ffv1", {"level": "3"}),
    "mjpeg": ("mjpeg", {"qmin": "2", "qmax": "4", "strict": "unofficial"}),
}
FAST = {"preset": "ultrafast", "qp": "25", "x264-params": LOOKS_NOT_AHEAD}
"""For H.264 on a camera's own processor: 2.4 times as fast, 2 dB less. A constant quantiser, as any
other rate control looks at half of each picture first, which is a third of the time; of noise that
reaches what is flat, such as covered faces, it leaves as little as one that adapts (aq) with more
bytes."""
MUXERS = {"matroska": {"cluster_size_limit": "500000"}}
"""Bytes that are held before they are written; by itself it would hold ten times as many."""
NEED_EVEN_SIDES = ("h264", "h265")
AHEAD = 1
"""Pictures that wait for the encoder, one in work too; who fills the next one waits for it."""
FINEST_S = Fraction(1, 90_000)
"""Tick of MP4 and MOV at least: in finer ones a gap is soon more of them than ..."""
MOST_TICKS = 2**31 - 1
"""... these: of a longer one FFmpeg writes a single tick, and says so to nobody."""


class VideoWriter:
    """Writes to ``path.part``, which becomes ``path`` when :meth:`keep` was called.

    A thread of its own encodes, so that what went wrong with a picture is told with a later one.
    Use it in a ``with`` block: at its end a file that was not kept is deleted, or left as it is.
    """

    def __init__(
        self,
        path: Path,
        form: Form,
        codec: Codec,
        audio: av.AudioStream | None = None,
        *,
        below: int = 0,
        private: bool = False,
        fast: bool = False,
        leave: bool = False,
    ) -> None:
        """Begin the file.

        Args:
            path: as :func:`~sealshot.runtime.public.containers.check_output` took it.
            form: of the pictures.
            codec: as :func:`~sealshot.runtime.public.containers.check_output` returned it.
            audio: a stream of another container whose packets are to be copied.
            below: rows that are added below each picture, an even number.
            private: whether only its owner may read the file.
            fast: whether other work waits for the processor: one thread, and more bytes.
            leave: whether what was written of a file that is not kept stays as ``path.part``.

        Raises:
            InputError: there is no such folder, the codec does not take pictures of this size, or
                the container not the sound.
            SealshotError: the disk is full.
        """
        self._path, self._part = path, path.with_name(path.name + PART)
        self._kept, self._codec, self._below = False, codec, below
        self._leave = leave
        self._messages: dict[int, bytes] = {}
        self._encoding = ThreadPoolExecutor(1, "encoder")
        self._ahead: deque[Future[None]] = deque()
        self._blanks: deque[Blank] = deque()
        """Encoded, and to be used again: see :mod:`sealshot.runtime.public.room`."""
        self._file = self._do(lambda: OutputFile(self._part, 0o600 if private else 0o666))
        try:
            self._do(lambda: self._open(form, codec, audio, fast))
        except BaseException:
            self.discard()
            raise

    def _open(self, form: Form, codec: Codec, audio: av.AudioStream | None, fast: bool) -> None:
        name, _ = CONTAINERS[self._path.suffix.lower()]
        encoder, options = ENCODERS[codec]
        if fast and codec == "h264":
            options = FAST
        self._container = av.open(self._file, "w", format=name, options=MUXERS.get(name, {}))
        stream = self._container.add_stream(encoder, rate=form.fps or 25, options=dict(options))
        assert isinstance(stream, av.VideoStream)
        self._stream, self._audio = stream, None
        context = stream.codec_context
        if fast:
            context.thread_count = 1
        if codec == "h265" and name != "matroska":
            context.codec_tag = "hvc1"  # what Apple's players ask for
        # as decoded, but for 10 bits where the encoder has 8 only
        known = [f.name for f in context.codec.video_formats or ()]
        short = form.format.removesuffix(TEN_BITS)
        self._format = form.format
        context.pix_fmt = form.format if form.format in known else short
        even = codec in NEED_EVEN_SIDES and "444" not in form.format
        context.width = form.width // 2 * 2 if even else form.width
        context.height = (form.height // 2 * 2 if even else form.height) + self._below
        limited = name in ("mp4", "mov")
        context.time_base = max(form.time_base_s, FINEST_S) if limited else form.time_base_s
        if form.pixel_aspect:
            context.sample_aspect_ratio = form.pixel_aspect
        context.color_range, context.color_primaries = form.range, form.primaries
        context.color_trc, context.colorspace = form.transfer, form.matrix
        self._ticks_a_tick = form.time_base_s / context.time_base
        self._last: int | None = None
        self._most = MOST_TICKS if limited else None
        try:
            context.open(strict=False)  # what is wrong from here on is not the pictures
        except (ArgumentError, ExternalError):
            raise InputError(
                f"{encoder} does not take pictures of {context.width} x {context.height}",
                hint="try another --codec: ffv1 takes all sizes",
            ) from None
        if audio is not None:
            try:
                self._audio = self._container.add_stream_from_template(audio)
                self._container.start_encoding()
            except (ValueError, FFmpegError):
                if self._file.failure is not None:
                    raise
                raise InputError(
                    f"{name} does not take the sound as it is ({audio.codec_context.name})",
                    hint="let the name end with .mkv, or leave --keep-audio out",
                ) from None

    def fit(self, planes: Sequence[Plane]) -> Sequence[Plane]:
        """Leave out the odd row and column that the encoder does not take."""
        (height, width), context = planes[0].shape, self._stream.codec_context
        wide, high = context.width, context.height - self._below
        if (wide, high) == (width, height):
            return planes
        return [
            plane[: high * plane.shape[0] // height, : wide * plane.shape[1] // width]
            for plane in planes
        ]

    def blank(self) -> Blank:
        """Return what is to be filled and given to :meth:`write`: a picture, the rows below too."""
        if self._blanks:
            return self._blanks.pop().again()
        context = self._stream.codec_context
        return Blank.of(context.width, context.height, self._format)

    def write(
        self,
        planes: Sequence[Plane],
        ticks: int,
        message: bytes = b"",
        blank: Blank | None = None,
    ) -> None:
        """Encode one picture; ``ticks`` grow from one to the next.

        Args:
            planes: of the picture, as :meth:`fit` gives them, and the rows below it.
            blank: which of :meth:`blank` they are in, where they are in one.
            ticks: its time.
            message: user data that goes with it where the codec has a place for that.

        Raises:
            SealshotError: the disk is full.
            InputError: the container cannot say how much later than the last one it is.
        """
        context = self._stream.codec_context
        ticks = self._own_ticks(ticks)
        blank = blank or self.blank()
        frame = blank.filled(planes)
        if context.pix_fmt != self._format:
            frame = frame.reformat(format=context.pix_fmt)
        frame.pts, frame.time_base = ticks, context.time_base

        def encode() -> None:
            self._messages[ticks] = message
            self._mux(frame)
            self._blanks.append(blank)

        self._later(encode)

    def _own_ticks(self, ticks: int) -> int:
        """Return a time of the pictures in ticks of the file."""
        own, before = round(ticks * self._ticks_a_tick), self._last
        self._last = own if before is None else max(own, before + 1)
        if self._most is not None and before is not None and own - before > self._most:
            gap_s = float((own - before) * self._stream.codec_context.time_base)
            raise InputError(
                f"{self._path} cannot have {gap_s:.0f} s between two pictures",
                hint="let its name end with .mkv",
            )
        return self._last

    def _later(self, work: Callable[[], None]) -> None:
        """Do what writes in the thread of the encoder, in order."""
        while len(self._ahead) >= AHEAD:
            self._ahead.popleft().result()
        self._ahead.append(self._encoding.submit(self._do, work))

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            # pictures leave an encoder in another order than they came
            message = self._messages.pop(packet.pts, b"") if packet.pts is not None else b""
            if message and (self._codec == "h264" or self._codec == "h265"):
                packet = _with_prefix(packet, nal_unit(message, self._codec))
            self._container.mux(packet)

    def copy(self, packet: av.Packet[Any]) -> None:
        """Write a packet of the sound."""
        if self._audio is not None and packet.size:  # an empty one only flushes a decoder
            packet.stream = self._audio
            self._later(lambda: self._container.mux(packet))

    def keep(self) -> None:
        """Finish the file, and give it its name.

        Raises:
            SealshotError: the disk is full.
        """

        def finish() -> None:
            self._mux(None)
            self._container.close()
            self._file.finish()
            self._part.replace(self._path)
            fsync_folder(self._path.parent)

        while self._ahead:
            self._ahead.popleft().result()
        self._do(finish)
        self._kept = True

    def discard(self) -> None:
        """Delete what was written, unless it is kept or left. A second call does nothing."""
        self._encoding.shutdown(cancel_futures=True)
        if not self._kept:
            self._file.close()
            if not self._leave:
                self._part.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def _do(self, work: Callable[[], T]) -> T:
        """Do what writes; tell in one sentence what the disk said, whoever heard it."""
        try:
            done = work()
            failure: Exception | None = None
        except (OSError, FFmpegError) as error:
            failure = error
        heard = self._file.failure if hasattr(self, "_file") else None
        if heard is not None:
            failure = heard
        if failure is None:
            return done
        if isinstance(failure, OSError) and failure.errno in errno.errorcode:
            raise file_error(f"cannot write {self._path}", failure, WRITE_ELSEWHERE) from None
        raise SealshotError(
            f"cannot write {self._path}: {failure}", hint="try another --codec"
        ) from failure


def _with_prefix(packet: av.Packet[Any], prefix: bytes) -> av.Packet[Any]:
    """Return an encoded picture with a NAL unit before it."""
    longer: av.Packet[Any] = av.Packet(prefix + bytes(packet))
    longer.pts, longer.dts, longer.duration = packet.pts, packet.dts, packet.duration
    longer.time_base, longer.stream = packet.time_base, packet.stream
    longer.is_keyframe = packet.is_keyframe
    return longer
