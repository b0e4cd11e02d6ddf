"""A clip as a video that any player shows at its own pace: the sealed JPEG frames, as they are.

None is decoded: the process holds the investigator's keys, and who sealed the frames may have been
a stranger to whom a camera was lost.
"""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import accumulate

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.payload import Opened

BEGINS = b"\xff\xd8"
SIZE_SAID = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that begin a frame (ITU-T T.81, table B.1)."""
TICK = Fraction(1, 1000)
"""Of Matroska's times, s."""


def write_footage(opened: Opened) -> bytes:
    """Return the clip of a shot as Matroska; no frame is decoded and encoded again.

    Its times begin with 0; `clip_times_s` of the metadata has those of the source.

    Raises:
        SealError: the clip does not begin with a JPEG picture.
    """
    import av

    sizes, times_s = opened.metadata.clip_bytes, opened.metadata.clip_times_s
    frames = [
        opened.clip[end - size : end] for end, size in zip(accumulate(sizes), sizes, strict=True)
    ]
    size = _size(frames[0])
    if size is None:
        raise SealError("its clip does not begin with a JPEG picture", "whoever sealed it made it")
    video = io.BytesIO()
    with av.open(video, "w", format="matroska") as out:
        stream = out.add_mux_stream("mjpeg", width=size[0], height=size[1])
        stream.time_base = TICK
        for time_s, frame in zip(times_s, frames, strict=True):
            packet = av.Packet(frame)
            packet.stream, packet.time_base, packet.is_keyframe = stream, TICK, True
            packet.pts = packet.dts = round((time_s - times_s[0]) / TICK)
            out.mux(packet)
    return video.getvalue()


def _size(jpeg: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG picture; None where it is none (ITU-T T.81, B.2)."""
    at = len(BEGINS)
    while jpeg.startswith(BEGINS) and jpeg[at : at + 1] == b"\xff" and at + 9 <= len(jpeg):
        if jpeg[at + 1] in SIZE_SAID:
            height, width = (int.from_bytes(jpeg[i : i + 2], "big") for i in (at + 5, at + 7))
            return (width, height) if width and height else None
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return None
