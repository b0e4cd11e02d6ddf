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
from typing import Any, TypeAlias

import av
from av.error import FFmpegError

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.decoded import Decoded
from sealshot.runtime.public.message import MARK, Message, message_in
from sealshot.runtime.public.picture import Picture
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.reader import NoVideoError, Stated
from sealshot.runtime.types import Image, Raw

logger = logging.getLogger(__name__)

ASSUMED_STEP_S = Fraction(1, 25)
FORWARD_JUMP_S = Fraction(10)
"""A stamp that is further ahead of the one before is a mistake of whoever wrote the file."""
BACK_JUMP_S = Fraction(1)
"""Where a stamp is further behind, a clock began anew, as that of MPEG-TS does after 26 hours."""


Read: TypeAlias = tuple[Image, Raw, Stated]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture, and what a detector looks at."""

    picture: Picture
    image: Image
    """``uint8 [h, w, 3]`` BGR, upright, with square pixels."""
    message: Message | None
    """What a picture of a public stream says of itself."""


class Recording:
    """Reads a video file. Iterate over it once, inside a ``with`` block.

    FFmpeg reads it in a process of its own, unless somebody wants it here. With its sound it is
    read here: what writes the packets again has to be shown the stream that they come from.
    """

    def __init__(self, path: Path, *, sound: bool = False, sandbox: bool = True) -> None:
        """Open a file and decode its first picture.

        Args:
            path: of the file.
            sound: whether to give the packets of its sound too.
            sandbox: whether FFmpeg reads in a process of its own; see
                :func:`~sealshot.runtime.sources.open_source`.

        Raises:
            InputError: it is no video that FFmpeg can read, or has no picture or no such sound.
        """
        self.name = str(path)
        self._heard: list[av.Packet[Any]] = []
        check_file(path)
        try:
            self._reader = open_media(
                str(path.absolute()),
                mark=MARK,
                sandbox=sandbox and not sound,
                hear=self._heard.append if sound else None,
            )
        except NoVideoError as error:
            raise not_read(error, path) from None
        try:
            self._start(sound)
        except BaseException:
            self._reader.close()
            raise

    def _start(self, sound: bool) -> None:
        self.sound = self._reader.sound
        if sound and self.sound is None:
            raise InputError(f"{self.name} has no sound", hint="leave --keep-audio out")
        self.codec, self.frames = self._reader.codec, self._reader.frames
        self._last: Picture | None = None
        self._first_ticks = self._shift = self._sound_shift = 0
        self._sound_ticks: int | None = None
        self._unfit = 0
        first = self._ahead = self._read()
        if first is None:
            raise InputError(
                f"{self.name} has no picture that can be decoded",
                hint="check that it plays elsewhere",
            )
        _, raw, stated = first
        self._decoded = Decoded(
            raw,
            stated,
            stated.pixel_aspect or Fraction(0),
            self._reader.time_base,
            self._reader.rate,
        )
        self.form = self._decoded.form
        self.turned = raw.turn != Turn()
        """Whether a display matrix turned the last picture that was given, at first the first."""

    def __iter__(self) -> Iterator[Shown | av.Packet[Any]]:
        read, self._ahead = self._ahead, None
        while read is not None:
            yield from self._sounds()
            shown = self._shown(read)
            if shown is not None:
                yield shown
            del shown
            read = self._read()
        yield from self._sounds()
        if self.damaged:
            logger.warning("%s: %d damaged packets were passed over", self.name, self.damaged)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def damaged(self) -> int:
        """Packets and pictures that could not be decoded so far, and are left out."""
        return self._reader.damaged + self._unfit

    def _read(self) -> Read | None:
        """Return the next picture; those that have no planes are counted and passed over."""
        while True:
            try:
                read = self._reader.read()
            except NoVideoError as error:
                raise not_read(error, Path(self.name)) from None
            if read is None:
                return None
            if read.decoded is not None and read.stated is not None:
                return read.image, read.decoded, read.stated
            self._unfit += 1

    def _sounds(self) -> Iterator[av.Packet[Any]]:
        """Yield what was heard before the picture that was read last."""
        heard = self._heard.copy()
        self._heard.clear()
        yield from map(self._in_time, heard)

    def _shown(self, read: Read) -> Shown | None:
        image, raw, stated = read
        self.turned = raw.turn != Turn()
        try:
            planes = self._decoded.planes(raw)
        except FFmpegError:  # damage may give a frame a form that cannot be shown
            self._unfit += 1
            return None
        self._last = self._timed(planes, stated.stamp)
        return Shown(self._last, image, message_in(stated.user_data))

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

    def _timed(self, planes: tuple[Plane, ...], stamp_s: Fraction | None) -> Picture:
        base, last = self.form.time_base_s, self._last
        ticks = None if stamp_s is None else round(stamp_s / base) + self._shift
        if last is None:
            self._first_ticks = ticks or 0
            return Picture(planes, self._first_ticks, 0.0)
        step = max(1, round((1 / self.form.fps if self.form.fps else ASSUMED_STEP_S) / base))
        jump = max(FORWARD_JUMP_S, 2 * step * base)
        if ticks is not None and not -BACK_JUMP_S <= (ticks - last.ticks) * base <= jump:
            self._shift += last.ticks + step - ticks  # what follows keeps its distances
            ticks = last.ticks + step
        elif ticks is None or ticks <= last.ticks:
            ticks = last.ticks + step
        return Picture(planes, ticks, float((ticks - self._first_ticks) * base))


def check_file(path: Path) -> None:
    """Raise InputError where there is no file."""
    if not path.exists():
        raise InputError(f"there is no video file {path}", hint="check the path")


def not_read(error: NoVideoError, path: Path) -> InputError:
    """Return what a user is told of a file that is no video."""
    what = "is not a video that FFmpeg can read"
    return error.refusal(str(path), what, "check that it plays elsewhere")
