"""What is right: each numerical hot spot in NumPy float64, to be read in a minute.

`cpu.py` and `cuda/*.cu` compute the same; tests hold them to this file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]

CROP_PX = 64
FORMATS = ("bgr", "nv12", "nv12-full")
FARTHEST_PX = 2**23


def sample_latents(mu: ArrayLike, log_var: ArrayLike, noise: ArrayLike) -> Doubles:
    """Return z = mu + sigma * noise, the reparametrisation of Kingma and Welling (2014).

    Args:
        mu: ``[n, d]``, means of q(z|x).
        log_var: ``[n, d]``, logarithms of its variances.
        noise: ``[l, d]``, the same for every n.

    Returns:
        ``float64 [n, l, d]``.
    """
    mu, log_var, noise = (np.asarray(a, np.float64) for a in (mu, log_var, noise))
    return np.asarray(mu[:, None] + np.exp(log_var / 2)[:, None] * noise)


def rp_likelihood(x: ArrayLike, mu: ArrayLike, log_var: ArrayLike) -> Doubles:
    """Return log RP = log mean_l prod_pixels N(x | mu_l, sigma_l) (An and Cho 2015).

    Args:
        x: ``[n, p]``, pixels: uint8 from 0 to 255, or floats from 0 to 1.
        mu: ``[n, l, p]``, means that the decoder gives for each latent sample; l is at least 1.
        log_var: ``[n, l, p]``, logarithms of the variances.

    Returns:
        ``float64 [n]``; NaN where an input is NaN or a variance is 0, -inf where each density is 0.
    """
    scale = 255 if np.asarray(x).dtype == np.uint8 else 1
    x, mu, log_var = (np.asarray(a, np.float64) for a in (x, mu, log_var))
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = (x[:, None] / scale - mu) * np.exp(-log_var / 2)
        each = -(deviations**2 + log_var + np.log(2 * np.pi)).sum(axis=2) / 2  # [n, l]
        return np.asarray(np.logaddexp.reduce(each, axis=1) - np.log(each.shape[1]))


def crop_resize_grey(frame: ArrayLike, boxes: ArrayLike, format: str = "bgr") -> NDArray[np.uint8]:
    """Cut the input of the score graph out of a frame.

    The square around each box, grey, 64x64. Outside of the frame its edge pixels are repeated. When
    shrinking, an output pixel is the mean of the area that it covers; when growing, it is bilinear.
    Grey levels are rounded to whole numbers before and after, halves up.

    Args:
        frame: ``uint8 [h, w, 3]`` BGR; or NV12, ``uint8 [h * 3 / 2, w]``, whose luma is from 16 to
            235 (``nv12``) or from 0 to 255 (``nv12-full``). Chroma does not matter to grey.
        boxes: ``float32 [n, 4]``, ``x0, y0, x1, y1`` in pixels of the frame.
        format: one of :data:`FORMATS`.

    Returns:
        ``uint8 [n, 1, 64, 64]``; zeros for a box that is not finite or reaches beyond 2**23 pixels.
    """
    grey = to_grey(pixels_of(np.asarray(frame, np.uint8), format), format)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    crops = np.zeros((len(boxes), 1, CROP_PX, CROP_PX), np.uint8)
    for crop, box in zip(crops, boxes, strict=True):
        if np.abs(box).max() <= FARTHEST_PX:  # False for NaN
            x, y, side = square(box)
            rows = axis_weights(y, side, grey.shape[0])  # [64, h]
            columns = axis_weights(x, side, grey.shape[1])  # [64, w]
            crop[0] = np.floor(rows @ grey @ columns.T / (rows[0].sum() * columns[0].sum()) + 0.5)
    return crops


def pixels_of(frame: NDArray[np.uint8], format: str) -> NDArray[np.uint8]:
    """Return what grey is made of: BGR ``[h, w, 3]``, or the luma plane of NV12, ``[h, w]``."""
    return frame if format == "bgr" else frame[: len(frame) * 2 // 3]


def to_grey(pixels: NDArray[np.uint8], format: str) -> Doubles:
    """Return grey levels, ``float64 [h, w]``, whole numbers (ITU-R BT.601)."""
    levels = pixels.astype(np.float64)
    if format == "bgr":
        weights = np.array([3735, 19235, 9798])  # of 2**15: 0.114, 0.587, 0.299
        levels = np.floor(levels @ weights / 2**15 + 0.5)
    elif format == "nv12":
        levels = np.clip(np.floor((levels - 16) * 255 / 219 + 0.5), 0, 255)
    return levels


def square(box: Doubles) -> tuple[int, int, int]:
    """Return ``(x, y, side)`` of the square around a box; whole pixels, halves to even."""
    side = max(1, int(np.rint(max(box[2] - box[0], box[3] - box[1]))))
    x, y = np.rint((box[:2] + box[2:] - side) / 2)
    return int(x), int(y), side


def axis_weights(start: int, side: int, length: int) -> Doubles:
    """Return the weight of each of ``length`` pixels in each of 64 output pixels, ``[64, length]``.

    The 64 cover ``side`` pixels from ``start`` on; what lies outside goes to the pixel at the edge.
    Weights are whole numbers: 1/64 of a pixel when shrinking (the sum is ``side``), else of 128.
    """
    out = np.arange(CROP_PX)[:, None]
    if side > CROP_PX:
        left = np.arange(length) * float(CROP_PX)
        right = left + CROP_PX
        left[0], right[-1] = -np.inf, np.inf
        begin = start * CROP_PX + out * side
        return np.asarray(
            np.maximum(np.minimum(right, begin + side) - np.maximum(left, begin), 0), np.float64
        )
    centre = (2 * out + 1) * side - CROP_PX  # in 1/128 of a pixel of the square
    first, share = np.divmod(centre, 2 * CROP_PX)
    weights = np.zeros((CROP_PX, length))
    for at, weight in ((first, 2 * CROP_PX - share), (first + 1, share)):
        pixel = np.clip(start + np.clip(at, 0, side - 1), 0, length - 1)
        np.add.at(weights, (out, pixel), weight)
    return weights


def track_argmax(
    scores: ArrayLike,
    slots: ArrayLike,
    frames: ArrayLike,
    best_scores: NDArray[np.float32],
    best_frames: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Update each track's best so far, and say which faces are a new best.

    A face wins with a score above its track's best; of equal ones the first. A NaN never wins. Of
    several faces of one track only the last winner counts.

    Args:
        scores: ``float32 [n]``.
        slots: ``int32 [n]``, the row of each face's track in the table; others are passed over.
        frames: ``int64 [n]``, the frame of each face.
        best_scores: ``float32 [t]``, the table, -inf at first; altered.
        best_frames: ``int64 [t]``, the frame of each best; altered.

    Returns:
        ``uint8 [n]``, 1 where the face is a new best.
    """
    scores, slots, frames = np.asarray(scores), np.asarray(slots), np.asarray(frames)
    winner: dict[int, int] = {}
    for i, slot in enumerate(slots.tolist()):
        if 0 <= slot < len(best_scores) and scores[i] > best_scores[slot]:
            best_scores[slot], best_frames[slot] = scores[i], frames[i]
            winner[slot] = i
    won = np.zeros(len(scores), np.uint8)
    won[list(winner.values())] = 1
    return won
