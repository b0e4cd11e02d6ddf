"""A picture as it was decoded, put together again from what the sandbox says of it."""

from __future__ import annotations

import av
import numpy as np

from sealshot.runtime.sandbox import messages
from sealshot.runtime.sandbox.messages import text
from sealshot.runtime.sandbox.shape import Turn
from sealshot.runtime.types import Image, Raw


def raw_of(said: messages.Raw, planes: Image, turn: Turn) -> Raw:
    """Copy a picture out of shared memory.

    Args:
        said: its form; not believed.
        planes: ``uint8 [n]``: where they lie, and what comes behind them.
        turn: of its stream.

    Raises:
        ValueError: it cannot be so.
    """
    frame = av.VideoFrame(said.width, said.height, text(said.format))
    if len(frame.planes) != len(said.planes):
        raise ValueError("it has other planes")
    for (size, row), plane in zip(said.planes, frame.planes, strict=True):
        if not 0 < size <= len(planes) or row > size:
            raise ValueError("its planes are larger than what there is")
        target = np.frombuffer(memoryview(plane), np.uint8)
        if not row or row == plane.line_size:
            count = min(size, len(target))
            target[:count] = planes[:count]
        else:
            width, count = min(row, plane.line_size), min(size // row, plane.height)
            rows = target.reshape(plane.height, plane.line_size)
            rows[:count, :width] = planes[: count * row].reshape(count, row)[:, :width]
        planes = planes[size:]
    frame.color_range, frame.colorspace = said.range, said.matrix
    frame.color_primaries, frame.color_trc = said.primaries, said.transfer
    return Raw(frame, turn)
