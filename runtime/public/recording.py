"""A recording as its planes: every picture, and the packets of its sound, in the order of the file.

Colours, pixel aspect and time stamps stay as they are; pictures are turned upright. Nothing else of
the file is given on: no title, place or device, no subtitles, chapters or cover picture.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.error import FFmpegError

from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import Planes
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.decoded import Decoded
from sealshot.runtime.public.message import MARK, Message, message_in
from sealshot.runtime.public.picture import Picture
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.sources import NO_VIDEO_HINT, refuse_text
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.reader import NoVideoError, Stated
from sealshot.runtime.sources.stamps import JUMP_S, JUMP_STEPS, LOOK_AHEAD, Queue, settled
from sealshot.runtime.types import Image, Pixels, Raw

logger = logging.getLogger(__name__)

ASSUMED_STEP_S = Fraction(1, 25)

Read: TypeAlias = tuple[Pixels, Raw | Planes, Stated]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture, and what a detector looks at."""

    picture: Picture
    see: Callable[[], Image]
    """Makes :attr:`image`."""
    message: Message | None
    """What a picture of a public stream says of itself."""

    @property
    def image(self) -> Image:
        """``uint8 [h, w, 3]`` BGR, upright, with square pixels."""
        return self.see()


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
        self._heard: deque[av.Packet[Any]] = deque()
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
        self._clock, self._sound_clock = _Clock(), _Clock()
        self._first_ticks: int | None = None
        self._unfit = 0
        self._pictures = Queue(self._decode)
        first = next(self._pictures.following(), None)
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
        self.turned = _is_turned(raw)
        """Whether a display matrix turned the last picture that was given, at first the first."""

    def __iter__(self) -> Iterator[Shown | av.Packet[Any]]:
        while (read := self._pictures.next()) is not None:
            yield from self._sounds(held=LOOK_AHEAD)
            shown = self._shown(read)
            if shown is not None:
                yield shown
            del shown
        yield from self._sounds(held=0)
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

    def _decode(self) -> Read | None:
        """Return the next picture; those that have no planes are counted and passed over."""
        while True:
            try:
                read = self._reader.read()
            except NoVideoError as error:
                raise not_read(error, Path(self.name)) from None
            if read is None:
                return None
            if read.decoded is not None and read.stated is not None:
                return read.pixels, read.decoded, read.stated
            self._unfit += 1

    def _sounds(self, *, held: int) -> Iterator[av.Packet[Any]]:
        """Yield what was heard; a packet whose stamp is in doubt waits for ``held`` others."""
        while self._heard and (len(self._heard) > held or not self._in_doubt(self._heard[0])):
            yield self._in_time(self._heard.popleft())

    def _in_doubt(self, sound: av.Packet[Any]) -> bool:
        if sound.dts is None or sound.time_base is None:
            return False
        return self._sound_clock.doubts(sound.dts, _jump(sound.duration or 1, sound.time_base))

    def _in_time(self, sound: av.Packet[Any]) -> av.Packet[Any]:
        if sound.dts is None or sound.time_base is None:
            return sound

        def later() -> list[int]:
            return [s.dts for s in islice(self._heard, LOOK_AHEAD) if s.dts is not None]

        step = sound.duration or 1
        ticks = self._sound_clock.ticks(sound.dts, step, _jump(step, sound.time_base), later)
        sound.pts = ticks if sound.pts is None else sound.pts + ticks - sound.dts
        sound.dts = ticks
        return sound

    def _shown(self, read: Read) -> Shown | None:
        pixels, raw, stated = read
        self.turned = _is_turned(raw)
        try:
            planes = self._decoded.planes(raw)
        except FFmpegError:  # damage may give a frame a form that cannot be shown
            self._unfit += 1
            return None
        timed = self._timed(planes, stated.stamp)
        see = partial(self._decoded.image, pixels)
        return Shown(timed, see, message_in(stated.user_data))

    def _timed(self, planes: tuple[Plane, ...], stamp_s: Fraction | None) -> Picture:
        base = self.form.time_base_s
        step = max(1, round((1 / self.form.fps if self.form.fps else ASSUMED_STEP_S) / base))

        def later() -> list[int]:
            stamps = (s.stamp for _, _, s in self._pictures.following())
            return [round(stamp / base) for stamp in stamps if stamp is not None]

        stamp = None if stamp_s is None else round(stamp_s / base)
        ticks = self._clock.ticks(stamp, step, _jump(step, base), later)
        if self._first_ticks is None:
            self._first_ticks = ticks
        return Picture(planes, ticks, float((ticks - self._first_ticks) * base))


def _is_turned(decoded: Raw | Planes) -> bool:
    return isinstance(decoded, Raw) and decoded.turn != Turn()


class _Clock:
    """Gives what is stamped one after the other times that grow; see :func:`settled`."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._shift = 0

    def doubts(self, stamp: int, jump: float) -> bool:
        """Return whether it depends on what follows what a stamp, in ticks, is worth."""
        return self._last is not None and not 0 < stamp + self._shift - self._last <= jump

    def ticks(
        self, stamp: int | None, step: int, jump: float, later: Callable[[], list[int]]
    ) -> int:
        """Return the time of what has this stamp, or none, in its ticks."""
        shift = self._shift
        if self._last is None:
            ticks = stamp or 0
        elif stamp is None:
            ticks = self._last + step
        else:
            ticks, anew = settled(
                stamp + shift, self._last, step, jump, lambda: [s + shift for s in later()]
            )
            self._shift = ticks - stamp if anew else shift
        self._last = ticks
        return ticks


def _jump(step: int, base_s: Fraction) -> float:
    return max(JUMP_S / float(base_s), JUMP_STEPS * step)


def check_file(path: Path) -> None:
    """Raise InputError where there is no file, a folder, or one of text."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name one video file")
    if not path.exists():
        raise InputError(f"there is no video file {path}", hint="check the path")
    refuse_text(path)


def not_read(error: NoVideoError, path: Path) -> InputError:
    """Return what a user is told of a file that is no video."""
    what = "is not a video that FFmpeg can read"
    return error.refusal(str(path), what, NO_VIDEO_HINT)
