"""The public stream itself: finds and follows faces, waits, covers, writes."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from sealshot.runtime.detect import Detector
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.public.carriers import carry
from sealshot.runtime.public.cover import Plane, Region, cover
from sealshot.runtime.public.hiding import Hiding
from sealshot.runtime.public.legs import Cuts, Legs
from sealshot.runtime.public.lookback import LookBack
from sealshot.runtime.public.message import Part, message_of, to_bytes
from sealshot.runtime.public.originals import OriginalsWriter
from sealshot.runtime.public.picture import Picture
from sealshot.runtime.public.room import Kept, Room
from sealshot.runtime.public.search import Search
from sealshot.runtime.public.writer import VideoWriter
from sealshot.runtime.track.likelihood import LikelihoodTracker
from sealshot.runtime.types import Face, Image, Track

Keep = Callable[[bytes], OriginalsWriter]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A picture that waits."""

    kept: Kept
    ticks: int
    time_s: float
    """Both as of the :class:`Picture`."""
    seen: tuple[Track, ...]
    """Who was found in it."""


Given = tuple[Picture, Callable[[], Image], Sequence[Face], bool]
"""A picture, what makes the same as a detector sees it, faces that are known in that, and whether
it is of another scene than the one before."""

SAME_IOU = 0.3
AHEAD = 2
"""Pictures that wait to be covered; each later one waits for the first of them."""


class PublicStream:
    """Takes pictures in order, and writes them covered, ``look_s`` later.

    Every face that is found begins a track: to cover what is no face costs a little of the picture,
    to leave a face out costs the person.
    """

    def __init__(
        self,
        writer: VideoWriter,
        detectors: Sequence[Detector],
        hiding: Hiding = Hiding(),
        keep: Keep | None = None,
        search_s: float = 0.0,
    ) -> None:
        """Start with no picture.

        Args:
            writer: takes what is covered.
            detectors: each looks at each picture; what any of them finds is covered.
            hiding: how.
            search_s: how often each place is looked at, see :class:`Search`; 0 looks at the whole
                of each picture.
            keep: starts to keep what is covered, given the identifier of the stream; None keeps
                nothing.
        """
        self._hiding, self._keep = hiding, keep
        self._searches = [Search(detector, search_s) for detector in detectors]
        self._cuts = Cuts()
        self._tracker = LikelihoodTracker(lost_s=hiding.look_s, sure_score=0.0)
        self._look_back: LookBack[Held] = LookBack(hiding.look_s)
        self._legs = Legs()
        self._room = Room()
        """Of the pictures that wait."""
        self._next: Given | None = None
        """Not looked at until it is known whether it is the last one of its scene."""
        self._covering = ThreadPoolExecutor(1, "covering")
        self._ahead: deque[Future[None]] = deque()
        self._is_broken = False
        self.covered = 0
        """Regions covered so far, all pictures together."""
        self._begin(writer, 0)

    def _begin(self, writer: VideoWriter, zero_ticks: int | None) -> None:
        self._writer, self._zero_ticks = writer, zero_ticks
        self.id = secrets.token_bytes(16)
        """What the stream is called in its own messages."""
        self._originals = self._keep(self.id) if self._keep else None
        self._carry = carry(self._hiding.message)
        self.pictures = 0
        """Given to this writer so far."""

    def take(self, picture: Picture, see: Callable[[], Image], known: Sequence[Face] = ()) -> None:
        """Take the next picture.

        Args:
            picture: what is written.
            see: makes the same as a detector sees it, which may have another size, when it is
                looked at: that has twice the bytes. Called once, by the thread that calls this.
            known: faces that somebody else found in that.
        """
        cut = self._cuts.is_cut(picture.planes[0])
        before, self._next = self._next, (picture, see, known, cut)
        if before is not None:
            self._look(*before, last=cut)

    def _look(
        self,
        picture: Picture,
        see: Callable[[], Image],
        known: Sequence[Face],
        cut: bool,
        *,
        last: bool,
    ) -> None:
        """Find the faces of a picture; write the pictures that have waited enough."""
        faces, image = list(known), see()
        for search in self._searches:
            found = search.find(picture.time_s, image, known, cut=cut, last=last)
            faces += [face for face in found if not _is_among(face, faces)]
        height, width = picture.planes[0].shape
        scale = np.asarray([width / image.shape[1], height / image.shape[0]], np.float32)
        scaled = [
            Face(face.box * np.tile(scale, 2), face.score, face.landmarks * scale) for face in faces
        ]
        seen = self._tracker.update(picture.time_s, scaled).seen
        self._legs.update(picture.time_s, seen, cut=cut)
        kept = self._room.keep(self._writer.fit(picture.planes))
        held = Held(kept, picture.ticks, picture.time_s, seen)
        self._write(self._look_back.add(picture.time_s, seen, held, last=last))

    def advance(self, time_s: float) -> None:
        """Take that time went on without a picture."""
        if self._next is not None:
            before, self._next = self._next, None
            self._look(*before, last=False)
        self._write(self._look_back.advance(time_s))

    def turn(self, writer: VideoWriter) -> int:
        """Go on in another file as a stream of its own; nobody is lost, and what waits goes there.

        The originals of the file before it are given out. Return how many pictures that has.
        """
        self._wait()
        if self._originals:
            self._originals.finish()
        pictures = self.pictures
        self._begin(writer, None)  # it counts its time from its own first picture
        return pictures

    def finish(self, *, whole: bool) -> None:
        """Write what waits.

        Args:
            whole: whether the source ended by itself. Where it did not, nobody knows what comes
                next, so the pictures that wait are left out.
        """
        try:
            if self._next is not None:
                self._look(*self._next, last=whole)
            if whole:
                self._write(self._look_back.flush())
            self._wait()
        finally:
            self._covering.shutdown(cancel_futures=True)
            if self._originals:
                self._originals.finish()

    def _write(self, ready: Iterable[tuple[Held, list[Region]]]) -> None:
        """Give pictures to the thread that covers: it works while the next ones are looked at."""
        for held, found in ready:
            time_s = held.time_s
            regions = [replace(one, track=self._legs.at(one.track, time_s)) for one in found]
            people = [(self._legs.at(one.id, time_s), one.face) for one in held.seen]
            self._legs.forget_before(time_s - 2 * self._hiding.look_s)
            self._wait(AHEAD - 1)
            self._ahead.append(self._covering.submit(self._cover, held, regions, people))

    def _wait(self, most: int = 0) -> None:
        """Wait until so many pictures wait to be covered at most; raise what one failed by."""
        while len(self._ahead) > most:
            self._ahead.popleft().result()

    def _cover(self, held: Held, regions: list[Region], people: list[tuple[int, Face]]) -> None:
        if self._is_broken:  # no picture is left out before one that is written
            return
        self._is_broken = True
        blank, style = self._writer.blank(), self._hiding.style
        in_place = self._hiding.message != "strip" and not self._hiding.painter
        planes = self._room.take_out(held.kept, blank.planes if in_place else None)
        parts: Sequence[Part] = ()
        if self._originals:
            parts = self._originals.take(self.pictures, held.time_s, planes, regions)
        message = message_of(self.id, self.pictures, regions, parts)
        shown: Sequence[Plane] = cover(planes, regions, style, planes if in_place else None)
        if self._hiding.painter:
            self._hiding.painter.paint(planes, shown, people)
        shown = self._carry(shown, message)
        if self._zero_ticks is None:
            self._zero_ticks = held.ticks
        self._writer.write(shown, held.ticks - self._zero_ticks, to_bytes(message), blank)
        self.pictures += 1
        self.covered += len(regions)
        self._is_broken = False


def _is_among(face: Face, faces: Sequence[Face]) -> bool:
    if not faces:
        return False
    overlap = iou(face.box[None], np.stack([other.box for other in faces]))
    return bool(overlap.max() > SAME_IOU)
