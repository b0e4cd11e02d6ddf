"""What the two processes say to each other: requests one way, small structs of fixed size back.

Who reads those back does not trust who wrote them: each has one size, its numbers are looked at
before they are used, and its texts are ASCII that can be printed. The pixels lie in shared memory.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

PROTOCOL = 6
"""Raised with each change of what is said, :class:`Refused` excepted: who starts a process may run
since before an update."""
CREDIT = b"+"
"""Sent for each picture that was copied out: one lies in shared memory, while the next is made."""
NEWEST = b"n"
"""Sent once, of a stream: from now on pictures are told of, and given when they are asked for."""
ASK, ASK_NEIGHBOUR = b"?", b"&"
"""Ask for the newest picture, or for the first one that was decoded since one was given: at once
where there is one, and else as soon as it is decoded."""
ROOM = Struct("<Q")
"""Answers :class:`Need`: bytes of shared memory from now on."""
PACKET = Struct("<??qII")
"""Before what is marked in a packet: whether an edit list hides it, whether it has a time, ticks,
and seconds a tick as numerator and denominator."""
PIXELS = Struct("<II")
"""Before the BGR pixels of a picture: its width and height, or zeros where it is none."""
PLANES = 4
MOST = 2048
"""No message back is larger, in bytes."""


class MessageError(Exception):
    """What came is no message."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to open, and how. It goes through a socket, so that no other process can read it."""

    target: str
    """A path or an address."""
    options: dict[str, str] = field(default_factory=dict)
    """For FFmpeg."""
    aspect: tuple[int, int] | None = None
    """Width over height of the whole picture as it is to be shown; None takes what the stream
    says."""
    every_s: float | None = None
    """Where it is one picture: open it anew so often."""
    verified: bool = False
    """Whether TLS must verify who answers; of lists of segments FFmpeg does not."""
    raw: bool = False
    """Whether pictures as they were decoded are wanted where that is not how they are shown."""
    mark: str = ""
    """Where it is in a packet, in hexadecimal, that is wanted from there on, as user data."""
    sound: bool = False
    """Whether packets of the sound are wanted, too, which nobody gives out of this process."""
    job: str = ""
    """What is to be done with it, see :data:`sealshot.runtime.sandbox.child.JOBS`; empty to give
    its pictures."""
    given: int = -1
    """Descriptor of memory with what is handed over."""
    threads: int = 1
    """Of a decoder."""
    timeouts_s: tuple[float, float] = (10.0, 5.0)
    """For opening, and for each read."""
    readable: tuple[str, ...] = ()
    """Files and folders that may be read."""
    network: bool = False
    local_sockets: bool = False
    """Whether sockets of other programs of this machine may be used, as names by mDNS need it."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables that FFmpeg reads."""
    protocol: int = PROTOCOL
    device: str = ""
    """What is to decode it; empty for the processor. None can be had by who gave its rights up."""

    def named(self) -> tuple[str, ...]:
        """Return the files that were handed over by name; they may be read, too."""
        if self.job != "images":
            return ()
        with mmap.mmap(self.given, 0, prot=mmap.PROT_READ) as names:
            return tuple(map(os.fsdecode, names.read().split(b"\0")))

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Read what :meth:`to_bytes` gave."""
        values: dict[str, Any] = json.loads(data)
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**(values | lists))


Parts: TypeAlias = tuple[Any, ...]
"""Bytes, or what has some, that are to lie behind each other."""
Ratio: TypeAlias = tuple[int, int]
"""Numerator and denominator."""


class Guards(NamedTuple):
    """Which guards this kernel has; told before anything is opened."""

    landlock: bool
    seccomp: bool


class Opened(NamedTuple):
    """What a stream says of itself; NaN and -1 stand for what it does not."""

    ends: bool
    still: bool
    codec: bytes
    fps: float
    end_s: float
    frames: int
    created: float
    """Unix time."""
    base: Ratio = (1, 1000)
    """What one tick of a time stamp lasts, in seconds."""
    rate: Ratio = (0, 0)
    """Frames per second on average; 0 over 0 where it does not say."""


class Refused(NamedTuple):
    """There is no video, or not now."""

    lasting: bool
    unread: bool
    """Whether it failed as it does where a certificate is not believed."""
    why: bytes
    hint: bytes


class Need(NamedTuple):
    """The next picture takes so many bytes."""

    size: int


class Raw(NamedTuple):
    """A picture as it was decoded; colours by the numbers of ITU-T H.273."""

    format: bytes = b""
    """FFmpeg's name; empty where there is none."""
    width: int = 0
    height: int = 0
    range: int = 0
    matrix: int = 0
    primaries: int = 0
    transfer: int = 0
    planes: tuple[tuple[int, int], ...] = ()
    """Bytes of each, and of each of its rows; they lie behind each other."""


class Data(NamedTuple):
    """So many bytes lie in shared memory, of what is no picture."""

    size: int


class Ready(NamedTuple):
    """A picture was decoded that can be asked for."""

    ticks: int
    """Its time stamp."""
    base: Ratio
    """Seconds a tick; 0 over 0 where there is no time stamp."""
    damaged: int
    moves: bool
    skipped: int = 0
    """Pictures since the one before that were not decoded."""


class Shown(NamedTuple):
    """A picture lies in shared memory: its BGR rows, the planes of ``raw``, and the user data.

    Without a stride there are no BGR rows: the planes are the picture.

    Where it was asked for it is the one that was :class:`Ready` last, or the first one that was so
    since another was shown.
    """

    width: int
    height: int
    stride: int
    """Bytes of a row of BGR; below 0 where the rows come from below upwards, and 0 without BGR."""
    turn: int
    """Bits: transposed, right to left, upside down."""
    ticks: int = 0
    """Its time stamp."""
    base: Ratio = (0, 0)
    """Seconds a tick; 0 over 0 where there is no time stamp."""
    damaged: int = 0
    moves: bool = False
    strange_matrix: int = -1
    """-1 where the colours are right."""
    aspect: Ratio = (0, 0)
    """Width over height of a pixel; 0 over 0 where nobody says."""
    colours: tuple[int, int, int, int] = (0, 2, 2, 2)
    """Of the stream: range, matrix, primaries, transfer."""
    user: int = 0
    """Bytes of user data."""
    raw: Raw = Raw()


class Ended(NamedTuple):
    """There are no more pictures."""

    damaged: int
    moves: bool


class Broken(NamedTuple):
    """A defect of ours, and where."""

    what: bytes


Message: TypeAlias = Guards | Opened | Refused | Need | Data | Ready | Shown | Ended | Broken

_LAYOUTS: dict[type[Message], Struct] = {
    Guards: Struct("<B??"),
    Opened: Struct("<B??32sddqdiiii"),
    Refused: Struct("<B??200s200s"),
    Need: Struct("<BQ"),
    Shown: Struct("<BIIiBqIIQ?iiiHHHHQ16sIIHHHH" + "QI" * PLANES),
    Ended: Struct("<BQ?"),
    Broken: Struct("<B400s"),
    Data: Struct("<BQ"),
    Ready: Struct("<BqIIQ?I"),
}
_KINDS = dict(enumerate(_LAYOUTS))


def pack(message: Message) -> bytes:
    """Return the bytes of a message; texts that are too long are cut."""
    kind = list(_LAYOUTS).index(type(message))
    if isinstance(message, Shown):
        missing = PLANES - len(message.raw.planes)
        raw = message.raw._replace(planes=(*message.raw.planes, *[(0, 0)] * missing))
        message = message._replace(raw=raw)
    return _LAYOUTS[type(message)].pack(kind, *_flat(message))


def unpack(data: bytes) -> Message:
    """Return the message of some bytes.

    Raises:
        MessageError: it is none.
    """
    kind = _KINDS.get(data[0]) if data else None
    if kind is None or len(data) != _LAYOUTS[kind].size:
        raise MessageError(f"{len(data)} bytes that are no message")
    values = iter(_LAYOUTS[kind].unpack(data)[1:])
    some = partial(_some, values)
    if kind is Opened:
        return Opened._make((*some(7), some(2), some(2)))
    if kind is Ready:
        return Ready._make((*some(1), some(2), *some(3)))
    if kind is Shown:
        head = (*some(5), some(2), *some(3), some(2), some(4), *some(1))
        form, numbers = some(7), tuple(values)
        pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return Shown._make((*head, Raw._make((*form, tuple(p for p in pairs if p[0])))))
    made: Message = kind(*values)
    return made


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value


def _some(values: Iterator[Any], count: int) -> tuple[Any, ...]:
    return tuple(islice(values, count))


def text(raw: bytes) -> str:
    """Return what can be printed of a text that came."""
    return "".join(chr(byte) for byte in raw.rstrip(b"\0") if 0x20 <= byte < 0x7F)
