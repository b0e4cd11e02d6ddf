"""Finding faces in the frames of one source without looking everywhere in every frame.

To look for faces costs much; to see whether a face is still where it is expected costs little. So
between two frames that are near in time

- the P-net, as a rule behind a smaller network, looks at the part of the picture that is due: a
  band of each level of the pyramid, such that every place is looked at once in ``LOOK_EVERY_S``, if
  it changed since it was last;
- each known face goes to the O-net as the box where it should be by its last two places, and once
  more where the O-net is not sure, a little smaller, or saw it at the side of that box;
- where the O-net doubts a new face, the P-net looks closely at that place at once: a quick look
  gives the O-net one window for several, and what it says hangs on the window;
- where more than half of the known faces are lost at once, the whole picture is looked at again;
- after a cut the whole picture is looked at, quickly, and closely in the frames after it.

Time between frames decides, not their number: of a source that gives a frame every
``LOOK_EVERY_S`` or less often every frame is looked at closely, wherever something changed and once
a second everywhere, and a known face that such a look misses goes to the O-net all the same.
What is found depends on the frames and their times alone, not on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import iou, nested, scaled, square
from sealshot.runtime.detect.changes import Changes, Grey, Places, shrunk
from sealshot.runtime.detect.mtcnn import ONET_OVERLAP, Found, Mtcnn, View
from sealshot.runtime.detect.pyramid import NOWHERE, Spots
from sealshot.runtime.types import Face, Floats, Pixels

LOOK_EVERY_S = 0.12
"""Who is in view for 0.3 s is seen for what makes a person, see ``Settings.min_seen_s``."""
NEARLY_ALL = 0.8
"""Of a look: with so much due or more the whole picture is looked at."""
WHOLE_LOOK_EVERY = 8
"""Of so many looks at a place one is close, and takes also what did not change; the others are
quick ones: the P-net looks at what a smaller network sends on."""
CELLS_A_FACE = 3
"""Side of the smallest face, in cells in which changes are told."""
SURE_SCORE = 0.9
"""Of the O-net: below it a known face is looked at again, and so is what lies in it or around."""
AGAIN = 0.85
"""Size of the window for that, over the size of the face."""
DOUBTED_SCORE = 0.5
"""Of the O-net: a new face between it and what makes a face is doubted."""
BESIDE = 0.15
"""Of its width: a face that lies further from where it should be is looked at again there."""
REMEMBERED_S = 0.16
"""How long a lost face is still looked for where it would be."""
FOLLOWED_S = 0.3
"""Between frames further apart nobody knows where a face that moves would be."""
GIST = 32, 18
CUT_LEVELS = 18.0
"""Mean difference of two frames shrunk to ``GIST`` that is a cut: they are above 25, crowds at 5
and people who fill the picture at 12."""
SAME_IOU, MOVED_IOU = 0.4, 0.2
NOBODY = np.empty((0, 4), np.float32)


@dataclass(frozen=True, eq=False)
class _Known:
    """A face that was found."""

    box: Floats
    """``[4]``"""
    speed: Floats
    """``[2]``, pixels a second."""
    seen_s: float


@dataclass(frozen=True, eq=False)
class _Looked:
    """What a look at a frame gave."""

    proposed: Floats
    """The P-net's boxes, ``[n, 4]``."""
    glimpsed: Spots
    """Where it is to look yet."""
    changed: Places
    """Since the last frame; everywhere where there is none, or nothing is where it was."""
    everywhere: bool
    """Whether all was looked at that may show somebody new."""
    cut: bool
    """Whether nothing is where it was."""


class Glances:
    """Finds faces with MTCNN in the frames of one source."""

    def __init__(self, net: Mtcnn) -> None:
        """Start with no frame seen."""
        self._net = net
        self._at_s = -np.inf
        self._everywhere = False  # whether the last frame was looked at so, and closely
        self._size: tuple[int, ...] = ()
        self._gist: Floats | None = None
        self._changes: Changes | None = None
        self._looked = 0.0  # how often all places were looked at: 2.3 is twice, and 0.3 of them
        self._known: list[_Known] = []
        self._last_s = -np.inf

    def look(self, time_s: float, image: Pixels) -> Callable[[], list[Face]]:
        """Start on a frame; see :meth:`sealshot.runtime.detect.Finder.look`."""
        view = self._net.open(image)
        passed = (time_s - self._at_s) / LOOK_EVERY_S
        width, height = view.size.tolist()
        cells = shrunk(view.sampler, width, height, self._net.min_face_px / CELLS_A_FACE)
        gist = cv2.resize(cells, GIST, interpolation=cv2.INTER_AREA).astype(np.float32)
        cut = (
            self._gist is None
            or image.shape != self._size
            or np.abs(gist - self._gist).mean() > CUT_LEVELS
        )
        self._at_s, self._size, self._gist = time_s, image.shape, gist
        looked = self._take(view, cells, passed, cut)
        return lambda: self._find(time_s, view, looked)

    def _take(self, view: View, cells: Grey, passed: float, cut: bool) -> _Looked:
        """Look at what is due of a frame, ``passed`` looks after the one before it."""
        net, slow = self._net, passed > NEARLY_ALL
        start, end = self._looked, self._looked + passed
        if self._changes is None or cut or (slow and end >= WHOLE_LOOK_EVERY):
            # what is looked at quickly now is looked at closely next
            self._changes, self._looked, self._everywhere = Changes(cells, 0.0), float(slow), slow
            proposed = net.propose(view) if slow else NOBODY
            glimpsed = NOWHERE if slow else net.glimpse(view)
            return _Looked(proposed, glimpsed, self._changes.after(-1.0), True, cut)
        # the place that was looked at longest ago was so then
        since = start - (not self._everywhere)
        self._looked, self._everywhere = end, slow
        self._changes.add(cells, at=end)
        changed = self._changes.after(start)
        if slow:
            proposed = net.propose(view, where=self._changes.after(since))
            return _Looked(proposed, NOWHERE, changed, True, cut)
        boxes, spots = [NOBODY], [NOWHERE]
        for part in due(start, end):
            if part.since is None:
                boxes.append(net.propose(view, part.first, part.last))
            else:
                where = self._changes.after(part.since)
                spots.append(net.glimpse(view, part.first, part.last, where=where))
        return _Looked(np.concatenate(boxes), Spots.join(spots), changed, False, cut)

    def _find(self, time_s: float, view: View, looked: _Looked) -> list[Face]:
        """Find the faces of a frame among the P-net's boxes and where known faces should be."""
        known = [] if looked.cut else self._known
        expected = _expected(known, time_s)
        there = np.array([one.seen_s == self._last_s for one in known], bool)
        if looked.everywhere:
            found = self._look(view, looked, expected)
        else:
            found = self._follow(view, looked, expected, there)
        faces = self._net.merge(found)
        self._remember(time_s, known, expected, faces)
        return faces

    def _look(self, view: View, looked: _Looked, expected: Floats) -> Found:
        """Find the faces of a whole look, and where it missed a known one, that one."""
        least = self._net.settings.thresholds[2]
        proposed = np.concatenate([looked.proposed, self._net.closer(view, looked.glimpsed)])
        found = self._new(view, looked, proposed).over(least)
        missed = expected[iou(expected, found.boxes).max(axis=1, initial=0) < MOVED_IOU]
        return Found.join([found, self._net.judge(view, square(missed)).over(least)])

    def _follow(self, view: View, looked: _Looked, expected: Floats, there: Places) -> Found:
        """Find known faces where they should be, and new ones elsewhere."""
        net, least = self._net, self._net.settings.thresholds[2]
        followed = self._centred(view, net.judge(view, square(expected)), expected)
        held = followed.score > least
        sure = followed.boxes[followed.score >= SURE_SCORE]
        if 2 * (there & ~held).sum() > there.sum():
            proposed = net.propose(view, where=looked.changed)
        else:
            closer = net.closer(view, looked.glimpsed.of(_beside(looked.glimpsed.boxes, sure)))
            proposed = np.concatenate([looked.proposed, closer])
        unsure = expected[there & (followed.score < SURE_SCORE)]
        again = square(scaled(unsure, AGAIN))
        new = self._new(view, looked, proposed, followed.boxes[held], sure, again)
        return Found.join([followed, new]).over(least)

    def _new(
        self,
        view: View,
        looked: _Looked,
        proposed: Floats,
        held: Floats = NOBODY,
        sure: Floats = NOBODY,
        again: Floats = NOBODY,
    ) -> Found:
        """Find new faces at boxes of the P-net, and closely where a quick look gave a doubted one.

        Args:
            view: the picture.
            looked: what gave the boxes.
            proposed: the boxes.
            held: faces that were found already.
            sure: those of them around which nobody else is looked for.
            again: windows for the O-net beside those of the boxes.
        """
        net, least = self._net, self._net.settings.thresholds[2]
        boxes = self._refined(view, proposed, held, sure)
        found = net.judge(view, np.concatenate([again, boxes]))
        doubted = (found.score > DOUBTED_SCORE) & (found.score <= least)
        doubted[: len(again)] = False
        if not (doubted.any() and len(looked.glimpsed)):
            return found
        held = np.concatenate([held, found.over(least).boxes])
        places = found.boxes[doubted]
        places = places[iou(places, held).max(axis=1, initial=0) < SAME_IOU]
        closely = net.propose(view, where=_middles(places, view.size, looked.changed.shape))
        more = self._refined(view, closely, held, sure)
        return Found.join([found, net.judge(view, more)])

    def _refined(self, view: View, proposed: Floats, held: Floats, sure: Floats) -> Floats:
        """R-net: the boxes that may be faces other than those, moved and squared [n, 4]."""
        elsewhere = iou(proposed, held).max(axis=1, initial=0) < SAME_IOU
        new = self._net.refine(view, proposed[elsewhere & _beside(proposed, sure)])
        return new[_beside(new, sure)]

    def _centred(self, view: View, found: Found, expected: Floats) -> Found:
        """Look again, as the box that was found, at faces that lie beside where they should be.

        The O-net tells the box of a face at the side of its window well enough, but may tell
        landmarks of another one: a profile was seen to have those of a face to the camera.
        """
        way = (found.boxes[:, :2] + found.boxes[:, 2:] - expected[:, :2] - expected[:, 2:]) / 2
        beside = np.abs(way).max(axis=1) > BESIDE * (expected[:, 2] - expected[:, 0])
        (at,) = np.nonzero(beside & (found.score > self._net.settings.thresholds[2]))
        if not len(at):
            return found
        again = self._net.judge(view, square(found.boxes[at]))
        surer = again.score > found.score[at]
        found.boxes[at[surer]] = again.boxes[surer]
        found.score[at[surer]] = again.score[surer]
        found.points[at[surer]] = again.points[surer]
        return found

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


def _beside(boxes: Floats, sure: Floats) -> Places:
    """Tell which boxes are not in a sure face or around it, for which they would be left out."""
    beside: Places = nested(boxes, sure).max(axis=1, initial=0) <= ONET_OVERLAP
    return beside


def _middles(boxes: Floats, size: NDArray[np.int64], shape: tuple[int, ...]) -> Places:
    """Return the places, of so many rows and columns, in which the middles of boxes are."""
    places = np.zeros(shape, bool)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / size * np.asarray(shape[::-1])
    columns, rows = middles.astype(np.intp).clip(0, np.asarray(shape[::-1]) - 1).T
    places[rows, columns] = True
    return places


def _expected(known: Sequence[_Known], time_s: float) -> Floats:
    """Return the boxes where faces should be at that time, ``[n, 4]``."""
    passed_s = np.array([time_s - one.seen_s for one in known])
    passed_s[passed_s > FOLLOWED_S] = 0
    speed = np.array([one.speed for one in known], np.float32).reshape(-1, 2)
    way = speed * passed_s.astype(np.float32)[:, None]
    boxes: Floats = _boxes([one.box for one in known]) + np.concatenate([way, way], axis=1)
    return boxes


def _speed(known: _Known, box: Floats, time_s: float) -> Floats:
    """Return the speed of the centre: half of it that of the last step, if there was one before."""
    moved = (box - known.box) / np.float32(time_s - known.seen_s)
    speed: Floats = (moved[:2] + moved[2:]) / np.float32(2)
    if known.speed.any():
        speed = (speed + known.speed) / np.float32(2)
    return speed


def _boxes(boxes: Sequence[Floats]) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
