"""What a video file has beside its pictures, parsed apart as those are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sealshot.runtime.sandbox.messages import PACKET, Request
from sealshot.runtime.sources.apart import Taken, data_of
from sealshot.runtime.sources.media import descriptors_of
from sealshot.runtime.types import Image


@dataclass(frozen=True, slots=True)
class Packet:
    """An encoded picture."""

    stamp: Fraction | None
    """Its time, s; None where it has none."""
    user_data: bytes
    """What was marked in it, and all behind it; empty where nothing was."""
    hidden: bool = False
    """Whether an edit list hides it, as in MP4 that was cut."""


def packets(path: Path, mark: bytes, *, sandbox: bool = True) -> Iterator[Packet]:
    """Yield the packets of the first video of a file, as they lie in it.

    Args:
        path: of the file.
        mark: what is looked for in each.
        sandbox: whether it is parsed in a process of its own.

    Raises:
        NoVideoError: it is no video.
    """

    def understood(data: Image) -> Packet:
        if len(data) < PACKET.size:
            raise ValueError
        hidden, timed, ticks, numerator, denominator = PACKET.unpack_from(data.data)
        if not denominator:
            raise ValueError
        stamp = ticks * Fraction(numerator, denominator) if timed else None
        return Packet(stamp, data[PACKET.size :].tobytes(), hidden)

    return _data_of("packets", path, understood, sandbox, mark)


def attachments(path: Path, *, sandbox: bool = True) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each attachment of a file.

    Raises:
        NoVideoError: it is no video.
    """

    def understood(data: Image) -> tuple[str, bytes]:
        name, _, rest = data.tobytes().partition(b"\0")
        return name.decode(errors="replace"), rest

    return _data_of("attachments", path, understood, sandbox)


def _data_of(
    job: str, path: Path, understood: Callable[[Image], Taken], sandbox: bool, mark: bytes = b""
) -> Iterator[Taken]:
    target = str(path.absolute())  # so that FFmpeg does not take `x:clip.mp4` for a protocol
    request = Request(target, job=job, mark=mark.hex(), readable=(target,))
    return data_of(request, understood, sandbox=sandbox, descriptors=descriptors_of(target))
