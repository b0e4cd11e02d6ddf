"""What carries the message of a picture in the picture itself, beside user data in the stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.lsb import read_lowest_bits, with_lowest_bits
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.note import Announcer, Note
from sealshot.runtime.public.qim import GROUP, BlockReader, BlockWriter, check_size
from sealshot.runtime.public.strip import read_strip, strip_px, with_strip

Carrier = Literal["sei", "strip", "qim", "lsb"]
CARRIERS: tuple[Carrier, ...] = ("sei", "strip", "qim", "lsb")
"""``sei``: user data in the stream, which a copy keeps and an encoder drops. The others are that,
and beside it ``strip``: cells below the picture, which outlive encoding and scaling; ``qim``: the
brightness of blocks, which nobody sees and which outlives encoding; ``lsb``: the lowest bits."""
LOSSLESS = ("ffv1",)


def check_carrier(carrier: Carrier, codec: str, width: int, height: int) -> int:
    """Return how many rows a carrier takes below a picture.

    Raises:
        InputError: it does not go with this codec, or the picture is too small for it.
    """
    if carrier == "lsb" and codec not in LOSSLESS:
        raise InputError(
            f"--message lsb is in the lowest bits, which {codec} does not keep",
            hint="let the name end with .mkv and give --codec ffv1, or use --message qim",
        )
    if carrier == "qim":
        check_size(width, height)
    return strip_px(width) if carrier == "strip" else 0


class Carry(Protocol):
    """Puts the messages of one stream into its pictures, which come in order."""

    def __call__(self, planes: Sequence[Plane], message: Message) -> Sequence[Plane]:
        """Return the planes of a picture with its message."""


def carry(carrier: Carrier) -> Carry:
    """Return what puts messages into the pictures of one stream."""
    if carrier == "strip":
        return _Strip()
    if carrier == "qim":
        return _Blocks()
    return with_lowest_bits if carrier == "lsb" else _none


def _none(planes: Sequence[Plane], message: Message) -> Sequence[Plane]:
    return planes


class _Strip:
    def __init__(self) -> None:
        self._announcer = Announcer()

    def __call__(self, planes: Sequence[Plane], message: Message) -> Sequence[Plane]:
        height, width = planes[0].shape
        return with_strip(planes, self._announcer.note(message, width, height))


class _Blocks:
    def __init__(self) -> None:
        self._announcer, self._writer = Announcer(), BlockWriter()
        self._note: Note | None = None

    def __call__(self, planes: Sequence[Plane], message: Message) -> Sequence[Plane]:
        height, width = planes[0].shape
        self._announcer.hear(message.parts)
        if self._note is None or message.picture % GROUP == 0:
            self._note = self._announcer.note(message, width, height)
        return self._writer.write(planes, self._note, message.picture)


class Reader:
    """Reads what pictures say, which come in order; what is in blocks is known later than they."""

    def __init__(self) -> None:
        self._blocks = BlockReader()
        self._told: list[Message | None] = []
        """By strip or lowest bits, of the pictures that wait for what blocks say."""

    def add(self, luma: Plane, time_s: float) -> Iterator[Message | None]:
        """Take the next picture; yield the messages of pictures, each once, in order."""
        self._told.append(message_of(luma))
        yield from self._next(self._blocks.add(luma, time_s))

    def finish(self) -> Iterator[Message | None]:
        """Yield the messages of the pictures that are left."""
        yield from self._next(self._blocks.finish())

    def _next(self, notes: Iterator[Note | None]) -> Iterator[Message | None]:
        for note in notes:
            yield self._told.pop(0) or (None if note is None else _of(note))


def message_of(luma: Plane) -> Message | None:
    """Return what a picture says at once, in its strip or its lowest bits."""
    note = read_strip(luma)
    return read_lowest_bits(luma) if note is None else _of(note)


def _of(note: Note) -> Message:
    """Return what a note says, without the boxes, which it has no room for."""
    return Message(note.stream, note.picture, (), note.parts)
