"""Bringing people back into a public stream: what it says of itself, and the originals put back.

The boxes that a stream names are never used: where a piece goes, and whose it is, is what the
camera sealed. Who alters a stream can make it say less, or nothing that holds.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
from av.error import FFmpegError

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import Message, message_in
from sealshot.runtime.public.originals import Tracks, digest, frames_of, mask_of, put_back
from sealshot.runtime.seal.originals import OpenedOriginals, Piece, object_id

Part = tuple[int, Tracks]
"""Number of a part, and whose it is."""
NOT_WHOLE = "--partial restores what is there"


@dataclass(frozen=True)
class Survey:
    """What a whole public stream says of itself."""

    stream: str
    """Its identifier, 32 hexadecimal digits."""
    pictures: int
    first: int
    last: int
    parts: Counter[Part]
    """Parts that have originals of it, and of how many of its pictures."""

    @property
    def missing(self) -> int:
        """Pictures of the stream that are not there, but for those after the last one."""
        return self.last + 1 - self.pictures

    def wanted(self, tracks: frozenset[int]) -> dict[Part, str]:
        """Return the parts that show nobody but ``tracks``, with the identifiers of containers.

        Args:
            tracks: empty for all.
        """
        return {
            part: object_id(self.stream, *part)
            for part in sorted(self.parts)
            if not tracks or tracks.issuperset(part[1])
        }

    def shared(self, tracks: frozenset[int]) -> int:
        """Return in how many pictures, at most, one of ``tracks`` shares blocks with others."""
        return sum(
            count
            for (_, owners), count in self.parts.items()
            if tracks.intersection(owners) and not tracks.issuperset(owners)
        )


def survey(path: Path) -> Survey:
    """Read what a public stream says of itself, without decoding it.

    Raises:
        InputError: it is no video, says nothing, or was put together or encoded anew.
    """
    ids: set[bytes] = set()
    times, numbers, parts, silent = array("q"), array("q"), Counter[Part](), 0
    try:
        with av.open(str(path.absolute())) as container:
            for packet in container.demux(video=0):
                message = message_in(bytes(packet)) if packet.size else None
                if message is None or packet.pts is None:
                    silent += packet.size > 0
                    continue
                ids.add(message.stream)
                times.append(packet.pts)
                numbers.append(message.picture)
                parts.update(message.parts)
    except (FFmpegError, OSError, IndexError) as error:
        why = getattr(error, "strerror", None) or "there is no video in it"
        raise InputError(
            f"{path} is not a video that FFmpeg can read: {str(why).lower()}",
            hint="check that it plays elsewhere",
        ) from None
    if not numbers or silent:
        raise InputError(
            f"{path} says nothing of itself in {silent} of {silent + len(numbers)} pictures",
            hint="it was encoded again, or is no public stream: give the file that `run --public` "
            "wrote, or a copy of it (-c copy)",
        )
    if len(ids) > 1:
        raise InputError(
            f"{path} was put together from {len(ids)} public streams", hint="give one at a time"
        )
    shown = [number for _, number in sorted(zip(times, numbers, strict=True))]
    if any(after <= before for before, after in pairwise(shown)):
        raise InputError(
            f"the pictures of {path} are not in the order in which they were taken",
            hint="somebody put it together anew: ask for the file as it was written",
        )
    return Survey(ids.pop().hex(), len(shown), shown[0], shown[-1], parts)


class Restorer:
    """Puts originals back into the pictures of a stream, which come in order."""

    def __init__(
        self, found: Survey, wanted: frozenset[Part], open_part: Callable[[Part], Opened]
    ) -> None:
        """Start with no picture.

        Args:
            found: of the stream.
            wanted: the parts to put back.
            open_part: opens one; called once for each, when its first picture comes.
        """
        self._survey, self._wanted, self._open_part = found, wanted, open_part
        self._parts: dict[Part, _Reader] = {}
        self.restored = 0
        """Pictures in which something was put back."""
        self.outside = 0
        """Pieces that were left out for their time."""
        self.later = 0
        """Pictures of the parts that come after the last one of the stream."""

    def restore(self, planes: Sequence[Plane], message: Message) -> None:
        """Put back into ``planes`` what is wanted of a picture.

        Raises:
            SealError: a part is not what the stream says, or the stream was scaled.
        """
        changed = False
        for part in message.parts:
            if part not in self._wanted:
                continue
            if part not in self._parts:
                self._parts[part] = _Reader(part, self._open_part(part), planes)
                self.later = max(self.later, self._parts[part].last - self._survey.last)
            done = self._parts[part].put(message.picture, planes)
            self.outside += not done
            changed = changed or done
        self.restored += changed
        for part, reader in tuple(self._parts.items()):
            if reader.last <= message.picture:
                del self._parts[part]


@dataclass(frozen=True)
class Opened:
    """A part that may be put back, and the pictures of it that the warrant is for."""

    part: OpenedOriginals
    pictures: frozenset[int]


class _Reader:
    def __init__(self, part: Part, opened: Opened, planes: Sequence[Plane]) -> None:
        self._originals, self._pictures = opened.part.originals, opened.pictures
        self._name = f"part {part[0]}"
        height, width = planes[0].shape
        if (width, height) != (self._originals.width, self._originals.height):
            raise SealError(
                f"the pictures are {width}x{height}, and were {self._originals.width}x"
                f"{self._originals.height} when they were covered: the stream was scaled",
                hint="give the file that `run --public` wrote, or a copy of it (-c copy)",
            )
        self._pieces = self._read()
        self.last = self._originals.pieces[-1].picture

    def put(self, picture: int, planes: Sequence[Plane]) -> bool:
        """Put back the piece of a picture; say whether the warrant is for it."""
        piece, cut = next(
            (pair for pair in self._pieces if pair[0].picture >= picture), (None, None)
        )
        if piece is None or cut is None or piece.picture != picture:
            raise SealError(
                f"{self._name} has nothing of picture {picture}, which says that it has",
                hint="the stream was altered: ask for the file as it was written",
            )
        if digest(planes, piece.box, cut) != piece.sha256:
            raise SealError(f"the pixels of picture {picture} in {self._name} are not the sealed")
        if picture in self._pictures:
            put_back(planes, piece.box, mask_of(piece), cut)
        return picture in self._pictures

    def _read(self) -> Iterator[tuple[Piece, list[Plane]]]:
        try:
            yield from zip(self._originals.pieces, frames_of(self._originals), strict=True)
        except (FFmpegError, ValueError, IndexError) as error:
            raise SealError(f"the video of {self._name} cannot be decoded: {error}") from error
