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
    z, w = _complex(source), _complex(target)
    a = complex(_turns(z[None], w)[0])
    b = complex(w.mean() - a * z.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return points ``[..., 2]`` as complex numbers."""
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0]


def _turns(z: NDArray[np.complex128], w: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return turn and scale of the similarities from points ``[n, k]`` to points ``[k]``: ``[n]``.

    1 where all of the points are in one place.
    """
    centred = (z - z.mean(axis=1, keepdims=True)).conj()
    spread = (centred.real**2 + centred.imag**2).sum(axis=1)
    turns = np.where(spread > 0, centred @ w, 1) / np.where(spread > 0, spread, 1)
    return np.asarray(turns, np.complex128)


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
    fine = _fine(float(np.hypot(to_part[0, 0], to_part[1, 0])))
    matrix = fine * to_part
    matrix[:, 2] += (fine - 1) / 2  # the middles of pixels
    to_picture = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    return _sampled(image, to_picture[None], fine, rows, columns).reshape(rows, columns)


def _fine(scale: float) -> int:
    """Return how often a pixel is sampled in each direction where parts are of that scale."""
    fine = 1
    while fine * scale < 0.75 and fine < FINEST:
        fine *= 2
    return fine


def _sampled(
    image: Pixels, to_picture: NDArray[np.float64], fine: int, rows: int, columns: int
) -> NDArray[np.uint8]:
    """Return parts of a picture, each pixel the mean of ``fine`` times as many each way.

    Args:
        image: see :func:`sample`.
        to_picture: ``[n, 2, 3]``, from those many pixels to pixels of the picture.
        fine: see above.
        rows: of a part.
        columns: likewise.

    Returns:
        ``uint8 [n, rows, columns]``.
    """
    count = len(to_picture)
    parts = np.empty((count, fine * rows, fine * columns, *image.shape[2:]), np.uint8)
    warp(image, to_picture, parts)
    # below each other, as one picture
    grey: MatLike = parts.reshape(-1, *parts.shape[2:])
    if isinstance(image, Planes):
        grey = image.grey(grey)
    elif image.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_BGR2GRAY)
    if fine > 1:
        grey = cv2.resize(grey, (columns, count * rows), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8).reshape(count, rows, columns)


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
    eyes = np.empty((len(faces), 2, rows, columns), np.uint8)
    landmarks = np.array(faces, np.float32).reshape(-1, 5, 2)
    turns = _turns(_complex(landmarks), _complex(EYES_APART_PX * UPRIGHT))
    every = np.array([_fine(scale) for scale in np.abs(turns).tolist()])
    for fine in set(every.tolist()):
        which = every == fine
        back = 1 / (fine * turns[which])  # from a pixel of a part, [k]
        to_picture = np.empty((len(back), 2, 2, 3))  # k faces, two eyes
        to_picture[:, 0, 0, 0], to_picture[:, 0, 1, 0] = back.real, back.imag
        to_picture[:, 1, :, 0] = -to_picture[:, 0, :, 0]
        to_picture[:, :, 0, 1], to_picture[:, :, 1, 1] = -back.imag[:, None], back.real[:, None]
        middle = (fine * columns - 1) / 2, (fine * rows - 1) / 2
        to_picture[..., 2] = landmarks[which, :2]
        to_picture[..., 2] -= to_picture[..., :2] @ middle  # which is where the eye is
        eyes[which] = _sampled(image, to_picture.reshape(-1, 2, 3), fine, rows, columns).reshape(
            -1, 2, rows, columns
        )
    return eyes
