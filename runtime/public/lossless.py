"""Coding without loss what is kept of a picture: pieces of any size, each for itself.

A piece is one key frame of FFV1, version 1 (RFC 9043), which says its format and needs nothing but
its size beside it: what was seen of one track tells nothing of another, and nothing around a piece
is coded with it. The codec was chosen by measuring: ``benchmarks/TRIED.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.picture import TEN_BITS, frame_of
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sandbox.pieces import Size, context
from sealshot.runtime.seal.originals import BLOCK_PX, FORMAT_OF_VIDEO, Originals
from sealshot.runtime.sources.apart import data_of, handed_over
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.types import Image

OPTIONS = {"level": "1", "g": "1"}
"""Each picture is a key frame."""


def coded(planes: Sequence[Plane], pixels: str) -> bytes:
    """Return the key frame of a piece; ``pixels`` is FFmpeg's name of the format."""
    frame = frame_of(planes, pixels)
    encoder = context("w", (frame.width, frame.height), pixels)
    encoder.time_base, encoder.options = Fraction(1, 25), dict(OPTIONS)
    return b"".join(map(bytes, encoder.encode(frame)))


def pieces_of(originals: Originals, *, sandbox: bool = True) -> Iterator[list[Plane]]:
    """Yield the planes of each piece of a part, in order.

    Args:
        originals: the part.
        sandbox: whether they are decoded in a process of its own: who sealed them may have been a
            stranger to whom a camera was lost.

    Raises:
        ValueError: they are not what the part says.
    """
    sizes = [_size(originals, piece.box) for piece in originals.pieces]
    told = {
        "pixels": originals.pixels,
        "pieces": [
            (*size, piece.coded_bytes) for size, piece in zip(sizes, originals.pieces, strict=True)
        ],
        "video": originals.format == FORMAT_OF_VIDEO,
    }
    dtype = np.uint16 if originals.pixels.endswith(TEN_BITS) else np.uint8
    left = sizes[::-1]

    def understood(data: Image) -> list[Plane]:
        if not left:
            raise ValueError("there are more")
        planes, at, values = [], 0, data.view(dtype)
        for plane in av.VideoFrame(*left.pop(), originals.pixels).planes:
            size = plane.height * plane.width
            planes.append(values[at : at + size].reshape(plane.height, plane.width))
            at += size
        if at != len(values):
            raise ValueError("it has another size")
        return planes

    with handed_over(json.dumps(told).encode() + b"\n", originals.coded) as memory:
        request = Request("", job="pieces", given=memory)
        try:
            yield from data_of(request, understood, sandbox=sandbox, descriptors=(memory,))
        except NoVideoError as error:
            raise ValueError(error.why) from None
    if left:
        raise ValueError(f"{len(left)} of its pieces are missing")


def _size(originals: Originals, box: tuple[int, int, int, int]) -> Size:
    """Return width and height of the rectangle of a piece, cut to the picture."""
    left, top, width, height = (BLOCK_PX * side for side in box)
    return min(width, originals.width - left), min(height, originals.height - top)
