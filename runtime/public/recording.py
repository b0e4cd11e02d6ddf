"""A recording as its planes: every picture, and the packets of its sound, in the order of the file.

Colours, pixel aspect and time stamps stay as they are; pictures are turned upright. Nothing else of
the file is given on: no title, place or device, no subtitles, chapters or cover picture.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.decoded import Decoded
from sealshot.runtime.public.message import Message, message_in
from sealshot.runtime.public.picture import Picture
from sealshot.runtime.sandbox import ASK_AGAIN
from sealshot.runtime.sandbox.deinterlace import Deinterlacer
from sealshot.runtime.sandbox.show import Shower, turn_of
from sealshot.runtime.sources.sandboxed import tell_of_matrix
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.types import Image, Raw

logger = logging.getLogger(__name__)

ASSUMED_STEP_S = Fraction(1, 25)
FORWARD_JUMP_S = 10.0
"""A stamp that is further ahead of the one before is a mistake of whoever wrote the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture, and what a detector looks at."""

    picture: Picture
    image: Image
    """``uint8 [h, w, 3]`` BGR, upright, with square pixels."""
    message: Message | None
    """What a picture of a public stream says of itself."""


class Recording:
    """Reads a video file. Iterate over it once, inside a ``with`` block."""

    def __init__(self, path: Path, *, sound: bool = False) -> None:
        """Open a file and decode its first picture.

        Args:
            path: of the file.
            sound: whether to give the packets of its sound too.

        Raises:
            InputError: it is no video that FFmpeg can read, or has no picture or no such sound.
        """
        self.name = str(path)
        self._container = open_video(path)
        try:
            self._start(sound)
        except BaseException:
            self._container.close()
            raise

    def _start(self, sound: bool) -> None:
        video = self._container.streams.best("video")
        if not isinstance(video, av.VideoStream) or getattr(video, "codec_context", None) is None:
            raise InputError(
                f"{self.name} has no video that FFmpeg can decode", hint="name a video file"
            )
        self._video, self.sound = video, None
        video.thread_type = "AUTO"
        if sound:
            best = self._container.streams.best("audio")
            if not isinstance(best, av.AudioStream):
                raise InputError(f"{self.name} has no sound", hint="leave --keep-audio out")
            self.sound = best
        self.codec = str(video.codec_context.name)
        self.frames: int | None = video.frames or None
        self.damaged = 0
        self._shower, self._told = Shower(), False
        self._messages: dict[int, Message] = {}
        self._last: Picture | None = None
        self._first_ticks = 0
        self._items: Generator[av.VideoFrame | av.Packet[Any]] = self._decode()
        ahead: list[av.VideoFrame | av.Packet[Any]] = []
        for item in self._items:
            ahead.append(item)
            if isinstance(item, av.VideoFrame):
                break
        else:
            raise InputError(
                f"{self.name} has no picture that can be decoded",
                hint="check that it plays elsewhere",
            )
        self._ahead, first = ahead, ahead[-1]
        assert isinstance(first, av.VideoFrame)
        self._decoded = Decoded(
            Raw(first, turn_of(first)),
            video.codec_context,
            self._pixel_aspect(),
            video.time_base or Fraction(1, 1000),
            video.average_rate,
        )
        self.form = self._decoded.form

    def __iter__(self) -> Iterator[Shown | av.Packet[Any]]:
        yield from map(self._item, self._ahead)
        self._ahead = []
        yield from map(self._item, self._items)
        if self.damaged:
            logger.warning("%s: %d damaged packets were passed over", self.name, self.damaged)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._items.close()
        self._container.close()

    def _decode(self) -> Generator[av.VideoFrame | av.Packet[Any]]:
        streams = [self._video] if self.sound is None else [self._video, self.sound]
        deinterlacer = Deinterlacer(self._video.time_base or Fraction(1, 1000))
        failed = 0
        while failed < ASK_AGAIN:
            try:
                for packet in self._container.demux(streams):
                    if packet.stream is not self._video:
                        yield packet
                        continue
                    if packet.size and packet.pts is not None:
                        message = message_in(bytes(packet))
                        if message is not None:
                            self._messages[packet.pts] = message
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        self.damaged += 1
                        failed += 1
                        continue
                    failed = 0
                    for frame in frames:
                        assert isinstance(frame, av.VideoFrame)
                        yield from deinterlacer.push(frame)
                break
            except av.EOFError:
                break
            except FFmpegError:  # a packet that cannot be read; the next may be
                self.damaged += 1
                failed += 1
        yield from deinterlacer.flush()

    def _item(self, item: av.VideoFrame | av.Packet[Any]) -> Shown | av.Packet[Any]:
        if isinstance(item, av.Packet):
            return item
        shown = self._shower.show(item, self._pixel_aspect() or Fraction(1))
        if self._shower.strange_matrix is not None and not self._told:
            self._told = True
            tell_of_matrix(self._shower.strange_matrix)
        raw = Raw(item, self._shower.turn(item))
        image = turned(np.asarray(shown.to_ndarray(), np.uint8), raw.turn)
        self._last = self._timed(self._decoded.planes(raw), item)
        said = self._messages.pop(item.pts, None) if item.pts is not None else None
        return Shown(self._last, image, said)

    def _timed(self, planes: tuple[Plane, ...], frame: av.VideoFrame) -> Picture:
        base = self.form.time_base_s
        ticks = frame.pts if frame.pts is not None else frame.dts
        last = self._last
        if last is None:
            self._first_ticks = ticks or 0
            return Picture(planes, self._first_ticks, 0.0)
        step = max(1, round((1 / self.form.fps if self.form.fps else ASSUMED_STEP_S) / base))
        if ticks is None or ticks <= last.ticks or (ticks - last.ticks) * base > FORWARD_JUMP_S:
            ticks = last.ticks + step
        return Picture(planes, ticks, float((ticks - self._first_ticks) * base))

    def _pixel_aspect(self) -> Fraction:
        return self._video.sample_aspect_ratio or Fraction(0)


def open_video(path: Path) -> av.container.InputContainer:
    """Open a file.

    Raises:
        InputError: it is not there, or FFmpeg cannot read it.
    """
    if not path.exists():
        raise InputError(f"there is no video file {path}", hint="check the path")
    try:
        return av.open(str(path.absolute()), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{path} is not a video that FFmpeg can read: {str(why).lower()}",
            hint="check that it plays elsewhere",
        ) from None
