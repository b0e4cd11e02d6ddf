"""The note: what a picture says of itself where there is little room, coded so that it mends.

It says which stream, which picture, its size, and some of the sealed parts that have originals of
pictures about then. A Reed-Solomon code over all of it mends a sixth of the bytes.

    bytes   what
    1       version, 1
    16      identifier of the stream
    4       number of the picture in it, from 0
    2, 2    width and height of the picture, without the strip
    1       number of parts that follow, n
    31      n parts: number (4), number of tracks t (1), the tracks (4 t); filled up with 0
    4       CRC-32 of all before it
    36      Reed-Solomon code of all before it

Numbers are big-endian; bits go from the most significant of the first byte.
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

from sealshot.runtime.public.message import Message, Part
from sealshot.runtime.types import Floats

VERSION = 1
HEAD, ONE, CHECK = struct.Struct(">B16sIHHB"), struct.Struct(">IB"), struct.Struct(">I")
PARTS_BYTES = 31
NOTE_BYTES = HEAD.size + PARTS_BYTES + CHECK.size
PARITY_BYTES = 36
BITS = 8 * (NOTE_BYTES + PARITY_BYTES)

ERASED = 0, 12, 20, 28
"""Bytes of the least sure bits that are taken for lost: the code mends twice as many of those."""

_CODE = RSCodec(PARITY_BYTES)


@dataclass(frozen=True)
class Note:
    """What is said."""

    stream: bytes
    picture: int
    width: int
    height: int
    parts: tuple[Part, ...]
    """Sealed parts of about this time."""


def to_bits(note: Note) -> NDArray[np.bool_]:
    """Write a note, ``bool [BITS]``."""
    code = bytes(_CODE.encode(_to_bytes(note)))
    return np.unpackbits(np.frombuffer(code, np.uint8)).astype(bool)


def from_sums(sums: Floats) -> Note | None:
    """Return the note among bits that are more or less sure; None if there is none.

    Args:
        sums: ``float [BITS]``, above 0 for a 0, the further from it the surer.
    """
    code = np.packbits(sums < 0).tobytes()
    doubtful = np.argsort(np.abs(sums).reshape(-1, 8).min(axis=1))
    tries = (_mended(code, doubtful[:count].tolist()) for count in ERASED)
    return next((note for note in tries if note is not None), None)


def from_bits(readings: Sequence[NDArray[np.bool_]]) -> Note | None:
    """Return the first note among several readings, ``bool [BITS]`` each; None if there is none."""
    codes = [np.packbits(bits).tobytes() for bits in readings]
    # most are whole, and to mend one takes long
    notes = itertools.chain(map(_checked, codes), map(_mended, codes))
    return next((note for note in notes if note is not None), None)


class Announcer:
    """Chooses which sealed parts a note names: each often enough to be read at least once."""

    def __init__(self) -> None:
        self._waiting: deque[Part] = deque()
        self._known: dict[Part, None] = {}

    def hear(self, parts: Sequence[Part]) -> None:
        """Take the parts that have originals of the next picture."""
        self._waiting += [part for part in parts if part not in self._known]
        self._known = dict.fromkeys(parts)

    def note(self, message: Message, width: int, height: int) -> Note:
        """Return the note of the next picture, from which on it may hold for some."""
        self.hear(message.parts)
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


def _to_bytes(note: Note) -> bytes:
    head = HEAD.pack(VERSION, note.stream, note.picture, note.width, note.height, len(note.parts))
    parts = b"".join(
        ONE.pack(number, len(tracks)) + struct.pack(f">{len(tracks)}I", *tracks)
        for number, tracks in note.parts
    )
    body = head + parts.ljust(PARTS_BYTES, b"\0")
    return body + CHECK.pack(zlib.crc32(body))


def _mended(code: bytes, lost: Sequence[int] = ()) -> Note | None:
    try:
        return _checked(bytes(_CODE.decode(code, erase_pos=list(lost))[0]))
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
