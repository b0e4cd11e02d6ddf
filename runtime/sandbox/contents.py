"""What a video file has beside its pictures: packets as they are, and attachments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import FFmpegError

from sealshot.runtime.sandbox import OPTIONS
from sealshot.runtime.sandbox.errors import NoStreamError
from sealshot.runtime.sandbox.media import no_stream
from sealshot.runtime.sandbox.messages import PACKET, Parts, Request


def packets(request: Request) -> Iterator[Parts]:
    """Yield of each packet of the first video :data:`PACKET`, and what is marked in it.

    Raises:
        NoStreamError: it is no video.
    """
    mark = bytes.fromhex(request.mark)
    with _opened(request.target) as container:
        for packet in container.demux(video=0):
            if packet.size:
                base = max(packet.time_base or Fraction(0), Fraction(0))
                timed = packet.is_discard, packet.pts is not None, packet.pts or 0
                head = PACKET.pack(*timed, base.numerator, base.denominator)
                data = bytes(packet)
                at = data.find(mark)
                yield head, data[at:] if at >= 0 else b""


def attachments(request: Request) -> Iterator[Parts]:
    """Yield the name of each attachment, a zero byte, and its bytes.

    Raises:
        NoStreamError: it is no video.
    """
    with _opened(request.target) as container:
        for one in container.streams.attachments:
            if one.name and one.data:
                yield one.name.encode() + b"\0", one.data


@contextmanager
def _opened(target: str) -> Iterator[InputContainer]:
    try:
        with av.open(target, options=dict(OPTIONS), metadata_errors="replace") as container:
            yield container
    except FFmpegError as error:
        raise no_stream(error, target) from None
    except IndexError:
        raise NoStreamError("there is no video in it", lasting=True) from None
    except (OSError, ValueError) as error:
        raise NoStreamError(type(error).__name__, lasting=True) from None
