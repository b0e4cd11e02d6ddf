"""Packets of an RTSP server that parts its key frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO

import av
import pytest

from sealshot.runtime.sandbox.packets import of_whole_pictures

CONTAINER = av.open(BytesIO(), "w", format="mpegts")
STREAM = CONTAINER.add_stream("mpeg2video", rate=25)


def packet(data: bytes, pts: int | None, key: bool = False) -> av.Packet:
    made = av.Packet(data)
    made.pts, made.time_base, made.is_keyframe = pts, Fraction(1, 90000), key
    made.stream = STREAM
    return made


def seen(packets: Iterator[av.Packet]) -> Iterator[tuple[bytes, int | None]]:
    return ((bytes(one), one.pts) for one in of_whole_pictures(packets))


def test_parts_of_one_time_are_one_picture() -> None:
    sent = [packet(b"a", 0, True), packet(b"b", 0, True), packet(b"c", 1), packet(b"d", 2, True)]
    assert list(seen(iter(sent))) == [(b"ab", 0), (b"c", 1), (b"d", 2)]


def test_the_first_part_of_a_connection_has_no_time() -> None:
    sent = [packet(b"a", None, True), packet(b"b", 0, True), packet(b"c", 1)]
    assert list(seen(iter(sent))) == [(b"ab", 0), (b"c", 1)]


def test_pictures_without_parts_stay_as_they_are() -> None:
    sent = [packet(b"a", 0, True), packet(b"b", 1, True), packet(b"c", 1), packet(b"d", None)]
    assert list(seen(iter(sent))) == [(b"a", 0), (b"b", 1), (b"c", 1), (b"d", None)]


def test_a_key_frame_is_not_lost_with_the_connection() -> None:
    def breaks_off() -> Iterator[av.Packet]:
        yield packet(b"a", 0, True)
        raise ConnectionResetError

    got = seen(breaks_off())
    assert next(got) == (b"a", 0)
    with pytest.raises(ConnectionResetError):
        next(got)
