"""Keeping what is covered: the original blocks of each track, without loss, part by part.

The regions of a picture are widened to blocks of 16x16 pixels. Blocks that only one track touches
go into parts of that track; blocks that several touch go into parts of their own, so that a part of
one track never shows another. A part ends after a minute, with the hour, when it is large, or when
its track has gone.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.public.cover import Plane, Region, inside
from sealshot.runtime.public.lossless import coded
from sealshot.runtime.seal.originals import BLOCK_PX, LONGEST_S, Originals, Piece

PART_BYTES = 2 * 1024 * 1024
ALL_BYTES = 8 * 1024 * 1024
"""Of all open parts together; above it the largest is closed."""
SPARE_BLOCKS = 24
"""Empty blocks in a piece cost no more than a piece."""
MOST_BLOCKS = 256
"""In the rectangle of a piece: to code it FFmpeg takes 157 bytes a pixel, and fills them with 0."""
IDLE_S = 2.0
"""A part whose track was not seen for so long is closed."""

Tracks = tuple[int, ...]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]


def blocks_of(regions: Iterable[Region], width: int, height: int) -> dict[Tracks, Mask]:
    """Return the blocks ``bool [rows, columns]`` that tracks touch, each block once.

    The key is the track that touches them alone, or nothing for those that several touch.
    """
    shape = -(-height // BLOCK_PX), -(-width // BLOCK_PX)
    touched: dict[int, Mask] = {}
    for region in regions:
        rectangle = inside(region, width, height)
        if rectangle is not None:
            x0, y0, x1, y1 = rectangle
            mask = touched.setdefault(region.track, np.zeros(shape, bool))
            mask[y0 // BLOCK_PX : -(-y1 // BLOCK_PX), x0 // BLOCK_PX : -(-x1 // BLOCK_PX)] = True
    found: dict[Tracks, Mask] = {}
    count = sum(touched.values(), np.zeros(shape, np.int64))
    for track, mask in touched.items():
        alone = mask & (count == 1)
        if alone.any():
            found[(track,)] = alone
    if (count > 1).any():
        found[()] = count > 1
    return found


def cut_out(planes: Sequence[Plane], box: Box, mask: Mask) -> list[Plane]:
    """Return the rectangle around some blocks of a picture, cut to it; all other blocks are 0.

    Args:
        planes: of the picture.
        box: left, top, width, height of the rectangle, in blocks.
        mask: ``bool [height, width]``, which of its blocks.
    """
    cut = [(plane[y, x], step) for plane, (x, y), step in _parts(planes, box)]
    if mask.all():
        return [np.ascontiguousarray(part) for part, _ in cut]
    return [part * _pixels(mask, step, part.shape) for part, step in cut]


def put_back(planes: Sequence[Plane], box: Box, mask: Mask, cut: Sequence[Plane]) -> None:
    """Write blocks that :func:`cut_out` gave into the planes of a picture."""
    for (plane, (x, y), step), shown in zip(_parts(planes, box), cut, strict=True):
        part = plane[y, x]
        where = _pixels(mask, step, part.shape)
        part[where] = shown[where]


def digest(cut: Sequence[Plane]) -> str:
    """Return the SHA-256 of what :func:`cut_out` gave."""
    sha256 = hashlib.sha256()
    for plane in cut:
        sha256.update(np.ascontiguousarray(plane).data)
    return sha256.hexdigest()


def mask_of(piece: Piece) -> Mask:
    """Return which blocks of its box a piece has, ``bool [height, width]``."""
    _, _, width, height = piece.box
    if not piece.blocks:
        return np.ones((height, width), bool)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(piece.blocks), np.uint8))
    return bits[: width * height].astype(bool).reshape(height, width)


def _parts(
    planes: Sequence[Plane], box: Box
) -> list[tuple[Plane, tuple[slice, slice], tuple[int, int]]]:
    """Return each plane, its columns and rows in the box, and its steps: 1, or 2 if subsampled."""
    height, width = planes[0].shape
    left, top, columns, rows = (BLOCK_PX * side for side in box)
    found = []
    for plane in planes:
        step = round(width / plane.shape[1]), round(height / plane.shape[0])
        x = slice(left // step[0], (left + columns) // step[0])
        y = slice(top // step[1], (top + rows) // step[1])
        found.append((plane, (x, y), step))
    return found


def _pixels(mask: Mask, step: tuple[int, int], shape: tuple[int, ...]) -> Mask:
    """Return a mask of blocks as one of pixels, cut to ``shape``."""
    wide = mask.repeat(BLOCK_PX // step[0], axis=1).repeat(BLOCK_PX // step[1], axis=0)
    return wide[: shape[0], : shape[1]]


@dataclass(eq=False)
class _Part:
    """A part that is being written."""

    number: int
    hour: str
    pieces: list[Piece] = field(default_factory=list)
    coded: bytearray = field(default_factory=bytearray)

    def takes(self, time_s: float, hour: str) -> bool:
        """Whether a piece of this time fits."""
        return (
            time_s - self.pieces[0].time_s <= LONGEST_S
            and hour == self.hour
            and len(self.coded) < PART_BYTES
        )


class OriginalsWriter:
    """Takes the originals of a stream, picture by picture, and gives out parts to be sealed."""

    def __init__(
        self,
        stream: bytes,
        pixels: str,
        seal: Callable[[Originals], None],
        hour_of: Callable[[float], str],
    ) -> None:
        """Start with nothing.

        Args:
            stream: identifier of the stream, 16 bytes.
            pixels: FFmpeg's name of the format of the planes.
            seal: takes each part, once; it is to last from then on.
            hour_of: the hour of UTC, as the log writes it, of a time of the stream in seconds.
        """
        self._stream, self._pixels, self._seal, self._hour_of = stream, pixels, seal, hour_of
        self._size = 0, 0
        self._numbers = itertools.count()
        self._open: dict[Tracks, _Part] = {}

    def take(
        self, picture: int, time_s: float, planes: Sequence[Plane], regions: Iterable[Region]
    ) -> tuple[tuple[int, Tracks], ...]:
        """Take what a picture shows in its regions; return the parts that have it, and of whom."""
        height, width = planes[0].shape
        self._size, hour = (width, height), self._hour_of(time_s)
        kept = []
        for tracks, whole in blocks_of(regions, width, height).items():
            for box, mask in pieces_in(whole):
                part = self._part_for(tracks, time_s, hour)
                cut = cut_out(planes, box, mask)
                frame = coded(cut, self._pixels)
                blocks = "" if mask.all() else np.packbits(mask).tobytes().hex()
                part.pieces.append(Piece(picture, time_s, box, blocks, digest(cut), len(frame)))
                part.coded += frame
                kept.append((part.number, tracks))
        for tracks, part in tuple(self._open.items()):
            if time_s - part.pieces[-1].time_s > IDLE_S:
                self._close(tracks)
        while sum(len(part.coded) for part in self._open.values()) > ALL_BYTES:
            self._close(max(self._open, key=lambda tracks: len(self._open[tracks].coded)))
        return tuple(dict.fromkeys(kept))

    def finish(self) -> None:
        """Give out what is left."""
        for tracks in tuple(self._open):
            self._close(tracks)

    def _part_for(self, tracks: Tracks, time_s: float, hour: str) -> _Part:
        part = self._open.get(tracks)
        if part is not None and not part.takes(time_s, hour):
            self._close(tracks)
            part = None
        if part is None:
            part = self._open[tracks] = _Part(next(self._numbers), hour)
        return part

    def _close(self, tracks: Tracks) -> None:
        part = self._open.pop(tracks)
        width, height = self._size
        self._seal(
            Originals(
                stream=self._stream.hex(),
                part=part.number,
                tracks=tracks,
                width=width,
                height=height,
                pixels=self._pixels,
                pieces=tuple(part.pieces),
                coded=bytes(part.coded),
            )
        )


def pieces_in(mask: Mask) -> list[tuple[Box, Mask]]:
    """Return blocks as a few rectangles with all of them, the largest first."""
    whole = x, y, width, height = _there(mask)
    part = mask[y : y + height, x : x + width]  # most of it is empty
    boxes = [whole]
    if not part.all():  # as most are
        _, _, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8))
        boxes = [
            (x + left, y + top, width, height)
            for left, top, width, height in _together(
                [tuple(row[:4]) for row in stats[1:].tolist()]
            )
        ]
    found = [piece for box in boxes for piece in _small(mask, box)]
    return sorted(found, key=lambda piece: -piece[0][2] * piece[0][3])


def _there(mask: Mask) -> Box:
    """Return the rectangle around what is there of a mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


def _small(mask: Mask, box: Box) -> Iterator[tuple[Box, Mask]]:
    """Yield a rectangle of a mask, or halves of it, and of them, as small as a piece is to be."""
    left, top, width, height = box
    part = mask[top : top + height, left : left + width]
    if part.size <= MOST_BLOCKS:
        yield box, part
        return
    half, across = max(width, height) // 2, width > height
    for begin, cut in enumerate(np.split(part, [half], axis=int(across))):
        if cut.any():
            x, y, wide, high = _there(cut)
            x, y = x + left + begin * half * across, y + top + begin * half * (not across)
            yield from _small(mask, (x, y, wide, high))


def _together(boxes: list[Box]) -> list[Box]:
    """Join rectangles that cost less as one than as two; a block may be in two that are left."""
    apart: list[Box] = []
    while boxes:
        one = boxes.pop()
        for other in boxes + apart:
            joint = _around(one, other)
            if joint[2] * joint[3] <= one[2] * one[3] + other[2] * other[3] + SPARE_BLOCKS:
                boxes, apart = [box for box in boxes + apart if box != other] + [joint], []
                break
        else:
            apart.append(one)
    return apart


def _around(one: Box, other: Box) -> Box:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top
