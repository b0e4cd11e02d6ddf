"""Looking for faces that a watch does not look for: small, doubtful and dark ones, without haste.

Looking back covers a face for a second before and after it is found, so that it is enough to find
it now and then:

- each place of the picture is looked at once in ``look_s``, a band of it in each frame, but not
  where a face is known already;
- every other look is at the picture with its contrast evened out (CLAHE, Zuiderveld 1994), in which
  a face in the dark is as clear as one in the light;
- where a face was found the last net asks for it again in each frame, and takes less for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sealshot.runtime.detect import Detector
from sealshot.runtime.detect.boxes import iou, square
from sealshot.runtime.detect.mtcnn import NOTHING, Found, Mtcnn, View
from sealshot.runtime.types import Face, Floats, Image

NEARLY_ALL = 0.8
"""Of a look: with so much due or more the whole picture is looked at."""
LEAST = 1e-6
"""Of a look: less is what rounding left."""
KNOWN_IOU, SAME_IOU = 0.4, 0.2
FOLLOW_SCORE = 0.3
"""Least score of a face where one is expected."""
REMEMBERED_S = 0.5
"""How long a face that is lost is still asked for."""
CONTRAST, TILES = 4.0, (8, 8)


@dataclass(frozen=True, eq=False)
class _Mine:
    """A face that was found here, and not by the watch."""

    box: Floats
    speed: Floats
    """``[2]``, pixels a second."""
    seen_s: float
    even: bool
    """Whether it was found where the contrast was evened out."""

    def expected(self, time_s: float) -> Floats:
        """Return the box where it should be."""
        moved: Floats = self.box + np.tile(self.speed, 2) * np.float32(time_s - self.seen_s)
        return moved


class Search:
    """Finds faces in the frames of one source with one detector, beside what is known of them."""

    def __init__(self, detector: Detector, look_s: float) -> None:
        """Start with no frame seen.

        Args:
            detector: all this is for MTCNN; any other looks at the whole of each frame.
            look_s: how often each place is looked at; 0 looks at the whole of each frame.
        """
        self._detector, self._look_s = detector, look_s
        self._at_s, self._size = -np.inf, (0, 0)
        self._looked, self._even = 0.0, False
        self._mine: list[_Mine] = []

    def find(self, time_s: float, image: Image, known: Sequence[Face], *, cut: bool) -> list[Face]:
        """Return faces of the next frame that are not known.

        Args:
            time_s: when, in seconds; later than the last frame.
            image: ``uint8 [h, w, 3]``, BGR.
            known: faces that are known; they may be found all the same.
            cut: whether the frame shows another scene than the one before.
        """
        net = self._detector
        if not isinstance(net, Mtcnn):
            return net.detect(image)
        there = _boxes([face.box for face in known])
        mine = [] if cut else [m for m in self._mine if time_s - m.seen_s <= REMEMBERED_S]
        views = _Views(net, image)
        found = self._look(views, time_s, there, cut)
        found += [(even, _follow(views, even, mine, time_s, there)) for even in (False, True)]
        now: list[_Mine] = []
        faces = []
        for even in (False, True):
            for face in net.merge(Found.join([NOTHING, *(f for e, f in found if e == even)])):
                if iou(face.box[None], _boxes([m.box for m in now])).max(initial=0) >= KNOWN_IOU:
                    continue
                before = _same(face, mine)
                now.append(_Mine(face.box, _speed(face, before, time_s), time_s, even))
                faces.append(face)
        self._mine = now + [m for m in mine if _is_lost(m, now)]
        return faces

    def _look(
        self, views: _Views, time_s: float, there: Floats, cut: bool
    ) -> list[tuple[bool, Found]]:
        """Return what is found in the band that is due, and whether its contrast was evened out."""
        passed = (time_s - self._at_s) / self._look_s if self._look_s else 1.0
        whole = passed > NEARLY_ALL or cut or views.size != self._size
        self._at_s, self._size = time_s, views.size
        start, left, parts = self._looked, passed, []
        if whole:
            start, left = 0.0, 1.0
        while left > LEAST:
            end = min(start + left, 1.0)
            parts.append((self._even, _band(views, self._even, there, start, end)))
            left -= end - start
            self._even ^= end == 1
            start = end % 1
        self._looked = start
        return parts


class _Views:
    """One frame, as it is and with its contrast evened out."""

    def __init__(self, net: Mtcnn, image: Image) -> None:
        self.net, self._image, self.size = net, image, image.shape[:2]
        self._views: dict[bool, View] = {}

    def of(self, even: bool) -> View:
        if even not in self._views:
            self._views[even] = self.net.open(_evened(self._image) if even else self._image)
        return self._views[even]


def _band(views: _Views, even: bool, there: Floats, start: float, end: float) -> Found:
    """Look at a band of a frame, but not where faces are known."""
    net, view = views.net, views.of(even)
    proposed = net.propose(view, start, end)
    elsewhere = iou(proposed, there).max(axis=1, initial=0) < KNOWN_IOU
    found = net.judge(view, net.refine(view, proposed[elsewhere]))
    return found.over(net.settings.thresholds[2])


def _follow(
    views: _Views, even: bool, mine: Sequence[_Mine], time_s: float, there: Floats
) -> Found:
    """Ask for the faces again that were found where the contrast was, or was not, evened out."""
    expected = _boxes([m.expected(time_s) for m in mine if m.even == even])
    expected = expected[iou(expected, there).max(axis=1, initial=0) < KNOWN_IOU]
    if not len(expected):
        return NOTHING
    return views.net.judge(views.of(even), square(expected)).over(FOLLOW_SCORE)


def _evened(image: Image) -> Image:
    shown = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    shown[..., 0] = cv2.createCLAHE(CONTRAST, TILES).apply(shown[..., 0])
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_YUV2BGR), np.uint8)


def _same(face: Face, mine: Sequence[_Mine]) -> _Mine | None:
    overlap = iou(face.box[None], _boxes([m.box for m in mine]))[0]
    best = int(overlap.argmax()) if len(mine) else -1
    return mine[best] if best >= 0 and overlap[best] > SAME_IOU else None


def _is_lost(one: _Mine, now: Sequence[_Mine]) -> bool:
    return bool(iou(one.box[None], _boxes([m.box for m in now])).max(initial=0) <= SAME_IOU)


def _speed(face: Face, before: _Mine | None, time_s: float) -> Floats:
    """Return the speed of the centre: half of it that of the last step."""
    if before is None:
        return np.zeros(2, np.float32)
    moved = (face.box - before.box) / np.float32(time_s - before.seen_s)
    return np.asarray(((moved[:2] + moved[2:]) / 2 + before.speed) / 2, np.float32)


def _boxes(boxes: Sequence[Floats]) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
