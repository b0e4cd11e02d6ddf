"""What the two processes say to each other: requests one way, small structs of fixed size back.

Who reads those back does not trust who wrote them: each has one size, its numbers are looked at
before they are used, and its texts are ASCII that can be printed. The pixels lie in shared memory.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

PROTOCOL = 2
"""Raised with each change of what is said, :class:`Refused` excepted: who starts a process may run
since before an update."""
CREDIT = b"+"
"""Sent for each picture that was copied out: one lies in shared memory, while the next is made."""
ROOM = Struct("<Q")
"""Answers :class:`Need`: bytes of shared memory from now on."""
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
    """Whether the pictures as they were decoded are wanted, too."""
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

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Read what :meth:`to_bytes` gave."""
        values: dict[str, Any] = json.loads(data)
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**(values | lists))


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


class Shown(NamedTuple):
    """A picture lies in shared memory: its BGR rows, then the planes of ``raw``."""

    width: int
    height: int
    stride: int
    """Bytes of a row; below 0 where the rows come from below upwards."""
    turn: int
    """Bits: transposed, right to left, upside down."""
    stamp_s: float
    """NaN where there is none."""
    damaged: int
    moves: bool
    strange_matrix: int
    """-1 where the colours are right."""
    raw: Raw


class Ended(NamedTuple):
    """There are no more pictures."""

    damaged: int
    moves: bool


class Broken(NamedTuple):
    """A defect of ours, and where."""

    what: bytes


Message: TypeAlias = Guards | Opened | Refused | Need | Shown | Ended | Broken

_RAW_FIELDS = 7
_LAYOUTS: dict[type[Message], Struct] = {
    Guards: Struct("<B??"),
    Opened: Struct("<B??32sddqd"),
    Refused: Struct("<B??200s200s"),
    Need: Struct("<BQ"),
    Shown: Struct("<BIIiBdQ?i16sIIHHHH" + "QI" * PLANES),
    Ended: Struct("<BQ?"),
    Broken: Struct("<B400s"),
}
_KINDS = dict(enumerate(_LAYOUTS))


def pack(message: Message) -> bytes:
    """Return the bytes of a message; texts that are too long are cut."""
    kind = list(_LAYOUTS).index(type(message))
    values: tuple[Any, ...] = tuple(message)
    if isinstance(message, Shown):
        raw = message.raw
        planes = [*raw.planes, *[(0, 0)] * (PLANES - len(raw.planes))]
        values = (*message[:-1], *raw[:-1], *(number for plane in planes for number in plane))
    return _LAYOUTS[type(message)].pack(kind, *values)


def unpack(data: bytes) -> Message:
    """Return the message of some bytes.

    Raises:
        MessageError: it is none.
    """
    kind = _KINDS.get(data[0]) if data else None
    if kind is None or len(data) != _LAYOUTS[kind].size:
        raise MessageError(f"{len(data)} bytes that are no message")
    values: list[Any] = list(_LAYOUTS[kind].unpack(data)[1:])
    if kind is Shown:
        own = len(Shown._fields) - 1
        form, numbers = values[own : own + _RAW_FIELDS], values[own + _RAW_FIELDS :]
        pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        raw = Raw._make([*form, tuple(pair for pair in pairs if pair[0])])
        return Shown._make([*values[:own], raw])
    made: Message = kind(*values)
    return made


def text(raw: bytes) -> str:
    """Return what can be printed of a text that came."""
    return "".join(chr(byte) for byte in raw.rstrip(b"\0") if 0x20 <= byte < 0x7F)
