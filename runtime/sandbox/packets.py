"""Packets that are parts of one picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import av

Packet: TypeAlias = "av.Packet[av.VideoStream]"


def of_whole_pictures(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Join the packets of a key frame that have one time.

    GStreamer's ``rtph264pay config-interval=-1`` sends parameter sets before every slice of a key
    frame, where H.264 (7.4.1.2.3) has them begin another picture: FFmpeg takes one of two slices
    for two pictures of a half each. So a key frame waits for the packet that follows it. The first
    packet of a connection has no time yet.
    """
    key: Packet | None = None
    try:
        for packet in packets:
            if key is not None and packet.is_keyframe and key.pts in (None, packet.pts):
                key = _joined(key, packet)
                continue
            if key is not None:
                yield key
                key = None
            if packet.is_keyframe:
                key = packet
            else:
                yield packet
    except (av.FFmpegError, OSError, IndexError):  # what there was comes first
        if key is not None:
            yield key
        raise
    if key is not None:
        yield key


def _joined(first: Packet, second: Packet) -> Packet:
    whole: av.Packet[Any] = av.Packet(bytes(first) + bytes(second))
    whole.pts, whole.dts, whole.time_base = second.pts, second.dts, second.time_base
    whole.stream, whole.is_keyframe = second.stream, True
    return whole
