"""Finding faces in the frames of one source without looking everywhere in every frame.

To look for faces costs much; to see whether a face is still where it is expected costs little. So
between two frames that are near in time

- the P-net, as a rule behind a smaller network, looks at the part of the picture that is due: a
  band of each level of the pyramid, such that every place is looked at once in ``LOOK_EVERY_S``, if
  it changed since it was last;
- each known face goes to the O-net as the box where it should be by its last two places, and once
  more, a little smaller, where the O-net is not sure;
- where more than half of the known faces are lost at once, the whole picture is looked at again.

Time between frames decides, not their number: of a source that gives a frame every
``LOOK_EVERY_S`` or less often every frame is looked at closely, wherever something changed and once
a second everywhere, and a known face that such a look misses goes to the O-net all the same.
What is found depends on the frames and their times alone, not on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sealshot.runtime.detect.boxes import iou, nested, scaled, square
from sealshot.runtime.detect.changes import Changes, Places, shrunk
from sealshot.runtime.detect.mtcnn import FAST, ONET_OVERLAP, Found, Mtcnn, View
from sealshot.runtime.types import Face, Floats, Image

LOOK_EVERY_S = 0.12
"""Who is in view for 0.3 s is seen for what makes a person, see ``Settings.min_seen_s``."""
NEARLY_ALL = 0.8
"""Of a look: with so much due or more the whole picture is looked at."""
WHOLE_LOOK_EVERY = 8
"""Of so many looks at a place one is as the detector's settings say, and takes also what did not
change; the others are quick ones."""
CELLS_A_FACE = 3
"""Side of the smallest face, in cells in which changes are told."""
QUICK = replace(FAST, thresholds=(0.85, 0.7, 0.7), glimpse=0.5)
"""The P-net looks at what a smaller network sends on, and proposes the clear third, in which nearly
all faces are."""
SURE_SCORE = 0.9
"""Of the O-net: below it a known face is looked at again, and so is what lies in it or around."""
AGAIN = 0.85
"""Size of the window for that, over the size of the face."""
REMEMBERED_S = 0.16
"""How long a lost face is still looked for where it would be."""
FOLLOWED_S = 0.3
"""Between frames further apart nobody knows where a face would be."""
GIST = 32, 18
CUT_LEVELS = 18.0
"""Mean difference of two frames shrunk to ``GIST`` that is a cut: they are above 25, crowds at 5
and people who fill the picture at 12."""
SAME_IOU, MOVED_IOU = 0.4, 0.2


@dataclass(frozen=True, eq=False)
class _Known:
    """A face that was found."""

    box: Floats
    """``[4]``"""
    speed: Floats
    """``[2]``, pixels a second."""
    seen_s: float

    def at(self, time_s: float) -> Floats:
        """Return the box where it should be at that time, ``[4]``."""
        way = self.speed * np.float32(time_s - self.seen_s)
        box: Floats = self.box + np.concatenate([way, way])
        return box


class Glances:
    """Finds faces with MTCNN in the frames of one source."""

    def __init__(self, net: Mtcnn) -> None:
        """Start with no frame seen."""
        self._net = net
        self._at_s = -np.inf
        self._everywhere = False  # whether the last frame was looked at so
        self._size: tuple[int, ...] = ()
        self._gist: Floats | None = None
        self._changes: Changes | None = None
        self._looked = 0.0  # how often all places were looked at: 2.3 is twice, and 0.3 of them
        self._known: list[_Known] = []
        self._last_s = -np.inf

    def look(self, time_s: float, image: Image) -> Callable[[], list[Face]]:
        """Start on a frame; see :meth:`sealshot.runtime.detect.Finder.look`."""
        view = self._net.open(image)
        passed = (time_s - self._at_s) / LOOK_EVERY_S
        width, height = view.size.tolist()
        cells = shrunk(view.sampler, width, height, self._net.min_face_px / CELLS_A_FACE)
        gist = cv2.resize(cells, GIST, interpolation=cv2.INTER_AREA).astype(np.float32)
        cut = self._gist is None or np.abs(gist - self._gist).mean() > CUT_LEVELS
        other = cut or image.shape != self._size or time_s - self._at_s > FOLLOWED_S
        everywhere = passed > NEARLY_ALL or other
        self._at_s, self._size, self._gist = time_s, image.shape, gist
        start, end = self._looked, self._looked + passed
        # the place that was looked at longest ago was so then
        since, self._everywhere = start - (not self._everywhere), everywhere
        if self._changes is None or other or (everywhere and end >= WHOLE_LOOK_EVERY):
            self._looked, self._changes = 0.0, Changes(cells, at=0.0)
            boxes = self._net.propose(view)
            changed = self._changes.after(-1.0)
        else:
            self._looked = end
            self._changes.add(cells, at=end)
            changed = self._changes.after(start)
            if everywhere:
                boxes = self._net.propose(view, where=self._changes.after(since))
            else:
                parts = due(start, end)
                boxes = np.concatenate([self._take(view, part) for part in parts])
        return lambda: self._find(time_s, view, boxes, changed, everywhere, other)

    def _take(self, view: View, part: Part) -> Floats:
        """Take a part of a look: the P-net's boxes."""
        assert self._changes is not None
        if part.since is None:
            return self._net.propose(view, part.first, part.last)
        where = self._changes.after(part.since)
        return self._net.propose(view, part.first, part.last, where=where, settings=QUICK)

    def _find(
        self,
        time_s: float,
        view: View,
        proposed: Floats,
        changed: Places,
        everywhere: bool,
        other: bool,
    ) -> list[Face]:
        """Find the faces of a frame among the P-net's boxes and where known faces should be."""
        known = [] if other else self._known
        expected = _boxes([one.at(time_s) for one in known])
        there = np.array([one.seen_s == self._last_s for one in known], bool)
        if everywhere:
            found = self._look(view, proposed, expected)
        else:
            found = self._follow(view, proposed, changed, expected, there)
        faces = self._net.merge(found)
        self._remember(time_s, known, expected, faces)
        return faces

    def _look(self, view: View, proposed: Floats, expected: Floats) -> Found:
        """Find the faces of a whole look, and where it missed a known one, that one."""
        least = self._net.settings.thresholds[2]
        found = self._net.judge(view, self._net.refine(view, proposed)).over(least)
        missed = expected[iou(expected, found.boxes).max(axis=1, initial=0) < MOVED_IOU]
        return Found.join([found, self._net.judge(view, square(missed)).over(least)])

    def _follow(
        self, view: View, proposed: Floats, changed: Places, expected: Floats, there: Places
    ) -> Found:
        """Find known faces where they should be, and new ones elsewhere."""
        followed = self._net.judge(view, square(expected))
        least = self._net.settings.thresholds[2]
        held = followed.score > least
        if 2 * (there & ~held).sum() > there.sum():
            proposed = self._net.propose(view, where=changed)
        unsure = expected[there & (followed.score < SURE_SCORE)]
        again = square(scaled(unsure, AGAIN))
        elsewhere = iou(proposed, followed.boxes[held]).max(axis=1, initial=0) < SAME_IOU
        sure = followed.boxes[followed.score >= SURE_SCORE]
        new = self._net.refine(view, _beside(proposed[elsewhere], sure))
        judged = self._net.judge(view, np.concatenate([again, _beside(new, sure)]))
        found = Found.join([followed, judged])
        return found.over(least)

    def _remember(
        self, time_s: float, known: Sequence[_Known], expected: Floats, faces: Sequence[Face]
    ) -> None:
        found = _boxes([face.box for face in faces])
        overlap = iou(found, expected)
        left = np.ones(len(known), bool)
        self._known = []
        for face, row in zip(faces, overlap, strict=True):
            speed = np.zeros(2, np.float32)
            best = int(np.argmax(row * left)) if len(known) else -1
            if best >= 0 and left[best] and row[best] > MOVED_IOU:
                speed = _speed(known[best], face.box, time_s)
                left[best] = False
            self._known.append(_Known(face.box, speed, time_s))
        left &= overlap.max(axis=0, initial=0) < MOVED_IOU
        self._known += [
            one
            for one, lost in zip(known, left, strict=True)
            if lost and time_s - one.seen_s < REMEMBERED_S
        ]
        self._last_s = time_s


@dataclass(frozen=True)
class Part:
    """A part of a look at a picture: all rows from ``first`` to ``last``, as shares."""

    first: float
    last: float
    since: float | None
    """Only what changed later than this is looked at, and quickly, counted in looks: when the last
    look came to the first of these rows. None: all of it, closely."""


def due(start: float, end: float) -> list[Part]:
    """Cut a stretch of looks, which follow a look at everything at 0, into parts of one each."""
    parts = []
    while start < end:
        number = int(start)
        stop = min(end, number + 1)
        since = start - 1 if number % WHOLE_LOOK_EVERY else None
        parts.append(Part(start - number, stop - number, since))
        start = stop
    return parts


def _beside(boxes: Floats, sure: Floats) -> Floats:
    """Leave out what lies in a sure face or around it, for which it would be left out anyhow."""
    beside: Floats = boxes[nested(boxes, sure).max(axis=1, initial=0) <= ONET_OVERLAP]
    return beside


def _speed(known: _Known, box: Floats, time_s: float) -> Floats:
    """Return the speed of the centre: half of it that of the last step, if there was one before."""
    moved = (box - known.box) / np.float32(time_s - known.seen_s)
    speed: Floats = (moved[:2] + moved[2:]) / np.float32(2)
    if known.speed.any():
        speed = (speed + known.speed) / np.float32(2)
    return speed


def _boxes(boxes: Sequence[Floats]) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
