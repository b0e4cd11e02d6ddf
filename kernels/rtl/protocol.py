"""Frames between host and board: what is written here, both sides keep to.

A frame is a packet of SLIP (RFC 1055): END (192) before and after it; 192 and 219 inside are sent
as 219 220 and 219 221. So one that a cable cut or noise broke ends at the next END at the latest.
Within, ``command, tag, payload, CRC-32 of all before`` (as Ethernet's; numbers are little-endian).
The board answers each whole frame with one frame: ``command + 128, the same tag, status, payload``;
a damaged one with status :attr:`Status.DAMAGED`. Commands may all be repeated without harm.
"""

from __future__ import annotations

import zlib
from enum import IntEnum

from sealshot.kernels.rtl.shape import LAYERS

VERSION = 2
END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
ANSWER = 0x80
PICTURES = 2
"""Pictures that a board holds: one that it scores, one that comes in."""


class Command(IntEnum):
    """What the host asks for."""

    HELLO = 1
    """Answer: version, 1 byte; shape, 4; identity of the weights, 4; cycles of the last face, 4."""
    WEIGHTS = 2
    """Index of a word, 2 bytes; then words of 128 bytes."""
    PARAMETERS = 3
    """Index of a word, 2 bytes; then words of 22 bytes."""
    IDENTITY = 4
    """4 bytes: what the weights are to be known by. 0 where a board has none."""
    PICTURE = 5
    """4,096 pixels, row by row. Answered when it is scored: the last sum, 4 bytes, signed."""
    SETUP = 6
    """The layer to stop after, 1 byte; how many times more a face is scored, 3 bytes."""
    PACKED = 8
    """A picture as :func:`~.packing.pack` writes it; else as PICTURE, and answered as one."""
    READ = 7
    """Memory, 1 byte; index of a word, 2; count, 2. Answer: words of four 9-bit values, 5 bytes."""


class Status(IntEnum):
    """What a board says of a frame."""

    DONE = 0
    DAMAGED = 1
    UNKNOWN = 2
    FULL = 3
    """Two pictures are here already."""


SHAPE_ID = zlib.crc32(repr(LAYERS).encode())
"""Of the layer table that a bitstream is made for."""


def frame(command: int, tag: int, payload: bytes = b"") -> bytes:
    """Return a frame as it goes over the line."""
    return slip(checked(bytes((command, tag)) + payload))


def checked(body: bytes) -> bytes:
    """Return a body with its CRC behind it."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def slip(packet: bytes) -> bytes:
    """Return a packet with its special bytes escaped, between two ENDs."""
    escaped = packet.replace(bytes((ESCAPE,)), bytes((ESCAPE, ESCAPED_ESCAPE)))
    escaped = escaped.replace(bytes((END,)), bytes((ESCAPE, ESCAPED_END)))
    return bytes((END,)) + escaped + bytes((END,))


def whole(packet: bytes) -> bytes | None:
    """Return the body of what came between two ENDs; None where it is damaged."""
    body = packet.replace(bytes((ESCAPE, ESCAPED_END)), bytes((END,)))
    body = body.replace(bytes((ESCAPE, ESCAPED_ESCAPE)), bytes((ESCAPE,)))
    if len(body) < 6 or checked(body[:-4]) != body:
        return None
    return body[:-4]
