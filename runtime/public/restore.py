"""Bringing people back into a public stream: what it says of itself, and the originals put back.

The boxes that a stream names are never used: where a piece goes, and whose it is, is what the
camera sealed. Who alters a stream can make it say less, or nothing that holds.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.public.carriers import Reader
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.lossless import pieces_of
from sealshot.runtime.public.message import MARK, Message, Part, message_in
from sealshot.runtime.public.originals import digest, mask_of, put_back
from sealshot.runtime.public.recording import ASSUMED_STEP_S, Recording, Shown, check_file, not_read
from sealshot.runtime.seal.originals import OpenedOriginals, Piece, object_id
from sealshot.runtime.sources.contents import packets
from sealshot.runtime.sources.reader import NoVideoError

NOT_WHOLE = "--partial restores what is there"
MOST_TOLD = 12
"""Tracks that a hint names."""
TAMPERED = "the camera's program is not sealshot, or was tampered with"


@dataclass(frozen=True)
class Survey:
    """What a whole public stream says of itself."""

    stream: str
    """Its identifier, 32 hexadecimal digits."""
    pictures: int
    last: int
    """Number of the last one."""
    silent: int
    """Pictures that do not say which ones they are."""
    parts: Counter[Part]
    """Parts that have originals of it, and how often its pictures say so."""
    tracks: frozenset[int] = frozenset()
    """Whose regions its pictures name."""
    shown: array[int] | None = None
    """Number of each picture as they are shown, -1 where it says nothing; None where each says it
    in its user data."""

    def message(self, at: int) -> Message | None:
        """Return what the picture said that is shown as number ``at`` of the file."""
        if self.shown is None or at >= len(self.shown) or self.shown[at] < 0:
            return None
        return Message(bytes.fromhex(self.stream), self.shown[at], ())

    @property
    def missing(self) -> int:
        """Pictures of the stream that are not there, but for those after the last one."""
        return max(0, self.last + 1 - self.pictures - self.silent)

    def wanted(self, path: Path, tracks: frozenset[int]) -> dict[Part, str]:
        """Return the parts that show nobody but ``tracks``, with the identifiers of containers.

        Args:
            path: of the stream, for the message.
            tracks: empty for all.

        Raises:
            InputError: there are none, or none of one of the tracks.
        """
        if not self.parts:
            raise InputError(
                f"{path} says of no sealed originals",
                hint="`sealshot run --public` seals them with --policy, if not --no-originals",
            )
        own = sorted({track for _, whose in self.parts for track in whose})
        for track in sorted(tracks.difference(own)):
            what = f"sealed original of track {track} alone" if track in self.tracks else ""
            raise InputError(
                f"{path} says of no {what or f'track {track}'}",
                hint="of these alone it has originals: "
                + (", ".join(map(str, own[:MOST_TOLD])) or "nobody")
                + (f" and {len(own) - MOST_TOLD} more" if len(own) > MOST_TOLD else "")
                + "; `sealshot public read` lists all tracks",
            )
        return {
            part: object_id(self.stream, *part)
            for part in sorted(self.parts)
            if not tracks or tracks.intersection(part[1])
        }


def survey(path: Path, *, sandbox: bool = True, hidden: bool = False) -> Survey:
    """Read what a public stream says of itself.

    Where its user data is lost it is decoded, and each picture asked for what it says itself.

    Args:
        path: of the stream.
        sandbox: as of :class:`Recording`.
        hidden: whether pictures count that an edit list hides.

    Raises:
        InputError: it is no video, says nothing, or was put together anew.
    """
    packets_of = partial(messages_in_packets, hidden=hidden)
    for read in (packets_of, messages_in_order, messages_in_pictures):
        ids: set[bytes] = set()
        times, numbers, parts, silent = array("d"), array("q"), Counter[Part](), 0
        tracks = set[int]()
        all_shown = array("q")
        for time_s, message in read(path, sandbox=sandbox):
            all_shown.append(-1 if message is None else message.picture)
            if message is None:
                silent += 1
                continue
            ids.add(message.stream)
            times.append(time_s)
            numbers.append(message.picture)
            parts.update(message.parts)
            tracks.update(region[0] for region in message.regions)
        if numbers:
            break
    else:
        raise InputError(
            f"{path} says nothing of itself in {silent} pictures",
            hint="it was encoded again and says nothing in its pictures, or is no public stream: "
            "give the file that `run --public` wrote, or a copy of it (-c copy)",
        )
    if len(ids) > 1:
        raise InputError(
            f"{path} was put together from {len(ids)} public streams", hint="give one at a time"
        )
    shown = [number for _, number in sorted(zip(times, numbers, strict=True))]
    if any(after <= before for before, after in pairwise(shown)):
        raise InputError(
            f"the pictures of {path} are not in the order in which they were taken, each once",
            hint="somebody put it together anew: ask for the file as it was written",
        )
    in_pictures = None if read is packets_of else all_shown
    last, whose = shown[-1], frozenset(tracks)
    return Survey(ids.pop().hex(), len(shown), last, silent, parts, whose, in_pictures)


def messages_in_packets(
    path: Path, *, sandbox: bool = True, hidden: bool = False
) -> Iterator[tuple[float, Message | None]]:
    """Yield time, in seconds, and message of each encoded picture, as the file has them.

    Args:
        path: of the file.
        sandbox: as of :class:`Recording`.
        hidden: whether to yield those that an edit list hides, too.

    Raises:
        InputError: it is no video.
    """
    check_file(path)
    try:
        for packet in packets(path, MARK, sandbox=sandbox):
            if hidden or not packet.hidden:
                timed = packet.stamp is not None
                yield float(packet.stamp or 0), message_in(packet.user_data) if timed else None
    except NoVideoError as error:
        raise not_read(error, path) from None


def messages_in_order(
    path: Path, *, sandbox: bool = True
) -> Iterator[tuple[float, Message | None]]:
    """Yield what :func:`messages_in_packets` does of a stream without times, which is raw.

    It is taken to be of :data:`ASSUMED_STEP_S`, as when it is decoded.

    Raises:
        InputError: it is no video.
    """
    check_file(path)
    try:
        for index, packet in enumerate(packets(path, MARK, sandbox=sandbox)):
            if packet.stamp is not None:
                return
            yield float(index * ASSUMED_STEP_S), message_in(packet.user_data)
    except NoVideoError as error:
        raise not_read(error, path) from None


def messages_in_pictures(
    path: Path, *, sandbox: bool = True
) -> Iterator[tuple[float, Message | None]]:
    """Yield time, in seconds, and what each picture says itself, whatever carries it.

    Raises:
        InputError: it is no video.
    """
    reader, times = Reader(), deque[float]()
    with Recording(path, sandbox=sandbox) as recording:
        for item in recording:
            if isinstance(item, Shown):
                times.append(item.picture.time_s)
                for message in reader.add(item.picture.planes[0], item.picture.time_s):
                    yield times.popleft(), message
    for message in reader.finish():
        yield times.popleft(), message


class Restorer:
    """Puts originals back into the pictures of a stream, which come in order."""

    def __init__(
        self,
        found: Survey,
        wanted: Iterable[Part],
        open_part: Callable[[Part], Opened],
        *,
        sandbox: bool = True,
    ) -> None:
        """Start with no picture.

        Args:
            found: of the stream.
            wanted: the parts to put back.
            open_part: opens one; called once for each, in the order of their numbers, when the
                picture of its first piece has come.
            sandbox: as of :func:`~sealshot.runtime.public.lossless.pieces_of`.
        """
        self._survey, self._open_part, self._sandbox = found, open_part, sandbox
        self._wanted = frozenset(wanted)
        self._waiting = deque(sorted(wanted))
        self._open: dict[Part, _Reader] = {}
        self._pixels: str | None = None
        """Format of the planes, as the first part has it."""
        self.restored = 0
        """Pictures in which something was put back."""
        self.outside = 0
        """Pieces that were left out for their time."""
        self.later = 0
        """Pictures of the parts that come after the last one of the stream."""

    def restore(self, planes: Sequence[Plane], message: Message) -> None:
        """Put back into ``planes`` what is wanted of a picture.

        Raises:
            SealError: a part is not what the stream says or of another form, or the stream was
                scaled.
        """
        picture, done = message.picture, Counter[bool]()
        # parts are numbered as they begin, so that no later one has anything of this picture
        while self._waiting and all(r.first <= picture for r in self._open.values()):
            part = self._waiting.popleft()
            opened = self._open_part(part)
            pixels = opened.part.originals.pixels
            self._pixels = self._pixels or pixels
            if pixels != self._pixels:
                raise SealError(
                    f"part {part[0]} is of {pixels}, and those before it of {self._pixels}",
                    hint=TAMPERED,
                )
            self._open[part] = _Reader(part, opened, planes, self._sandbox)
            self.later = max(self.later, self._open[part].last - self._survey.last)
        for part, reader in tuple(self._open.items()):
            if picture in reader.pictures:
                done[reader.put(picture, planes)] += 1
            elif part in message.parts and message.regions:  # a strip tells of other pictures too
                raise SealError(
                    f"part {part[0]} has nothing of picture {picture}, which says that it has",
                    hint="the stream was altered: ask for the file as it was written",
                )
            if reader.last <= picture:
                del self._open[part]
        self.outside += done[False]
        self.restored += done[True] > 0

    def close(self) -> None:
        """End what decodes parts that were not read to their end."""
        for reader in self._open.values():
            reader.close()


@dataclass(frozen=True)
class Opened:
    """A part that may be put back, and the pictures of it that the warrant is for."""

    part: OpenedOriginals
    pictures: frozenset[int]


class _Reader:
    def __init__(self, part: Part, opened: Opened, planes: Sequence[Plane], sandbox: bool) -> None:
        self._originals, self._inside = opened.part.originals, opened.pictures
        self._name = f"part {part[0]}"
        height, width = planes[0].shape
        if (width, height) != (self._originals.width, self._originals.height):
            raise SealError(
                f"{self._name} is of pictures of {self._originals.width}x"
                f"{self._originals.height}, and these are {width}x{height}",
                hint=TAMPERED,
            )
        pieces = self._originals.pieces
        self.pictures = frozenset(piece.picture for piece in pieces)
        self.first, self.last = pieces[0].picture, pieces[-1].picture
        self._pieces = self._read(sandbox)
        self._next = next(self._pieces, None)

    def put(self, picture: int, planes: Sequence[Plane]) -> bool:
        """Put back the pieces of a picture; say whether the warrant is for it."""
        while self._next is not None and self._next[0].picture <= picture:
            (piece, cut), self._next = self._next, next(self._pieces, None)
            if digest(cut) != piece.sha256:
                raise SealError(f"the pixels of {self._name} are not those that were sealed")
            if piece.picture == picture and picture in self._inside:
                put_back(planes, piece.box, mask_of(piece), cut)
        return picture in self._inside

    def close(self) -> None:
        """End what decodes the part."""
        self._pieces.close()

    def _read(self, sandbox: bool) -> Generator[tuple[Piece, list[Plane]]]:
        cuts = pieces_of(self._originals, sandbox=sandbox)
        try:
            yield from zip(self._originals.pieces, cuts, strict=True)
        except ValueError as error:
            raise SealError(f"what {self._name} holds cannot be decoded: {error}") from error
