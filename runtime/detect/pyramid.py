"""The P-net over the levels of an image pyramid, or over parts of them.

Small parts of levels lie beside each other in one picture that the network looks at once: a call
costs as much as thousands of pixels, and most levels have fewer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sealshot.runtime.detect.boxes import suppress
from sealshot.runtime.detect.changes import Places, rectangles, windows
from sealshot.runtime.detect.sampling import ALL, Sampler
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.types import Floats

WINDOW_PX = 12  # what the network looks at
STRIDE_PX, COARSE_STRIDE_PX = 2, 4
CHUNK_PX = 80_000  # a larger one leaves the processor's cache
ONE_GO_PX = 10_000
"""A smaller level is looked at in one go, when its last rows are due: what bands of it have in
common would cost as much again."""
LEAST_GAP_PX = 2 * WINDOW_PX  # between parts of a level: nearer ones cost less as one
LEVEL_OVERLAP = 0.5
NOTHING = np.empty((0, 9), np.float32)


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

    def seen(self, sampler: Sampler) -> Floats:
        """Return the pixels that they see, float32 ``[h, w, 3]``."""
        level = self.level
        rows = _pixels(self.rows, level.rows, level.stride)
        columns = _pixels(self.columns, level.columns, level.stride)
        return sampler.level(level.width, level.height, rows, columns)


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
    small, found = list[tuple[Part, Floats]](), list[tuple[Level, Floats]]()
    for part in looked_at:
        seen = part.seen(sampler)
        if seen.shape[0] * seen.shape[1] < together_px:
            small.append((part, seen))
        else:
            found.append((part.level, _alone(pnet, part, seen, least)))
    found += _together(pnet, small, least)
    kept = [NOTHING]
    for level in dict.fromkeys(level for level, _ in found):
        boxes = np.concatenate([each for of, each in found if of is level])
        kept.append(boxes[suppress(boxes[:, :4], boxes[:, 4], LEVEL_OVERLAP)])
    return np.concatenate(kept)


def _alone(pnet: Runner, part: Part, seen: Floats, least: float) -> Floats:
    """Look at a part, so much at a time as its maps stay in the processor's cache."""
    level, rows, found = part.level, part.rows, []
    step = max(1, CHUNK_PX // seen.shape[1] // level.stride)
    for top in range(rows.start, rows.stop, step):
        start = (top - rows.start) * level.stride
        end = start + (step - 1) * level.stride + WINDOW_PX
        last = top + step >= rows.stop
        given = pnet.run({"image": seen[None, start : None if last else end]})
        found.append(_passed(part, top, given["score"][0], given["box"][0], least))
    return np.concatenate(found)


def _together(
    pnet: Runner, small: Sequence[tuple[Part, Floats]], least: float
) -> Iterator[tuple[Level, Floats]]:
    """Look at parts that lie beside each other on shelves of one picture."""
    if not small:
        return
    stride = small[0][0].level.stride
    width = max(_even(seen.shape[1]) for _, seen in small)
    placed, left, top, bottom = list[tuple[Part, Floats, int, int]](), 0, 0, 0
    for part, seen in sorted(small, key=lambda each: -len(each[1])):
        height, wide = map(_even, seen.shape[:2])
        if left + wide > width:
            left, top = 0, bottom
        placed.append((part, seen, top, left))
        bottom = max(bottom, _whole(top + height, stride))
        left = _whole(left + wide, stride)
    shelves = np.zeros((1, bottom, width, 3), np.float32)
    for _, seen, top, left in placed:
        height, wide = seen.shape[:2]
        place = shelves[0, top : top + _even(height), left : left + _even(wide)]
        place[:height, :wide] = seen
        place[height:, :wide] = seen[-1]
        place[:, wide:] = place[:, wide - 1 : wide]
    given = pnet.run({"image": shelves})
    for part, seen, top, left in placed:
        height, wide = map(_even, seen.shape[:2])
        rows, columns = _windows(top, height, stride), _windows(left, wide, stride)
        score, offsets = given["score"][0, rows, columns], given["box"][0, :, rows, columns]
        yield part.level, _passed(part, part.rows.start, score, offsets, least)


def _passed(part: Part, top: int, score: Floats, offsets: Floats, least: float) -> Floats:
    """Return box, score and offsets of the windows that pass, ``top`` being the first row."""
    passed = np.flatnonzero(score >= least)
    if not len(passed):
        return NOTHING
    y, x = np.divmod(passed, score.shape[1])
    found = np.empty((len(y), 9), np.float32)
    found[:, 0], found[:, 1] = x + part.columns.start, y + top
    found[:, :2] *= part.level.stride
    found[:, 2:4] = found[:, :2] + WINDOW_PX
    found[:, :2] += 1
    found[:, :4] = np.floor(found[:, :4] / np.float32(part.level.scale))
    found[:, 4], found[:, 5:] = score[y, x], offsets[:, y, x].T
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
