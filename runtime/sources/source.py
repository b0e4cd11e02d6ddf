"""What every source is: an iterator of frames with a name."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from sealshot.runtime.planes import Planes
from sealshot.runtime.sources.mask import Mask
from sealshot.runtime.sources.sameness import Sameness
from sealshot.runtime.types import Frame, Heartbeat

logger = logging.getLogger(__name__)

HEARTBEAT_S = 0.25
"""Longest silence of a live source, in seconds: on a busy machine, too, it is then no second."""


class Source(ABC):
    """Frames in order, with indexes that count up from 0 and times that never run back.

    A live source gives a :class:`Heartbeat` where no frame has come for ``HEARTBEAT_S``, so that
    what depends on time goes on while the camera is away. A recording gives frames alone.

    Iterate over it inside a ``with`` block. One thread iterates; :meth:`close` may be called from
    any thread, and the iteration then ends. What a person should know and is no error (a file that
    ends early, a camera that went away) is logged as a warning.
    """

    name: str
    """What the source is called in reports and errors; holds no password."""
    live: bool
    """Whether it is a camera: paced by the world, without an end, free to drop frames."""
    frames: int | None
    """How many frames there will be, where that is known; an estimate for some video files."""
    fps: float | None
    """Nominal frames per second, where that is known."""
    dropped: int
    """Frames of a live source that were replaced by a newer one before anybody asked for them."""

    apart = False
    """Whether a process of its own makes the next picture while this one is used."""

    created: datetime | None = None
    """When the first frame of a recording was taken, where its file says so."""

    mask: Mask | None = None
    """What nothing may look at; set before the first frame is read."""

    def __init__(self, name: str, *, live: bool, frames: int | None, fps: float | None) -> None:
        self.name, self.live, self.frames, self.fps = name, live, frames, fps
        self.dropped = 0
        self._size: tuple[int, ...] | None = None
        self._size_reported = False
        self._sameness = Sameness()
        self._sameness_told = False

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> Frame | Heartbeat:
        frame = self._read()
        if frame is None:
            self._tell_sameness()
            raise StopIteration
        if isinstance(frame, Heartbeat):
            return frame
        size = frame.pixels.shape[1::-1]
        if self._size not in (None, size) and not self._size_reported:
            self._size_reported = True
            was, now = (f"{w}x{h}" for w, h in (self._size or (), size))
            logger.warning("%s: the frames change size, from %s to %s pixels", self.name, was, now)
        self._size = size
        if self._sameness.add(frame.pixels):
            self._tell_sameness()
        if self.mask is not None:
            masked = self.mask(frame.pixels)
            # as it was decoded it shows what nothing may look at
            decoded = masked if frame.decoded is not None and isinstance(masked, Planes) else None
            return replace(frame, pixels=masked, decoded=decoded)
        return frame

    def wait(self) -> bool:
        """Wait until an item is there to be had without delay; say whether it is a picture.

        A recording has the next one at any time.
        """
        return True

    def _tell_sameness(self) -> None:
        finding = self._sameness.finding(moves=self._moves())
        if finding and not self._sameness_told:
            self._sameness_told = True
            logger.warning("%s: %s; check the lens, the light and the decoder", self.name, finding)

    def _moves(self) -> bool:
        """Say whether the source itself holds that its pictures differ from one to the next."""
        return False

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Free what the source holds. A second call does nothing."""

    @abstractmethod
    def _read(self) -> Frame | Heartbeat | None:
        """Return what comes next; None at the end and after :meth:`close`."""


def frames_of(items: Iterable[Frame | Heartbeat]) -> Iterator[Frame]:
    """Leave the heartbeats of a source out."""
    return (item for item in items if isinstance(item, Frame))
