"""Where a face lies: the similarity that puts its landmarks where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from sealshot.runtime.planes import Planes, warp
from sealshot.runtime.types import Floats, Pixels

UPRIGHT = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.43, 1.05], [0.43, 1.05]])
"""Landmarks of a face that is upright, in units of the way between its eyes, from their middle: the
mean of faces."""
EYES_APART_PX = 32
"""In what the network of the eyes sees."""
EYE_PX = (24, 32)
"""Rows and columns of one eye: from the brow to below the lids, and from the nose to the temple."""
FINEST = 8
"""Times in each direction that a pixel is sampled at most, where the face is larger."""


def similarity(source: Floats, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares similarity (turn, scale, shift; no mirror) from points to points.

    In complex numbers the map is ``a z + b``, and the two normal equations solve themselves.

    Args:
        source: ``[n, 2]``, n of 2 or more.
        target: ``[n, 2]``.

    Returns:
        ``float64 [2, 3]``, as ``cv2.warpAffine`` takes it.
    """
    # plain numbers: of so few points NumPy's calls would take most of the time
    z, w = ([complex(*point) for point in points.tolist()] for points in (source, target))
    middle = sum(z) / len(z)
    centred = [(each - middle).conjugate() for each in z]
    spread = sum(abs(each) ** 2 for each in centred)
    turned = sum(each * to for each, to in zip(centred, w, strict=True))
    a = turned / spread if spread > 0 else complex(1)
    b = sum(w) / len(w) - a * middle
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def upright(landmarks: Floats) -> NDArray[np.float64]:
    """Return the map that turns a face upright, its eyes :data:`EYES_APART_PX` apart.

    All five landmarks turn and size it, since the eyes of a profile lie in one place.

    Args:
        landmarks: ``[5, 2]``, as in :class:`~sealshot.runtime.types.Face`.

    Returns:
        ``float64 [2, 3]``; the middle between the eyes goes near the origin.
    """
    return similarity(landmarks, EYES_APART_PX * UPRIGHT)


def sample(
    image: Pixels, to_part: NDArray[np.float64], rows: int, columns: int
) -> NDArray[np.uint8]:
    """Return the part of a picture that a map shows, grey; beyond the picture its edge goes on.

    Args:
        image: ``uint8 [h, w, 3]`` BGR, planes, or ``[h, w]`` grey.
        to_part: ``[2, 3]``, from pixels of the picture to pixels of the part.
        rows: of the part.
        columns: likewise.

    Returns:
        ``uint8 [rows, columns]``; each pixel is the mean of what it covers.
    """
    scale = float(np.hypot(to_part[0, 0], to_part[1, 0]))
    fine = 1
    while fine * scale < 0.75 and fine < FINEST:
        fine *= 2
    matrix = fine * to_part
    matrix[:, 2] += (fine - 1) / 2  # the middles of pixels
    part = np.empty((fine * rows, fine * columns, *image.shape[2:]), np.uint8)
    warp(image, np.asarray(cv2.invertAffineTransform(matrix), np.float64), part)
    grey: MatLike = part
    if isinstance(image, Planes):
        grey = image.grey(part)
    elif image.ndim == 3:
        grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    if fine > 1:
        grey = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def cut_eyes(image: Pixels, faces: Sequence[Floats]) -> NDArray[np.uint8]:
    """Cut the eyes out of a picture: each by itself, upright, all of one size.

    Args:
        image: ``uint8 [h, w, 3]`` BGR, planes, or ``[h, w]`` grey.
        faces: the landmarks of each, ``[5, 2]``, as in :class:`~sealshot.runtime.types.Face`.

    Returns:
        ``uint8 [n, 2, 24, 32]``: the eye on the left of the picture, and that on the right
        mirrored, so that the nose is on the right of both.
    """
    rows, columns = EYE_PX
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    eyes = np.empty((len(faces), 2, rows, columns), np.uint8)
    for face, landmarks in zip(eyes, faces, strict=True):
        to_eye = upright(landmarks)
        for side, at in enumerate(landmarks[:2]):
            to_eye[:, 2] = middle - to_eye[:, :2] @ at
            if side:
                to_eye[0] = (0, 0, columns - 1) - to_eye[0]
            face[side] = sample(image, to_eye, rows, columns)
    return eyes
