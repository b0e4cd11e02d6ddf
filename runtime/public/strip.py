"""The visible strip: what outlives an encoder, below the picture.

Dark and light cells, a bit each, hold a note: which stream, which picture, its size, and some of
the sealed parts that have originals of pictures about then. A Reed-Solomon code over all of it
mends a sixth of the bytes. The width of the picture decides how many cells there are in a row, so
that the strip is found again in a picture that was scaled.

    bytes   what
    1       version, 1
    16      identifier of the stream
    4       number of the picture in it, from 0
    2, 2    width and height of the picture, without the strip
    1       number of parts that follow, n
    31      n parts: number (4), number of tracks t (1), the tracks (4 t); filled up with 0
    4       CRC-32 of all before it

Numbers are big-endian. Cells are numbered row by row from the upper left one, bits from the most
significant of the first byte; a light cell is 1. What is left of the last row is dark.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from reedsolo import ReedSolomonError, RSCodec

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import Message, Part

VERSION = 1
HEAD, ONE, CHECK = struct.Struct(">B16sIHHB"), struct.Struct(">IB"), struct.Struct(">I")
PARTS_BYTES = 31
NOTE_BYTES = HEAD.size + PARTS_BYTES + CHECK.size
PARITY_BYTES = 36
BITS = 8 * (NOTE_BYTES + PARITY_BYTES)
COLUMNS = 320, 240, 160, 80
"""Cells in a row: the first of these of which a cell is ``CELL_PX`` wide."""
CELL_PX = 4
NARROWEST_PX = CELL_PX * COLUMNS[-1]
LEVELS = 60
"""From the middle grey to a light or a dark cell, of 256."""

_CODE = RSCodec(PARITY_BYTES)


@dataclass(frozen=True)
class Note:
    """What a strip says."""

    stream: bytes
    picture: int
    width: int
    height: int
    parts: tuple[Part, ...]
    """Sealed parts of about this time."""


def columns_of(width: int) -> int:
    """Return how many cells a row of the strip has.

    Raises:
        InputError: the picture is too narrow for a strip.
    """
    for columns in COLUMNS:
        if width >= CELL_PX * columns:
            return columns
    raise InputError(
        f"a picture of {width} px is too narrow for a strip",
        hint=f"it takes {NARROWEST_PX} px; leave --message out",
    )


def strip_px(width: int) -> int:
    """Return the height of the strip below a picture, an even number.

    Raises:
        InputError: the picture is too narrow for one.
    """
    columns = columns_of(width)
    return 2 * -(-_rows(columns) * width // columns // 2) + 2


def with_strip(planes: Sequence[Plane], note: Note) -> list[Plane]:
    """Return the planes of a picture with the strip below it."""
    height, width = planes[0].shape
    columns, below = columns_of(width), strip_px(width)
    light = 1 if planes[0].dtype == np.uint8 else 4
    bits = np.zeros(_rows(columns) * columns, bool)
    bits[:BITS] = np.unpackbits(np.frombuffer(bytes(_CODE.encode(_to_bytes(note))), np.uint8))
    rows, cells = _edges(width, columns, below)
    luma = np.full((below, width), 128 * light, planes[0].dtype)
    drawn = np.where(bits.reshape(-1, columns), 128 + LEVELS, 128 - LEVELS) * light
    luma[rows[0] : rows[-1]] = drawn.repeat(np.diff(rows), 0).repeat(np.diff(cells), 1)
    grey = [
        np.full((below * p.shape[0] // height, p.shape[1]), 128 * light, p.dtype)
        for p in planes[1:]
    ]
    return [np.concatenate(pair) for pair in zip(planes, [luma, *grey], strict=True)]


def read_strip(luma: Plane) -> Note | None:
    """Return what the strip of a picture says; None where there is none that can be read."""
    width, codes = luma.shape[1], []
    for columns in COLUMNS:
        height = round(_rows(columns) * width / columns)
        if width < columns or luma.shape[0] <= height:
            continue
        shown = luma[-height:].astype(np.float32)
        # in the middle of each cell, where its edges are furthest
        y = ((np.arange(_rows(columns)) + 0.5) * height / _rows(columns)).astype(int)
        x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
        reach = max(0, width // columns // 4)
        mean = np.mean(
            [
                shown[np.clip(y + dy, 0, height - 1)][:, np.clip(x + dx, 0, width - 1)]
                for dy in range(-reach, reach + 1)
                for dx in range(-reach, reach + 1)
            ],
            axis=0,
        )
        middle = (np.percentile(mean, 10) + np.percentile(mean, 90)) / 2
        codes.append(np.packbits((mean > middle).ravel()[:BITS]).tobytes())
    # most are whole, and to mend one takes long
    notes = itertools.chain(map(_checked, codes), map(_mended, codes))
    return next((note for note in notes if note is not None), None)


class Announcer:
    """Chooses which sealed parts a strip names: each often enough to be read at least once."""

    def __init__(self) -> None:
        self._waiting: deque[Part] = deque()
        self._known: dict[Part, None] = {}

    def note(self, message: Message, width: int, height: int) -> Note:
        """Return the note of a picture."""
        for part in message.parts:
            if part not in self._known:
                self._waiting.append(part)
        self._known = dict.fromkeys(message.parts)
        named: list[Part] = []
        left = PARTS_BYTES
        for _ in range(len(self._waiting)):
            part = self._waiting.popleft()
            size = ONE.size + 4 * len(part[1])
            if size <= left and part not in named:
                named.append(part)
                left -= size
                if part in self._known:
                    self._waiting.append(part)  # again, as long as it goes on
            elif size <= PARTS_BYTES:
                self._waiting.appendleft(part)
                break
        return Note(message.stream, message.picture, width, height, tuple(named))


def _rows(columns: int) -> int:
    return -(-BITS // columns)


def _edges(width: int, columns: int, below: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where rows and cells begin and end; the last row ends with the picture."""
    cells = np.rint(np.arange(columns + 1) * width / columns).astype(np.intp)
    rows = below - np.rint(np.arange(_rows(columns), -1, -1) * width / columns).astype(np.intp)
    return rows, cells


def _to_bytes(note: Note) -> bytes:
    head = HEAD.pack(VERSION, note.stream, note.picture, note.width, note.height, len(note.parts))
    parts = b"".join(
        ONE.pack(number, len(tracks)) + struct.pack(f">{len(tracks)}I", *tracks)
        for number, tracks in note.parts
    )
    body = head + parts.ljust(PARTS_BYTES, b"\0")
    return body + CHECK.pack(zlib.crc32(body))


def _mended(code: bytes) -> Note | None:
    try:
        return _checked(bytes(_CODE.decode(code)[0]))
    except ReedSolomonError:
        return None


def _checked(data: bytes) -> Note | None:
    """Return the note at the start of a code, if it is whole."""
    data = data[:NOTE_BYTES]
    body = data[: -CHECK.size]
    if CHECK.unpack_from(data, len(body))[0] != zlib.crc32(body):
        return None
    version, stream, picture, width, height, count = HEAD.unpack_from(body)
    if version != VERSION:
        return None
    at, parts = HEAD.size, []
    try:
        for _ in range(count):
            number, tracks = ONE.unpack_from(body, at)
            at += ONE.size
            parts.append((number, struct.unpack_from(f">{tracks}I", body, at)))
            at += 4 * tracks
    except struct.error:
        return None
    return Note(stream, picture, width, height, tuple(parts))
