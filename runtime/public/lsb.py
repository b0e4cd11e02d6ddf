"""The whole message in the lowest bits of the brightness: for streams without loss, and no others.

The steganography of the second seed (Proença 2020, III-C): the message of a picture
(:mod:`sealshot.runtime.public.message`) stands in the lowest bit of the first values of its first
plane, row by row, from the most significant bit of the first byte on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import MARK, Message, from_bytes, to_bytes


def with_lowest_bits(planes: Sequence[Plane], message: Message) -> list[Plane]:
    """Return planes that say a message: without its boxes where the picture is too small."""
    luma = planes[0].copy()
    data = to_bytes(message)
    if 8 * len(data) > luma.size:
        data = to_bytes(replace(message, regions=()))
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[: luma.size]
    flat = luma.reshape(-1)
    flat[: len(bits)] = flat[: len(bits)] & ~np.ones(1, luma.dtype) | bits
    return [luma, *planes[1:]]


def read_lowest_bits(luma: Plane) -> Message | None:
    """Return what a picture says; None where it says nothing."""
    flat = luma.reshape(-1)
    if np.packbits(flat[: 8 * len(MARK)] & 1).tobytes() != MARK:
        return None
    return from_bytes(np.packbits(flat & 1).tobytes())
