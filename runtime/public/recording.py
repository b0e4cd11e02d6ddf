"""A recording as its planes: every picture, and the packets of its sound, in the order of the file.

Colours, pixel aspect and time stamps stay as they are; pictures are turned upright. Nothing else of
the file is given on: no title, place or device, no subtitles, chapters or cover picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
from sealshot.runtime.sandbox import OPTIONS
from sealshot.runtime.sandbox.frames import Frames
from sealshot.runtime.sandbox.packets import Packet
from sealshot.runtime.sandbox.show import Shower, turn_of
from sealshot.runtime.sources.sandboxed import tell_of_matrix
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.types import Image, Raw

logger = logging.getLogger(__name__)

ASSUMED_STEP_S = Fraction(1, 25)
FORWARD_JUMP_S = Fraction(10)
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
        if sound:
            best = self._container.streams.best("audio")
            if not isinstance(best, av.AudioStream):
                raise InputError(f"{self.name} has no sound", hint="leave --keep-audio out")
            self.sound = best
        self.codec = str(video.codec_context.name)
        self.frames: int | None = video.frames or None
        self._decoding = Frames(
            self._container, video, public=True, look=self._look_at, sound=self.sound
        )
        self._shower, self._told = Shower(), False
        self._messages: dict[int, Message] = {}
        self._last: Picture | None = None
        self._first_ticks = self._sound_shift = 0
        self._sound_ticks: int | None = None
        self._items = iter(self._decoding)
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
            self._decoding.pixel_aspect(first) or Fraction(0),
            self._decoding.time_base,
            video.average_rate,
        )
        self.form = self._decoded.form

    def __iter__(self) -> Iterator[Shown | av.Packet[Any]]:
        for items in (self._ahead, self._items):
            for item in items:
                yield from self._item(item)
            self._ahead = []
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

    @property
    def damaged(self) -> int:
        """Packets and pictures that could not be decoded so far, and are left out."""
        return self._decoding.damaged

    def _look_at(self, packet: Packet) -> None:
        """Keep what a picture of a public stream says of itself."""
        if packet.size and packet.pts is not None:
            message = message_in(bytes(packet))
            if message is not None:
                self._messages[packet.pts] = message

    def _item(self, item: av.VideoFrame | av.Packet[Any]) -> Iterator[Shown | av.Packet[Any]]:
        if isinstance(item, av.Packet):
            yield self._in_time(item)
            return
        try:
            shown = self._shower.show(item, self._decoding.pixel_aspect(item) or Fraction(1))
            planes = self._decoded.planes(Raw(item, self._shower.turn(item)))
        except FFmpegError:  # damage may give a frame a form that cannot be shown
            self._decoding.damaged += 1
            return
        if self._shower.strange_matrix is not None and not self._told:
            self._told = True
            tell_of_matrix(self._shower.strange_matrix)
        image = turned(np.asarray(shown.to_ndarray(), np.uint8), self._shower.turn(item))
        self._last = self._timed(planes, item)
        said = self._messages.pop(item.pts, None) if item.pts is not None else None
        yield Shown(self._last, image, said)

    def _in_time(self, sound: av.Packet[Any]) -> av.Packet[Any]:
        """Let a packet follow the one before it where a clock began anew or jumped."""
        if sound.dts is not None and sound.time_base is not None:
            before, at = self._sound_ticks, sound.dts + self._sound_shift
            if before is not None and not 0 <= (at - before) * sound.time_base <= FORWARD_JUMP_S:
                at = before + (sound.duration or 1)
            self._sound_shift, self._sound_ticks = at - sound.dts, at
            sound.dts = at
            sound.pts = at if sound.pts is None else sound.pts + self._sound_shift
        return sound

    def _timed(self, planes: tuple[Plane, ...], frame: av.VideoFrame) -> Picture:
        base = self.form.time_base_s
        stamp_s, last = self._decoding.stamp_s(frame), self._last
        ticks = None if stamp_s is None else round(stamp_s / base)
        if last is None:
            self._first_ticks = ticks or 0
            return Picture(planes, self._first_ticks, 0.0)
        step = max(1, round((1 / self.form.fps if self.form.fps else ASSUMED_STEP_S) / base))
        jump = max(FORWARD_JUMP_S, 2 * step * base)
        if ticks is None or ticks <= last.ticks or (ticks - last.ticks) * base > jump:
            ticks = last.ticks + step
        return Picture(planes, ticks, float((ticks - self._first_ticks) * base))


def open_video(path: Path) -> av.container.InputContainer:
    """Open a file.

    Raises:
        InputError: it is not there, or FFmpeg cannot read it.
    """
    if not path.exists():
        raise InputError(f"there is no video file {path}", hint="check the path")
    try:
        return av.open(str(path.absolute()), options=dict(OPTIONS), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"{path} is not a video that FFmpeg can read: {str(why).lower()}",
            hint="check that it plays elsewhere",
        ) from None
