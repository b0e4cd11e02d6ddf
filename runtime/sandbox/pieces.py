"""Pieces of pictures that were coded without loss, handed over in memory: to their planes."""

from __future__ import annotations

import io
import json
import mmap
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import av
from av.error import FFmpegError

from sealshot.runtime.sandbox.errors import NoStreamError
from sealshot.runtime.sandbox.messages import Parts, Request

CODEC = "ffv1"
Size: TypeAlias = tuple[int, int]
"""Width and height."""


def pieces(request: Request) -> Iterator[Parts]:
    """Yield the planes of each piece, one behind the other, without anything between their rows.

    What was handed over begins with a line of JSON: ``pixels``, FFmpeg's name of their format;
    ``pieces``, of each its width, height and bytes; ``video``, whether what follows is a video with
    each piece in the upper left corner of a picture, and not a key frame of each.

    Raises:
        NoStreamError: they are not what is said.
    """
    with mmap.mmap(request.given, 0, prot=mmap.PROT_READ) as given:
        told = json.loads(given.readline())
        data = given.read()
    frames = _video(data) if told["video"] else _key_frames(data, told)
    try:
        for (width, height, _), frame in zip(told["pieces"], frames, strict=True):
            if frame.format.name != told["pixels"] or not fits(frame, width, height):
                said = f"it is {frame.format.name}, {frame.width}x{frame.height}"
                raise NoStreamError(said, lasting=True)
            yield tuple(_rows(frame, width, height))
    except (FFmpegError, ValueError, IndexError) as error:
        why = str(getattr(error, "strerror", None) or error)
        raise NoStreamError(why, lasting=True) from None


def context(mode: Literal["r", "w"], size: Size, pixels: str) -> av.VideoCodecContext:
    """Return what codes pieces of a size, or decodes them."""
    made = av.CodecContext.create(CODEC, mode)
    assert isinstance(made, av.VideoCodecContext)
    made.width, made.height = size
    made.pix_fmt, made.thread_count = pixels, 1
    return made


def fits(frame: av.VideoFrame, width: int, height: int) -> bool:
    """Whether a piece of a size is in a frame."""
    return 0 < width <= frame.width and 0 < height <= frame.height


def _key_frames(data: bytes, told: dict[str, Any]) -> Iterator[av.VideoFrame]:
    at = 0
    for width, height, size in told["pieces"]:
        decoder = context("r", (width, height), told["pixels"])
        yield from decoder.decode(av.Packet(data[at : at + size]))
        at += size


def _video(data: bytes) -> Iterator[av.VideoFrame]:
    with av.open(io.BytesIO(data), format="matroska") as container:
        yield from container.decode(video=0)


def _rows(frame: av.VideoFrame, width: int, height: int) -> Iterator[memoryview]:
    for plane in frame.planes:
        step_x, step_y = round(frame.width / plane.width), round(frame.height / plane.height)
        value = 2 if frame.format.name.endswith("le") else 1
        taken, data = value * -(-width // step_x), memoryview(plane)
        for row in range(-(-height // step_y)):
            at = row * plane.line_size
            yield data[at : at + taken]
