"""Pictures of one face, scaled, and shown as a public stream shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sealshot.benchmarks.data.faces import Faces, View, batches
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.detect import Detector
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.public.cover import Plane, Style, around, cover
from sealshot.runtime.public.painter import Painter
from sealshot.runtime.types import Face, Floats, Image

FACE_PX = 64
"""Width of a face where one is enough."""
BATCH = 64
SAME_IOU = 0.5

Shown = tuple[Image, Face]
"""A picture, and the face in it as it is, whatever is shown of it."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What a matcher and a detector make of some pictures."""

    embedding: Floats
    """``[n, d]``, at the landmarks of the faces as they are."""
    found: tuple[tuple[Face, ...], ...]
    """What the detector finds in each; nothing where none was asked."""
    wanted: tuple[Face, ...]
    """The face of each as it is."""

    def again(self, index: int) -> Face | None:
        """Return the face as the detector found it where it is; None where it did not."""
        there = [
            face
            for face in self.found[index]
            if iou(face.box[None], self.wanted[index].box[None]) > SAME_IOU
        ]
        return max(there, key=lambda face: face.score, default=None)

    def confidence(self) -> Floats:
        """Return how sure the detector is of each face, ``[n]``; 0 where it finds none."""
        faces = [self.again(index) for index in range(len(self.found))]
        return np.array([face.score if face else 0 for face in faces], np.float32)


def look(
    faces: Faces, matcher: Matcher, show: Callable[[int], Shown], find: Detector | None = None
) -> Looked:
    """Look at all faces as ``show`` gives them."""
    parts, found, wanted = [], [], []
    for batch in batches(len(faces), BATCH):
        aligned = []
        for index in batch:
            image, face = show(index)
            aligned.append(matcher.align(image, face.landmarks))
            found.append(tuple(find.detect(image)) if find else ())
            wanted.append(face)
        parts.append(matcher.embed(aligned))
    return Looked(np.concatenate(parts), tuple(found), tuple(wanted))


def scaled(view: View, width: int | None) -> Shown:
    """Return a face that is ``width`` pixels wide; None leaves it as it is."""
    image, face = view.image(), view.face
    if width is None:
        return image, face
    scale = np.float32(width / float(face.box[2] - face.box[0]))
    height, wide = (max(2, round(side * float(scale))) for side in image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, (wide, height), interpolation=how), np.uint8)
    return small, Face(face.box * scale, face.score, face.landmarks * scale)


def covered_image(
    image: Image, face: Face, style: Style, painter: Painter | None = None, track: int = 0
) -> Image:
    """Return a picture with one face covered, by way of its 4:2:0 planes as in a video."""
    plain = planes_of(image)
    planes = cover(plain, [around(face.box)], style)
    if painter:
        painter.paint(plain, planes, [(track, Face(face.box, 1.0, face.landmarks))])
    return image_of(planes)


def planes_of(image: Image) -> tuple[Plane, Plane, Plane]:
    """Return Y, U and V (4:2:0, BT.601) of BGR; an odd row or column is left out."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    stacked = cv2.cvtColor(np.ascontiguousarray(image[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    halves = np.asarray(stacked[height:], np.uint8).reshape(2, height // 2, width // 2)
    return np.asarray(stacked[:height], np.uint8), halves[0], halves[1]


def image_of(planes: Sequence[Plane]) -> Image:
    """Return BGR of such planes."""
    height, width = planes[0].shape
    stacked = np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)
    whole = cv2.cvtColor(stacked.astype(np.uint8), cv2.COLOR_YUV2BGR_I420)
    return np.asarray(whole, np.uint8)
