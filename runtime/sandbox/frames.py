"""From the packets of one video stream to its frames: every one that can be decoded, in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError

from sealshot.runtime.sandbox import ASK_AGAIN
from sealshot.runtime.sandbox.deinterlace import Deinterlacer
from sealshot.runtime.sandbox.packets import Packet, of_whole_pictures

HEVC = "hevc"
"""Of it FFmpeg hides what refers to a picture that was lost, up to the next key frame, which may
come many seconds later; of H.264 nothing. What it then shows is grey where the lost picture lay."""

SENT_MOST = 100
"""Packets of which no frame came yet; decoders hold back 16."""


class Stamp(NamedTuple):
    """A time, to the letter."""

    ticks: int
    base_s: Fraction
    """What one tick lasts."""


class Frames:
    """Decodes a video stream. What cannot be decoded is counted and passed over."""

    def __init__(
        self,
        container: InputContainer,
        stream: av.VideoStream,
        *,
        threads: int = 0,
        public: bool,
        look: Callable[[Packet], None] = lambda _: None,
        sound: av.AudioStream | None = None,
    ) -> None:
        """Start before the first packet.

        Args:
            container: what is read.
            stream: of it.
            threads: of the decoder; 0 takes as many as FFmpeg likes.
            public: whether all may see the frames.
            look: is shown each packet before it is decoded.
            sound: its packets are given on among the frames.
        """
        self._container, self._stream, self._sound = container, stream, sound
        self._public, self._look = public, look
        self.time_base = stream.time_base or Fraction(1, 1000)
        said = stream.sample_aspect_ratio
        self._own_aspect = said if said != stream.codec_context.sample_aspect_ratio else None
        # AVI has no time of its own for a picture, and FFmpeg's is that at which it is decoded
        self._in_order = container.format.name == "avi"
        self._began = self._interlaced = self._skims = False
        self._sent = set[int]()
        """Stamps of packets that were not to be decoded in any case, of which no frame came yet."""
        self.skipped = 0
        """Frames that were left out while it skimmed."""
        self.damaged = 0
        """Packets that could not be decoded, and frames of which nothing may be shown."""
        # FFmpeg's frame threads lose the frames held back for their order behind a damaged packet
        stream.thread_type = "SLICE"
        context = stream.codec_context
        context.thread_count = threads
        self._is_hevc = context.name == HEVC
        if self._is_hevc:
            context.flags |= int(Flags.output_corrupt)

    def __iter__(self) -> Generator[av.VideoFrame | av.Packet[Any]]:
        """Yield frames, the interlaced ones deinterlaced, and packets of the sound."""
        deinterlacer = Deinterlacer(self.time_base)
        for item in self._decode():
            if isinstance(item, av.Packet):
                yield item
            else:
                yield from self._whole_ones(deinterlacer.push(item))
            del item  # its memory is for the next one
        yield from self._whole_ones(deinterlacer.flush())

    def pixel_aspect(self, frame: av.VideoFrame) -> Fraction | None:
        """Return width over height of a frame's pixels; None where nobody says."""
        # what the container says goes before what the stream says, which may change
        return self._own_aspect or self._stream.codec_context.sample_aspect_ratio or None

    def stamp(self, frame: av.VideoFrame) -> Stamp | None:
        """Return the time that the container gives a frame; None where it gives none."""
        stamps = (frame.pts, frame.dts)[:: -1 if self._in_order else 1]
        ticks = next((stamp for stamp in stamps if stamp is not None), None)
        # what was deinterlaced has a base of its own
        return None if ticks is None else Stamp(ticks, frame.time_base or self.time_base)

    def skim(self, skims: bool) -> None:
        """Leave frames out from now on, or no more, that no other one refers to.

        Cameras that send such frames are few, but for those with temporal layers (SVC-T), and
        recordings of editors' encoders. Of fields none is left out.
        """
        self._skims = skims and not self._interlaced
        self._stream.codec_context.skip_frame = "NONREF" if self._skims else "DEFAULT"

    def _expect(self, stamp: int) -> None:
        if len(self._sent) == SENT_MOST:  # its frames have other stamps
            self._sent.clear()
        self._sent.add(stamp)

    def _count_skipped(self, frame: av.VideoFrame) -> None:
        if self._sent and frame.pts is not None:
            passed = {stamp for stamp in self._sent if stamp <= frame.pts}
            self._sent -= passed
            self.skipped += len(passed - {frame.pts})

    def _whole_ones(self, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Yield what can be deinterlaced; damage may give a frame a form that cannot."""
        while True:
            try:
                frame = next(frames, None)
            except FFmpegError:
                self.damaged += 1
                continue
            if frame is None:
                return
            yield frame
            del frame  # its memory is for the next one

    def _decode(self) -> Iterator[av.VideoFrame | av.Packet[Any]]:
        failed = 0
        while failed < ASK_AGAIN:
            try:
                for packet in self._packets():
                    if packet.stream is self._sound:
                        yield packet
                        continue
                    self._look(packet)
                    if self._skims and packet.pts is not None:
                        self._expect(packet.pts)
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        self.damaged += 1
                        failed += 1
                        if failed == ASK_AGAIN:
                            break
                        continue
                    failed = 0 if frames else failed
                    yield from self._fit(frames)
                    del frames
                else:
                    return
            except (av.EOFError, av.ExitError, ConnectionError, TimeoutError):
                break
            except IndexError:  # PyAV at the end of what has more streams than at its beginning
                break
            except FFmpegError:  # a packet that cannot be read; the next may be
                self.damaged += 1
                failed += 1
        try:
            yield from self._fit(self._stream.decode(None))  # what the decoder holds back
        except FFmpegError:
            self.damaged += 1

    def _fit(self, frames: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Leave out what comes before a key frame, and what no detector may find and all would see.

        The latter is counted.
        """
        for frame in frames:
            self._count_skipped(frame)
            self._interlaced = self._interlaced or bool(frame.interlaced_frame)
            if not self._is_hevc or not frame.is_corrupt:
                self._began = True
                yield frame
            elif self._began and self._public:
                self.damaged += 1
            elif self._began:
                yield frame

    def _packets(self) -> Iterator[av.Packet[Any]]:
        if self._sound is not None:
            return self._container.demux(self._stream, self._sound)
        packets = self._container.demux(self._stream)
        return of_whole_pictures(packets) if self._container.format.name == "rtsp" else packets
