"""What a public stream says of itself: which stream, which picture, what is covered in it.

It is carried in H.264 and H.265 as user data (SEI, payload type 5 of ITU-T H.264 D.1.7 and H.265
D.2.7): players pass over it, a copy of the stream keeps it, an encoder drops it.

    bytes   what
    16      UUID of this message, 4f1d8c0e-6a55-4c1b-9a53-6f0d2b7be7a1
    1       version, 2
    16      identifier of the stream, random
    4       number of the picture in it, from 0
    2       number of regions, n
    12 n    each: track (4, unsigned), x0, y0, x1, y1 (2 each, signed, pixels)
    2       number of sealed parts that have originals of it, m
            of each: number (4), number of tracks t (2), the tracks (4 t)
    4       CRC-32 of all before it

Numbers are big-endian.
"""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sealshot.runtime.public.cover import Region

MARK = uuid.UUID("4f1d8c0e-6a55-4c1b-9a53-6f0d2b7be7a1").bytes
VERSION = 2
HEAD, REGION, CHECK = struct.Struct(">16sB16sIH"), struct.Struct(">I4h"), struct.Struct(">I")
COUNT, PART = struct.Struct(">H"), struct.Struct(">IH")
MOST = 2**16 - 1
LOWEST, HIGHEST = -(2**15), 2**15 - 1
# of the NAL unit that holds a SEI message before a picture
NAL_HEADERS = {"h264": b"\x06", "h265": b"\x4e\x01"}
USER_DATA_UNREGISTERED = 5

Part = tuple[int, tuple[int, ...]]
"""A sealed part: its number, and the track that it shows; no track where it shows several."""


@dataclass(frozen=True)
class Message:
    """What one picture says."""

    stream: bytes
    """16 bytes, the same for all pictures of a stream."""
    picture: int
    regions: tuple[tuple[int, int, int, int, int], ...]
    """Track, and ``x0, y0, x1, y1`` in whole pixels; may reach out of the picture."""
    parts: tuple[Part, ...] = ()
    """The sealed parts that have originals of it."""


def message_of(
    stream: bytes,
    picture: int,
    regions: Sequence[Region],
    parts: Sequence[Part] = (),
) -> Message:
    """Return what a picture says of what was covered in it, and of where its originals are."""
    boxes = [(region.track, *(round(v) for v in region.box)) for region in regions]
    return Message(
        stream,
        picture,
        tuple(
            (t, *(min(max(v, LOWEST), HIGHEST) for v in (a, b, c, d)))  # type: ignore[misc]
            for t, a, b, c, d in boxes[:MOST]
        ),
        tuple(parts),
    )


def to_bytes(message: Message) -> bytes:
    """Write a message."""
    head = HEAD.pack(MARK, VERSION, message.stream, message.picture, len(message.regions))
    body = head + b"".join(REGION.pack(*region) for region in message.regions)
    body += COUNT.pack(len(message.parts))
    for number, tracks in message.parts:
        body += PART.pack(number, len(tracks)) + struct.pack(f">{len(tracks)}I", *tracks)
    return body + CHECK.pack(zlib.crc32(body))


def from_bytes(data: bytes) -> Message | None:
    """Read a message; None where it is another's, of a later version, or damaged."""
    try:
        mark, version, stream, picture, count = HEAD.unpack_from(data)
        if (mark, version) != (MARK, VERSION):
            return None
        at = HEAD.size + count * REGION.size
        regions = tuple(REGION.iter_unpack(data[HEAD.size : at]))
        (count,), at, parts = COUNT.unpack_from(data, at), at + COUNT.size, []
        for _ in range(count):
            number, tracks = PART.unpack_from(data, at)
            at += PART.size
            parts.append((number, struct.unpack_from(f">{tracks}I", data, at)))
            at += 4 * tracks
        if CHECK.unpack_from(data, at)[0] != zlib.crc32(data[:at]):
            return None
    except struct.error:
        return None
    return Message(stream, picture, regions, tuple(parts))


def nal_unit(payload: bytes, codec: Literal["h264", "h265"]) -> bytes:
    """Return user data as a NAL unit with its start code (Annex B), to stand before a picture."""
    size = b"\xff" * (len(payload) // 255) + bytes([len(payload) % 255])
    raw = bytes([USER_DATA_UNREGISTERED]) + size + payload + b"\x80"
    escaped = re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", raw)  # emulation prevention
    return b"\x00\x00\x00\x01" + NAL_HEADERS[codec] + escaped


def message_in(packet: bytes) -> Message | None:
    """Return the message of an encoded picture; None where it has none that can be read."""
    at = packet.find(MARK)
    return None if at < 0 else from_bytes(packet[at:].replace(b"\0\0\3", b"\0\0"))
