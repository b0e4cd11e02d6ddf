"""Coding without loss what is kept of a picture: pieces of any size, each for itself.

A piece is one key frame of FFV1, version 1 (RFC 9043), which says its format and needs nothing but
its size beside it: what was seen of one track tells nothing of another, and nothing around a piece
is coded with it. The codec was chosen by measuring: ``benchmarks/RESULTS.md``.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Literal

import av

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.picture import frame_of, planes_of
from sealshot.runtime.seal.originals import BLOCK_PX, FORMAT_OF_VIDEO, Originals

CODEC = "ffv1"
OPTIONS = {"level": "1", "g": "1"}
"""Each picture is a key frame."""

Size = tuple[int, int]


def coded(planes: Sequence[Plane], pixels: str) -> bytes:
    """Return the key frame of a piece; ``pixels`` is FFmpeg's name of the format."""
    frame = frame_of(planes, pixels)
    encoder = _context("w", (frame.width, frame.height), pixels)
    encoder.time_base, encoder.options = Fraction(1, 25), dict(OPTIONS)
    return b"".join(map(bytes, encoder.encode(frame)))


def pieces_of(originals: Originals) -> Iterator[list[Plane]]:
    """Yield the planes of each piece of a part, in order.

    Raises:
        FFmpegError, ValueError: they are not what the part says.
    """
    frames = _video(originals) if originals.format == FORMAT_OF_VIDEO else _decoded(originals)
    for piece, frame in zip(originals.pieces, frames, strict=True):
        width, height = _size(originals, piece.box)
        if frame.format.name != originals.pixels or frame.width < width or frame.height < height:
            raise ValueError(f"it is {frame.format.name}, {frame.width}x{frame.height}")
        # that of format 1 has more to the right and below
        cut = []
        for plane in planes_of(frame):
            step_x, step_y = (
                round(frame.width / plane.shape[1]),
                round(frame.height / plane.shape[0]),
            )
            cut.append(plane[: -(-height // step_y), : -(-width // step_x)])
        yield cut


def _decoded(originals: Originals) -> Iterator[av.VideoFrame]:
    for piece, key_frame in zip(originals.pieces, originals.key_frames, strict=True):
        decoder = _context("r", _size(originals, piece.box), originals.pixels)
        yield from decoder.decode(av.Packet(key_frame))


def _video(originals: Originals) -> Iterable[av.VideoFrame]:
    with av.open(io.BytesIO(originals.coded), format="matroska") as container:
        yield from container.decode(video=0)


def _context(mode: Literal["r", "w"], size: Size, pixels: str) -> av.VideoCodecContext:
    context = av.CodecContext.create(CODEC, mode)
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt, context.thread_count = pixels, 1
    return context


def _size(originals: Originals, box: tuple[int, int, int, int]) -> Size:
    """Return width and height of the rectangle of a piece, cut to the picture."""
    left, top, width, height = (BLOCK_PX * side for side in box)
    return min(width, originals.width - left), min(height, originals.height - top)
