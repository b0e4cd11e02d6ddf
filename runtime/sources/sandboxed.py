"""The pictures of a stream that is parsed by a process of its own: what it says is checked."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from fractions import Fraction

import numpy as np

from sealshot.runtime.planes import Planes
from sealshot.runtime.sandbox.messages import (
    ASK,
    ASK_NEIGHBOUR,
    CREDIT,
    NEWEST,
    Ended,
    Need,
    Opened,
    Ratio,
    Ready,
    Refused,
    Request,
    Shown,
    text,
)
from sealshot.runtime.sandbox.shape import GIVEN, Turn
from sealshot.runtime.sources.apart import Apart, refusal
from sealshot.runtime.sources.reader import Coming, Picture, Stated
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.types import Image, Pixels, Raw

logger = logging.getLogger(__name__)

SLOWEST_FPS, FASTEST_FPS = 1e-6, 240.0
LATEST_S = 1e12
"""Stamps beyond it are none: thirty thousand years."""
UNIX_0 = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Sandboxed(Apart):
    """Reads a file or an address by a process of its own."""

    sound = None
    """Packets of sound cannot be had of it."""

    def __init__(self, request: Request, descriptors: tuple[int, ...] = ()) -> None:
        """Start the process and let it open what is asked for.

        Args:
            request: what to open, and how.
            descriptors: that it shall have, too.

        Raises:
            NoVideoError: it cannot be opened, has no video, or no such process can be started.
        """
        self.damaged, self.moves = 0, False
        self._told = self._over = False
        self._decoded = request.raw
        super().__init__(request, descriptors)

    def _ask(self, request: Request) -> None:
        super()._ask(request)
        said = self._hear()
        if isinstance(said, Refused):
            raise refusal(said)
        if not isinstance(said, Opened):
            raise self.nonsense()
        self.codec, self.ends, self.still = text(said.codec), said.ends, said.still
        self.fps = said.fps if SLOWEST_FPS < said.fps <= FASTEST_FPS else None
        self.frames = said.frames if said.frames >= 0 else None
        self.end_s = _seconds(said.end_s)
        self.created = _created(said.created)
        self.rate, base = _fraction(said.rate), _fraction(said.base)
        if base is None:
            raise self.nonsense()
        self.time_base = base

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None at the end and where a stream broke.

        Raises:
            NoVideoError: the process that parses it ended, or says what cannot be.
        """
        said = self.hear()
        if isinstance(said, Coming):
            raise self.nonsense()
        return said

    def keep_newest(self) -> None:
        """Let it tell of pictures from now on, and give those that are asked for."""
        self._say(NEWEST)

    def hear(self) -> Picture | Coming | None:
        """Return what is next, as :meth:`read` does, or that there is a picture to be asked for.

        Raises:
            NoVideoError: the process that parses it ended, or says what cannot be.
        """
        while not self._over:
            said = self._hear()
            if isinstance(said, Need):
                self._make_room(said.size)
            elif isinstance(said, Shown):
                return self._take(said)
            elif isinstance(said, Ready):
                self.damaged, self.moves = said.damaged, said.moves
                return Coming(_float(_stamp(said)), self._ask_for, said.skipped)
            elif isinstance(said, Ended):
                self.damaged, self.moves, self._over = said.damaged, said.moves, True
            else:
                raise self.nonsense()
        return None

    def _ask_for(self, neighbour: bool) -> None:
        self._say(ASK_NEIGHBOUR if neighbour else ASK)

    def close(self) -> None:
        """Let it close the file or the connection, and see it end."""
        self._over = True
        super().close()

    def _take(self, said: Shown) -> Picture:
        """Copy a picture out; what the process writes there from now on changes nothing."""
        own, taken = not said.stride, said.height * abs(said.stride)
        if not (said.width and said.height and (own or 3 * said.width <= abs(said.stride))):
            raise self.nonsense()
        behind = taken + sum(size for size, _ in said.raw.planes)
        if behind + said.user > len(self._pixels):
            raise self.nonsense()
        turn = Turn(bool(said.turn & 1), bool(said.turn & 2), bool(said.turn & 4))
        pixels: Pixels
        raw: Raw | Planes | None
        try:
            if own:
                pixels = planes_of(said, self._pixels[:behind])
                raw = pixels if self._decoded else None
            else:
                pixels = _copied(self._pixels[:taken], said, turn)
                raw = self._raw(said, self._pixels[taken:behind], turn) if self._decoded else None
        except ValueError:
            raise self.nonsense() from None
        stamp, stated = _stamp(said), None
        if raw is not None:
            user = self._pixels[behind : behind + said.user].tobytes()
            stated = Stated(stamp, _fraction(said.aspect), *said.colours, user)
        self._say(CREDIT)
        self.damaged, self.moves = said.damaged, said.moves
        if said.strange_matrix >= 0 and not self._told:
            self._told = True
            tell_of_matrix(said.strange_matrix)
        return Picture(pixels, _float(stamp), raw, stated)

    def _raw(self, said: Shown, planes: Image, turn: Turn) -> Raw | None:
        if not text(said.raw.format):
            return None
        from sealshot.runtime.sources.raw import raw_of  # it loads FFmpeg

        return raw_of(said.raw, planes, turn)


def planes_of(said: Shown, data: Image) -> Planes:
    """Copy a picture out of shared memory whose planes are as it is shown.

    Args:
        said: its form; not believed.
        data: ``uint8 [n]``: where its planes lie.

    Raises:
        ValueError: it cannot be so.
    """
    raw, width, height = said.raw, said.width, said.height
    form, planes, at = text(raw.format), list[Image](), 0
    turned = said.turn or (raw.width, raw.height) != (width, height)
    if form not in GIVEN or turned or width % 2 or height % 2 or len(raw.planes) != 3:
        raise ValueError("it is not what is given on as planes")
    sizes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
    for (size, row), (high, wide) in zip(raw.planes, sizes, strict=True):
        if not wide <= row or high * row > size:
            raise ValueError("its planes are too small")
        planes.append(data[at : at + high * row].reshape(high, row)[:, :wide])
        at += size
    return Planes.of(form, planes, raw.range, raw.matrix, raw.primaries, raw.transfer)


def _copied(rows: Image, said: Shown, turn: Turn) -> Image:
    image: Image = np.ndarray(
        (said.height, said.width, 3), np.uint8, rows, strides=(abs(said.stride), 3, 1)
    )
    image = image[::-1] if said.stride < 0 else image
    return image.copy() if turn == Turn() else turned(image, turn)


def _fraction(ratio: Ratio) -> Fraction | None:
    numerator, denominator = ratio
    return Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else None


def _stamp(said: Shown | Ready) -> Fraction | None:
    base = _fraction(said.base)
    stamp = None if base is None else said.ticks * base
    return stamp if stamp is not None and abs(stamp) < LATEST_S else None


def _float(stamp: Fraction | None) -> float | None:
    return None if stamp is None else float(stamp)


def _seconds(seconds: float) -> float | None:
    return seconds if abs(seconds) < LATEST_S else None  # NaN is not


def _created(unix_s: float) -> datetime | None:
    if not 0 < unix_s < 1e11:
        return None
    return UNIX_0 + timedelta(seconds=unix_s)


def tell_of_matrix(matrix: int) -> None:
    """Tell that colours come out wrong."""
    logger.warning(
        "FFmpeg cannot convert the colours of this video (matrix %d of H.273): they are"
        " taken for usual ones and come out wrong",
        matrix,
    )
