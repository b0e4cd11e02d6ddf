"""What a public stream covered, as it is sealed: one ZIP with the original pixels of some regions.

    originals.json    Metadata, always first
    originals.ffv1    the pieces one after another, each an FFV1 key frame of its own size

One such part holds what one track alone showed, or what was seen where the regions of several share
blocks, of at most a minute. As everywhere in a seal, the reader takes nothing on trust.

Format 1, which is read and no more written, had originals.mkv: a video of one size, with each piece
in the upper left corner of a picture.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sealshot import __version__
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.fields import (
    Check,
    is_list,
    is_number,
    is_object,
    is_object_id,
    is_sha256,
    is_text,
    is_whole,
    matches,
    parse_object,
    problem,
)
from sealshot.runtime.seal.payload import Origin, Times, printable
from sealshot.runtime.seal.times import format_time, is_time, parse_time
from sealshot.runtime.seal.versions import refuse_newer

FORMAT, FORMAT_OF_VIDEO = 2, 1
CONTENT = "originals"
METADATA_NAME, CODED_NAME, VIDEO_NAME = "originals.json", "originals.ffv1", "originals.mkv"
METADATA_LIMIT = 16 * 1024 * 1024  # bytes; a piece takes about 200
BLOCK_PX = 16
LONGEST_S = 60.0
"""From the first piece of a part to its last."""
MOST_PIXELS = 2**15
PIXELS = "yuv420p|yuv422p|yuv444p|yuv420p10le|yuv422p10le|yuv444p10le"


@dataclass(frozen=True, slots=True)
class Piece:
    """What a picture showed in blocks of 16x16 pixels of its first plane that lie together."""

    picture: int
    """Number in the stream, from 0."""
    time_s: float
    """Seconds since the first picture."""
    box: tuple[int, int, int, int]
    """Left, top, width, height of the rectangle around the blocks, in blocks."""
    blocks: str
    """Which of its blocks are meant, row by row, one bit each, most significant first, filled up
    with 0, in hexadecimal; the others are coded as 0. Empty: all are."""
    sha256: str
    """Of the rectangle, cut to the picture, as it is coded: Y, U, V, row by row, two bytes a value
    (low byte first) where the format has 10 bits."""
    coded_bytes: int = 0
    """Of its key frame; 0 in format 1."""


@dataclass(frozen=True, slots=True)
class Originals:
    """One part of what a public stream covered."""

    stream: str
    """Identifier of the stream, 32 hexadecimal digits."""
    part: int
    """Number in the stream."""
    tracks: tuple[int, ...]
    """Whose the blocks are: one track; none where several touch each of them."""
    width: int
    height: int
    """Of the pictures of the stream."""
    pixels: str
    """FFmpeg's name of the format of the planes."""
    pieces: tuple[Piece, ...]
    coded: bytes
    """The key frames of the pieces one after another; in format 1, the video."""
    format: int = FORMAT

    @property
    def id(self) -> str:
        """The identifier of the container that holds it."""
        return object_id(self.stream, self.part, self.tracks)


@dataclass(frozen=True, slots=True)
class OpenedOriginals:
    """A part out of its seal."""

    originals: Originals
    source: str
    taken: datetime
    """When its first piece was taken."""
    clock: str

    def within(self, start: datetime, end: datetime) -> frozenset[int]:
        """Return the pictures that were taken from ``start`` to before ``end``."""
        first = self.originals.pieces[0].time_s
        return frozenset(
            piece.picture
            for piece in self.originals.pieces
            if start <= self.taken + timedelta(seconds=piece.time_s - first) < end
        )


def object_id(stream: str, part: int, tracks: Sequence[int]) -> str:
    """Return the identifier of the container of a part, 32 hexadecimal digits.

    Who has the public stream, which says all three, knows where its originals are; to everybody
    else it is as random as the identifier of the stream.
    """
    told = b"sealshot/originals/1\n" + bytes.fromhex(stream) + struct.pack(">I", part)
    return hashlib.sha256(told + struct.pack(f">{len(tracks)}I", *tracks)).hexdigest()[:32]


def pack_originals(originals: Originals, origin: Origin, times: Times) -> bytes:
    """Encode a part.

    Raises:
        SealshotError: :func:`unpack_originals` would refuse the result.
    """
    named = _by_name(originals)
    coded = named.pop("coded")
    metadata = {
        "sealshot": __version__,
        "source": printable(origin.source),
        **named,
        "pieces": [_by_name(piece) for piece in originals.pieces],
        "utc": format_time(times.taken),
        "clock": times.clock,
        "sealed": format_time(times.sealed),
    }
    encoded = json.dumps(metadata, separators=(",", ":")).encode()
    packed = write_zip({METADATA_NAME: encoded, CODED_NAME: coded})
    try:
        unpack_originals(packed)
    except SealError as error:  # better now than when nobody can see the person any more
        raise SealshotError(f"part {originals.part} is unfit: {error.fact}") from error
    return packed


def unpack_originals(data: bytes) -> OpenedOriginals:
    """Decode what :func:`pack_originals` made.

    Raises:
        SealError: it is anything else.
    """
    try:
        members = read_zip(data, limit=2)
        if METADATA_NAME not in members:
            raise ValueError("its parts are not those of originals")
        values = parse_object(members[METADATA_NAME], METADATA_NAME, METADATA_LIMIT)
    except ValueError as error:
        raise _foreign(str(error)) from error
    refuse_newer("originals", values.get("format"), FORMAT)
    is_video = values.get("format") == FORMAT_OF_VIDEO
    if wrong := problem(values, _checks(_PIECE if is_video else _PIECE | _CODED)):
        raise _foreign(f"in its {METADATA_NAME} {wrong}")
    name = VIDEO_NAME if is_video else CODED_NAME
    if list(members) != [METADATA_NAME, name]:
        raise _foreign("its parts are not those of originals")
    pieces = tuple(Piece(**{**piece, "box": tuple(piece["box"])}) for piece in values["pieces"])
    originals = Originals(
        **{
            name: values[name] for name in ("stream", "part", "width", "height", "pixels", "format")
        },
        tracks=tuple(values["tracks"]),
        pieces=pieces,
        coded=members[name],
    )
    if wrong := _problem(originals):
        raise _foreign(wrong)
    return OpenedOriginals(originals, values["source"], parse_time(values["utc"]), values["clock"])


def _by_name(one: Originals | Piece) -> dict[str, Any]:
    """Return its fields as they are; to copy what is in them (``asdict``) takes most of packing."""
    return {field.name: getattr(one, field.name) for field in fields(one)}


def _problem(originals: Originals) -> str:
    """Return what is wrong with a part, or nothing."""
    tracks, pieces = originals.tracks, originals.pieces
    if len(tracks) > 1 or any(track >= 2**32 for track in tracks):
        return "it is not of one track"
    pictures = [piece.picture for piece in pieces]
    if not pieces or pictures != sorted(pictures):
        return "its pieces are not in order"
    if not 0 <= pieces[-1].time_s - pieces[0].time_s <= LONGEST_S:
        return "it is longer than a part may be"
    for piece in pieces:
        left, top, width, height = piece.box
        inside = (left + width - 1) * BLOCK_PX < originals.width and (
            top + height - 1
        ) * BLOCK_PX < originals.height
        if not (width and height and inside):
            return f"the box of picture {piece.picture} is out of the frame"
        if piece.blocks and len(piece.blocks) != 2 * -(-width * height // 8):
            return f"the blocks of picture {piece.picture} are not those of its box"
    coded = sum(piece.coded_bytes for piece in pieces)
    if originals.format != FORMAT_OF_VIDEO and coded != len(originals.coded):
        return f"its pieces are not those of its {CODED_NAME}"
    return ""


def _is_side(value: Any) -> bool:
    return is_whole(value) and 0 < value <= MOST_PIXELS


_PIECE: dict[str, Check] = {
    "picture": is_whole,
    "time_s": is_number,
    "box": is_list(lambda value: is_whole(value) and value <= MOST_PIXELS // BLOCK_PX, length=4),
    "blocks": matches("[0-9a-f]*"),
    "sha256": is_sha256,
}
_CODED: dict[str, Check] = {"coded_bytes": lambda value: is_whole(value) and value > 0}


def _checks(piece: dict[str, Check]) -> dict[str, Check]:
    return {
        "format": lambda value: is_whole(value) and value > 0,
        "sealshot": is_text,
        "source": is_text,
        "stream": is_object_id,
        "part": lambda value: is_whole(value) and value < 2**32,
        "tracks": is_list(is_whole),
        "width": _is_side,
        "height": _is_side,
        "pixels": matches(PIXELS),
        "pieces": is_list(is_object(piece)),
        "utc": is_time,
        "clock": is_text,
        "sealed": is_time,
    }


def _foreign(what: str) -> SealError:
    return SealError(
        f"it opens, but does not hold originals of a public stream: {what}",
        hint="`sealshot open` opens shots",
    )
