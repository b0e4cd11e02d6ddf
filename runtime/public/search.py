"""Looking for faces that a watch does not look for: small, doubtful and dark ones, without haste.

Looking back covers a face for a second before and after it is found, so that it is enough to find
it now and then:

- each place of the picture is looked at once in ``look_s``, a band of it at a time, but not where a
  face is known already;
- the first and the last picture of a scene are looked at twice, as nothing before or after could
  help;
- what is dark is looked at every other time with its contrast evened out (CLAHE, Zuiderveld 1994),
  in which a face in the dark is as clear as one in the light; what is light loses by it, and is
  looked at as it is each time;
- a band that is looked at is asked again for who should be in it, and takes less for an answer;
- who was found, here or by the watch, and is not found now is followed for a while by what he
  looked like (:mod:`sealshot.runtime.public.likeness`), which costs next to nothing;
- so is what was doubted, and asked for in each picture: who is in profile or half hidden is clear
  in a few pictures only, which a look may miss, and what is no face stays as little of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from sealshot.runtime.detect import Detector
from sealshot.runtime.detect.boxes import iou, square
from sealshot.runtime.detect.changes import MOST, Places, shrunk
from sealshot.runtime.detect.mtcnn import Found, Mtcnn, View
from sealshot.runtime.planes import strips
from sealshot.runtime.public.likeness import Likeness
from sealshot.runtime.public.room import Spare
from sealshot.runtime.types import Face, Floats, Image

GLANCE_S = 0.12
"""Least time from one band to the next: to open a picture costs much beside a thin band of it."""
NEARLY_ALL = 0.8
"""Of a look: with so much due or more the whole picture is looked at."""
LEAST = 1e-6
"""Of a look: less is what rounding left."""
KNOWN_IOU, SAME_IOU = 0.4, 0.2
EXPECTED_SCORE = 0.3
"""Least score of a face where one is expected."""
DOUBT, DOUBTED_SCORE = 0.15, 0.7
"""Least score of what is doubted, and of what was doubted to be a face."""
SMALLER = 0.75
"""Box of what was doubted, in which it is asked for too: the first one is often too large."""
FOLLOWED_S = 0.4
"""How long a face is followed by its likeness after a net has found it."""
CONTRAST, TILES = 4.0, 8
"""Of the evening out: its limit, and tiles from one side of a picture to the other."""
DARK_LEVELS, COLUMNS = 50, 64
"""Mean luma below which a place is dark, and places from one side of a picture to the other."""

Look: TypeAlias = "tuple[View, Places | None]"
"""A picture, and where it is looked at; None: everywhere."""


@dataclass(frozen=True, eq=False)
class _Known:
    """A face, where it was last."""

    face: Face
    speed: Floats
    """``[2]``, pixels a second."""
    at_s: float
    found_s: float
    """When a net found it last."""
    likeness: Likeness
    sure: bool = True
    """Or it was doubted, and not found since."""

    def expected(self, time_s: float) -> Floats:
        """Return the box where it should be."""
        moved = self.speed * np.float32(time_s - self.at_s)
        return np.asarray(self.face.box + np.concatenate((moved, moved)), np.float32)


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
        self._known: list[_Known] = []
        self._spare = Spare()

    def find(
        self,
        time_s: float,
        image: Image,
        known: Sequence[Face],
        *,
        cut: bool,
        last: bool = False,
    ) -> list[Face]:
        """Return faces of the next frame that are not known.

        Args:
            time_s: when, in seconds; later than the last frame.
            image: ``uint8 [h, w, 3]``, BGR.
            known: faces that are known; they may be found all the same.
            cut: whether the frame shows another scene than the one before.
            last: whether it is the last one of its scene: in none after it more can be found.
        """
        net = self._detector
        if not isinstance(net, Mtcnn):
            return net.detect(image)
        new = cut or image.shape[:2] != self._size
        self._size = image.shape[:2]
        before = [k for k in self._known if not new and time_s - k.found_s <= FOLLOWED_S]
        expected = _boxes([k.expected(time_s) for k in before])
        there = _boxes([face.box for face in known])
        away = iou(expected, there).max(axis=1, initial=0) < KNOWN_IOU
        sure = np.array([k.sure for k in before], bool)
        plain = net.open(image)
        again = net.judge(plain, _nested(expected[away & ~sure])).over(DOUBTED_SCORE)
        seen, doubted = self._look(
            net, time_s, image, plain, there, expected[away & sure], twice=new or last
        )
        found = [*net.merge(again), *seen]
        found = [face for face in found if _is_apart(face.box, there, KNOWN_IOU)]
        now = []
        for face in (*known, *found):
            overlap = iou(face.box[None], expected)[0]
            same = overlap.max(initial=0) > SAME_IOU
            speed = _speed(face, before[int(overlap.argmax())] if same else None, time_s)
            now.append(_Known(face, speed, time_s, time_s, Likeness(image, face.box)))
        boxes = _boxes([k.face.box for k in now])
        for one, box in zip(before, expected, strict=True):
            moved = one.likeness.find(image, box) if _is_apart(box, boxes, SAME_IOU) else None
            if moved is not None and _is_apart(moved, boxes, SAME_IOU):
                points = one.face.landmarks + (moved - one.face.box)[:2]
                face = Face(moved, one.face.score, points)
                speed = _speed(face, one, time_s)
                now.append(_Known(face, speed, time_s, one.found_s, one.likeness, one.sure))
        boxes, still = _boxes([k.face.box for k in now]), np.zeros(2, np.float32)
        for face in doubted:
            if _is_apart(face.box, boxes, SAME_IOU):
                likeness = Likeness(image, face.box)
                now.append(_Known(face, still, time_s, time_s, likeness, sure=False))
        self._known = now
        return [k.face for k in now[len(known) :] if k.sure]

    def _look(
        self,
        net: Mtcnn,
        time_s: float,
        image: Image,
        plain: View,
        there: Floats,
        expected: Floats,
        *,
        twice: bool,
    ) -> tuple[list[Face], list[Face]]:
        """Return the faces in what is due, or in both looks at all of it, and what is doubted."""
        since_s = time_s - self._at_s
        if self._look_s and since_s < GLANCE_S - LEAST and not twice:
            return [], []
        self._at_s = time_s
        start, left = self._looked, since_s / self._look_s if self._look_s else 1.0
        if twice or left > NEARLY_ALL:
            start, left = 0.0, 2.0 if twice else 1.0
        middle = (expected[:, 1] + expected[:, 3]) / 2 / len(image)
        looks_at: dict[bool, list[Look]] = {False: [(plain, None)]}
        faces, doubted = list[Face](), list[Face]()
        while left > LEAST:
            end = min(start + left, 1.0)
            if self._even not in looks_at:
                looks_at[True] = _lit(net, image, plain, self._spare)
            looks = looks_at[self._even]
            found = Found.join([_band(net, *look, there, start, end) for look in looks])
            asked = expected[(start <= middle) & (middle < end)]
            again = net.judge(looks[0][0], square(asked)).over(EXPECTED_SCORE)
            faces += net.merge(Found.join([found.over(net.settings.thresholds[2]), again]))
            doubted += net.merge(found.over(DOUBT))
            left -= end - start
            self._even ^= end == 1
            start = end % 1
        self._looked = start
        return faces, doubted


def _band(
    net: Mtcnn, view: View, where: Places | None, there: Floats, start: float, end: float
) -> Found:
    """Look at a band of a frame, or at some places of it, but not where faces are known."""
    proposed = net.propose(view, start, end, where=where)
    elsewhere = iou(proposed, there).max(axis=1, initial=0) < KNOWN_IOU
    return net.judge(view, net.refine(view, proposed[elsewhere]))


def _nested(boxes: Floats) -> Floats:
    """Return windows around boxes, and smaller ones within them."""
    whole = square(boxes)
    inset = (whole[:, 2:] - whole[:, :2]) * np.float32((1 - SMALLER) / 2)
    smaller = whole + np.concatenate([inset, -inset], axis=1)
    return np.concatenate([whole, smaller])


def _lit(net: Mtcnn, image: Image, plain: View, spare: Spare) -> list[Look]:
    """Return what a look is at that evens out what is dark: a picture and its dark places.

    Where most of it is dark all of it is evened out, and it is not looked at as it is. That one is
    in memory of ``spare``.
    """
    width, height = plain.size.tolist()
    cells = shrunk(plain.sampler, width, height, width / COLUMNS)
    dark: Places = np.asarray(cv2.blur(cells, (3, 3)) < DARK_LEVELS)
    if not dark.any():
        return [(plain, None)]
    if dark.mean() < MOST:
        return [(plain, None), (net.open(_evened(image, dark, spare.of(image.shape))), dark)]
    return [(net.open(_evened(image, np.ones_like(dark), spare.of(image.shape))), None)]


def _evened(image: Image, dark: Places, into: Image) -> Image:
    """Return a picture with the contrast evened out around its dark places; they look the same as
    if all of it were."""
    if image.shape[0] % TILES or image.shape[1] % TILES:  # tiles would be of another size
        dark = np.ones_like(dark)
    (rows, down), (columns, across) = (_tiles(dark, axis, image.shape[axis]) for axis in (0, 1))
    into[:] = image
    part = into[rows, columns]
    luma, cuts = np.empty(part.shape[:2], np.uint8), list(strips(*part.shape[:2]))
    for strip in cuts:
        cv2.extractChannel(cv2.cvtColor(part[strip], cv2.COLOR_BGR2YUV), 0, luma[strip])
    cv2.createCLAHE(CONTRAST, (across, down)).apply(luma, luma)
    for strip in cuts:  # to convert once more costs less than to hold all of it
        shown = cv2.cvtColor(part[strip], cv2.COLOR_BGR2YUV)
        cv2.insertChannel(luma[strip], shown, 0)
        cv2.cvtColor(shown, cv2.COLOR_YUV2BGR, part[strip])
    return into


def _tiles(dark: Places, axis: int, size: int) -> tuple[slice, int]:
    """Return pixels around what is dark along an axis of ``size`` pixels, and how many tiles.

    There is a tile more on each side, as the contrast of each goes over into the next.
    """
    at, cells = np.flatnonzero(dark.any(axis=1 - axis)).tolist(), dark.shape[axis]
    first, last = at[0] * TILES // cells - 1, -(-(at[-1] + 1) * TILES // cells) + 1
    first, last = max(first, 0), min(last, TILES)
    return slice(first * size // TILES, last * size // TILES), last - first


def _is_apart(box: Floats, others: Floats, least: float) -> bool:
    return bool(iou(box[None], others).max(initial=0) < least)


def _speed(face: Face, before: _Known | None, time_s: float) -> Floats:
    """Return the speed of the centre: half of it that of the last step."""
    if before is None:
        return np.zeros(2, np.float32)
    moved = (face.box - before.face.box) / np.float32(time_s - before.at_s)
    return np.asarray(((moved[:2] + moved[2:]) / 2 + before.speed) / 2, np.float32)


def _boxes(boxes: Sequence[Floats]) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
