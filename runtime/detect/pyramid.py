"""The P-net over the levels of an image pyramid, or over parts of them.

Small parts of levels lie beside each other in one picture that the network looks at once: a call
costs as much as thousands of pixels, and most levels have fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.detect.boxes import suppress
from sealshot.runtime.detect.changes import Places, rectangles, windows
from sealshot.runtime.detect.sampling import ALL, Sampler
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.types import Floats, Image

WINDOW_PX = 12  # what the network looks at
STRIDE_PX, COARSE_STRIDE_PX = 2, 4
AROUND_PX = WINDOW_PX + 2 * STRIDE_PX  # a window, and a step around
CHUNK_PX = 40_000  # larger ones are no faster and take more memory
ONE_GO_PX = 10_000
"""A smaller level is looked at in one go, when its last rows are due: what bands of it have in
common would cost as much again."""
LEAST_GAP_PX = 2 * WINDOW_PX  # between parts of a level: nearer ones cost less as one
LEVEL_OVERLAP = 0.5
NOTHING = np.empty((0, 7), np.float32)
Shown = Floats | Image


@dataclass(frozen=True)
class Level:
    """An image at one size, and the windows that the P-net looks at there."""

    scale: float
    """Its size over that of the image."""
    width: int
    height: int
    stride: int
    """Pixels from a window to the next."""

    @property
    def rows(self) -> int:
        """Of windows."""
        return (self.height - WINDOW_PX) // self.stride + 1

    @property
    def columns(self) -> int:
        """Of windows."""
        return (self.width - WINDOW_PX) // self.stride + 1


@dataclass(frozen=True)
class Part:
    """Some of the windows of a level."""

    level: Level
    rows: slice
    columns: slice

    def seen(self, sampler: Sampler) -> Shown:
        """Return the pixels that they see, ``[h, w, 3]``."""
        level = self.level
        rows = _pixels(self.rows, level.rows, level.stride)
        columns = _pixels(self.columns, level.columns, level.stride)
        return sampler.level(level.width, level.height, rows, columns)


@dataclass(frozen=True, eq=False)
class _Passed:
    """Windows of a part that passed."""

    part: Part
    seen: Shown
    """The pixels that the network saw of it, ``[h, w, 3]``."""
    windows: Floats
    """Column, row, score and offsets, ``[n, 7]``."""


@dataclass(frozen=True, eq=False)
class Spots:
    """Where ``n`` windows are in the image, and what they show."""

    boxes: Floats
    """``[n, 4]``"""
    pixels: Shown
    """Of the level, with a step around the window, where the part has one: ``[n, 16, 16, 3]``."""
    corners: Floats
    """Column and row of the first of them, and the scale of the level, ``[n, 3]``."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.boxes)

    def of(self, chosen: Places) -> Spots:
        """Return those that are chosen, bool ``[n]``."""
        return Spots(self.boxes[chosen], self.pixels[chosen], self.corners[chosen])

    @staticmethod
    def join(some: Sequence[Spots]) -> Spots:
        """Return all of several."""
        if len(some) == 1:
            return some[0]
        columns = zip(*((spots.boxes, spots.pixels, spots.corners) for spots in some), strict=True)
        return Spots(*map(np.concatenate, columns))


NOWHERE = Spots(
    np.empty((0, 4), np.float32),
    np.empty((0, AROUND_PX, AROUND_PX, 3), np.uint8),
    np.empty((0, 3), np.float32),
)


@lru_cache(maxsize=64)
def levels(
    width: int, height: int, min_face_px: int, factor: float, coarse: int
) -> tuple[Level, ...]:
    """Return the levels of an image, the largest first, of which ``coarse`` are looked at coarsely.

    Args:
        width: of the image, pixels.
        height: likewise.
        min_face_px: width of the smallest face to look for.
        factor: size of a level over that of the level before it.
        coarse: how many levels have a window every 4 pixels, not 2.
    """
    scale, found = WINDOW_PX / min_face_px, list[Level]()
    while min(width, height) * scale >= WINDOW_PX:
        stride = COARSE_STRIDE_PX if len(found) < coarse else STRIDE_PX
        found.append(Level(scale, int(width * scale + 1), int(height * scale + 1), stride))
        scale *= factor
    return tuple(found)


def parts(level: Level, start: float, end: float, where: Places | None) -> Iterator[Part]:
    """Return the parts of a level that are to be looked at.

    Args:
        level: the level.
        start: with ``end`` the rows of windows, as shares of all of them; a small level is looked
            at as a whole with its last rows, and not with others.
        end: see ``start``.
        where: only windows matter that see one of these places; None: all of them.
    """
    if level.width * level.height < ONE_GO_PX:
        start, end = float(end < 1), 1.0
    rows = slice(int(start * level.rows), int(end * level.rows))
    if rows.start == rows.stop:
        return
    if where is None:
        yield Part(level, rows, slice(0, level.columns))
        return
    reach = WINDOW_PX / level.height, WINDOW_PX / level.width
    wanted = windows(where, rows, (level.rows, level.columns), reach)
    for part in rectangles(wanted, rows.start, LEAST_GAP_PX // level.stride):
        yield Part(level, *part)


def slide(
    pnet: Runner, sampler: Sampler, looked_at: Sequence[Part], least: float, together_px: int
) -> Floats:
    """Look at parts, all with the stride of the network.

    Args:
        pnet: the network.
        sampler: the image.
        looked_at: the parts.
        least: the score from which on a window passes.
        together_px: parts of fewer pixels share a call.

    Returns:
        Of the windows that pass, level by level without those that a better one of the same level
        covers: box, score and offsets, float32 ``[n, 9]``.
    """
    boxes, _ = _best(_slide(pnet, sampler, looked_at, least, together_px))
    return boxes


def glimpse(
    pnet: Runner, sampler: Sampler, looked_at: Sequence[Part], least: float, together_px: int
) -> Spots:
    """Look at parts as :func:`slide` does, and return where windows pass and what they show."""
    some = _slide(pnet, sampler, looked_at, least, together_px)
    found = [passed for passed in some if len(passed.windows)]
    boxes, best = _best(found)
    if not found:
        return NOWHERE
    of = np.repeat(np.arange(len(found)), [len(passed.windows) for passed in found])[best]
    shown = [_wide(passed.seen) for passed in found]
    levels = [passed.part.level for passed in found]
    starts = [(passed.part.columns.start, passed.part.rows.start) for passed in found]
    start, size = np.array(starts)[of], np.array([seen.shape[1::-1] for seen in shown])[of]
    stride = np.array([level.stride for level in levels])[of, None]
    windows = np.concatenate([passed.windows[:, :2] for passed in found])[best].astype(np.intp)
    # an even way before the window, and within what was seen
    corner = (windows - start) * stride - STRIDE_PX
    corner = np.minimum(corner, (size - AROUND_PX) // STRIDE_PX * STRIDE_PX).clip(0)
    pixels = np.empty((len(best), AROUND_PX, AROUND_PX, 3), shown[0].dtype)
    for each, at, (x, y) in zip(pixels, of.tolist(), corner.tolist(), strict=True):
        each[:] = shown[at][y : y + AROUND_PX, x : x + AROUND_PX]
    corners = np.empty((len(best), 3), np.float32)
    corners[:, :2] = start * stride + corner
    corners[:, 2] = np.array([level.scale for level in levels])[of]
    return Spots(boxes[:, :4], pixels, corners)


def boxes_at(left: Floats, top: Floats, scale: Floats) -> Floats:
    """Return the boxes [n, 4] of windows that begin at those pixels of levels of a scale."""
    corners = np.empty((len(scale), 4), np.float32)
    corners[:, 0], corners[:, 1] = left + 1, top + 1
    corners[:, 2], corners[:, 3] = left + WINDOW_PX, top + WINDOW_PX
    boxes: Floats = np.floor(corners / scale[:, None])
    return boxes


def _slide(
    pnet: Runner, sampler: Sampler, looked_at: Sequence[Part], least: float, together_px: int
) -> list[_Passed]:
    small, found, waiting_px = list[tuple[Part, Shown]](), list[_Passed](), 0
    for part in looked_at:
        seen = part.seen(sampler)
        px = seen.shape[0] * seen.shape[1]
        if px >= together_px:
            found += _alone(pnet, part, seen, least)
            continue
        if waiting_px + px > CHUNK_PX:
            found += _together(pnet, small, least)
            small, waiting_px = [], 0
        small.append((part, seen))
        waiting_px += px
    found += _together(pnet, small, least)
    return found


def _best(found: Sequence[_Passed]) -> tuple[Floats, NDArray[np.intp]]:
    """Return boxes of what passed, without those that a better one of the same level covers.

    Also returned: the number of each among all that passed.
    """
    windows = np.concatenate([NOTHING, *(passed.windows for passed in found)])
    if not len(windows):
        return np.empty((0, 9), np.float32), np.empty(0, np.intp)
    levels = list(dict.fromkeys(passed.part.level for passed in found))
    count = [len(passed.windows) for passed in found]
    of = np.repeat([levels.index(passed.part.level) for passed in found], count)
    stride, scale = np.array([(level.stride, level.scale) for level in levels], np.float32)[of].T
    boxes = np.empty((len(windows), 9), np.float32)
    boxes[:, :4] = boxes_at(windows[:, 0] * stride, windows[:, 1] * stride, scale)
    boxes[:, 4:] = windows[:, 2:]
    best = suppress(boxes[:, :4], boxes[:, 4], LEVEL_OVERLAP, of)
    return boxes[best], best


def _wide(seen: Shown) -> Shown:
    """Repeat the last row and column of what has no room for a step around a window."""
    down, right = (max(0, AROUND_PX - side) for side in seen.shape[:2])
    if not (down or right):
        return seen
    wide: Shown = np.empty((len(seen) + down, seen.shape[1] + right, 3), seen.dtype)
    wide[:] = np.pad(seen, ((0, down), (0, right), (0, 0)), "edge")
    return wide


def _alone(pnet: Runner, part: Part, seen: Shown, least: float) -> Iterator[_Passed]:
    """Look at a part, so much at a time as its maps stay in the processor's cache."""
    level, rows = part.level, part.rows
    step = max(1, CHUNK_PX // seen.shape[1] // level.stride)
    for top in range(rows.start, rows.stop, step):
        start = (top - rows.start) * level.stride
        end = start + (step - 1) * level.stride + WINDOW_PX
        last = top + step >= rows.stop
        given = pnet.run({"image": planes(seen[start : None if last else end])})
        windows = _passed(part, top, given["score"][0], given["box"][0], least)
        yield _Passed(part, seen, windows)


def _together(pnet: Runner, small: Sequence[tuple[Part, Shown]], least: float) -> Iterator[_Passed]:
    """Look at parts that lie beside each other on shelves of one picture."""
    if not small:
        return
    stride = small[0][0].level.stride
    width = max(_even(seen.shape[1]) for _, seen in small)
    placed, left, top, bottom = list[tuple[Part, Shown, int, int]](), 0, 0, 0
    for part, seen in sorted(small, key=lambda each: -len(each[1])):
        height, wide = map(_even, seen.shape[:2])
        if left + wide > width:
            left, top = 0, bottom
        placed.append((part, seen, top, left))
        bottom = max(bottom, _whole(top + height, stride))
        left = _whole(left + wide, stride)
    shelves = np.zeros((bottom, width, 3), small[0][1].dtype)
    for _, seen, top, left in placed:
        height, wide = seen.shape[:2]
        place = shelves[top : top + _even(height), left : left + _even(wide)]
        place[:height, :wide] = seen
        place[height:, :wide] = seen[-1]
        place[:, wide:] = place[:, wide - 1 : wide]
    given = pnet.run({"image": planes(shelves)})
    for part, seen, top, left in placed:
        height, wide = map(_even, seen.shape[:2])
        rows, columns = _windows(top, height, stride), _windows(left, wide, stride)
        score, offsets = given["score"][0, rows, columns], given["box"][0, :, rows, columns]
        shown = shelves[top : top + height, left : left + wide]
        yield _Passed(part, shown, _passed(part, part.rows.start, score, offsets, least))


def planes(image: Shown) -> Floats:
    """Return the channels of ``[h, w, 3]`` each by itself, as the network takes them."""
    channels = np.empty((1, 3, *image.shape[:2]), image.dtype)
    cv2.split(image, [*channels[0]])
    return channels.astype(np.float32, copy=False)


def _passed(part: Part, top: int, score: Floats, offsets: Floats, least: float) -> Floats:
    """Return column, row, score, offsets of windows that pass, ``top`` being the first row."""
    (passed,) = (score >= least).ravel().nonzero()
    if not len(passed):
        return NOTHING
    y, x = np.divmod(passed, score.shape[1])
    found = np.empty((len(passed), 7), np.float32)
    found[:, 0], found[:, 1] = x + part.columns.start, y + top
    found[:, 2], found[:, 3:] = score[y, x], offsets[:, y, x].T
    return found


def _pixels(windows: slice, count: int, stride: int) -> slice:
    """Return the rows or columns of pixels that some of ``count`` windows see."""
    if (windows.start, windows.stop) == (0, count):
        return ALL  # with a last row that no window reaches, but rounding feels
    return slice(windows.start * stride, (windows.stop - 1) * stride + WINDOW_PX)


def _windows(start: int, size: int, stride: int) -> slice:
    """Return the rows or columns of the network's map that see only pixels of a part."""
    return slice(start // stride, start // stride + (size - WINDOW_PX) // stride + 1)


def _even(px: int) -> int:
    """Room for a side: an odd one has half a window more at its end, as the network pools it."""
    return px + px % 2


def _whole(px: int, stride: int) -> int:
    """Round up to where a window may begin."""
    return -(-px // stride) * stride
