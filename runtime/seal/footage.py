"""A clip as a video that any player shows at its own pace: the sealed JPEG frames, as they are."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import accumulate

import numpy as np

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.payload import Opened

TICK = Fraction(1, 1000)
"""Of Matroska's times, s."""


def write_footage(opened: Opened) -> bytes:
    """Return the clip of a shot as Matroska; no frame is decoded and encoded again.

    Its times begin with 0; `clip_times_s` of the metadata has those of the source.

    Raises:
        SealError: the clip does not begin with a JPEG picture.
    """
    import av
    import cv2

    sizes, times_s = opened.metadata.clip_bytes, opened.metadata.clip_times_s
    frames = [
        opened.clip[end - size : end] for end, size in zip(accumulate(sizes), sizes, strict=True)
    ]
    first = cv2.imdecode(np.frombuffer(frames[0], np.uint8), cv2.IMREAD_COLOR)
    if first is None:
        raise SealError("its clip does not begin with a JPEG picture", "whoever sealed it made it")
    video = io.BytesIO()
    with av.open(video, "w", format="matroska") as out:
        stream = out.add_mux_stream("mjpeg", width=first.shape[1], height=first.shape[0])
        stream.time_base = TICK
        for time_s, frame in zip(times_s, frames, strict=True):
            packet = av.Packet(frame)
            packet.stream, packet.time_base, packet.is_keyframe = stream, TICK, True
            packet.pts = packet.dts = round((time_s - times_s[0]) / TICK)
            out.mux(packet)
    return video.getvalue()
