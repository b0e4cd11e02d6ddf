"""What is inside the seal: one ZIP with the picture, what is known about it, and maybe a clip.

    shot.json               Metadata, always first
    shot.jpg or shot.png    the full-resolution crop
    clip.mjpeg              JPEG frames end to end; shot.json has their times and sizes

All members are stored, not compressed. Whoever has the public key can seal anything, so that the
reader takes nothing on trust: other members, other encodings, or metadata that do not fit are
refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import cv2

from sealshot import __version__
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.fields import (
    TEXT_LIMIT,
    Check,
    is_list,
    is_number,
    is_sha256,
    is_text,
    is_whole,
    matches,
    parse_object,
    problem,
    with_tuples,
)
from sealshot.runtime.seal.times import CLOCK_TOLERANCE, format_time, is_time, parse_time
from sealshot.runtime.seal.versions import refuse_newer
from sealshot.runtime.types import Shot

FORMAT = 2
"""1 says neither when it was sealed nor by which clock, and was written by version 0.1."""
METADATA_NAME = "shot.json"
CLIP_NAME = "clip.mjpeg"
PICTURE_START = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
METADATA_LIMIT = 16 * 1024 * 1024  # bytes of shot.json; a frame of a clip takes about 30

_DAY = timedelta(days=1)

PictureType = Literal["jpg", "png"]
Clock = Literal["system", "trusted", "container", "given", "processing"]
"""What says when a shot was taken: the clock of the camera's system; that clock put right by what
was known of it before it jumped; the file of a recording; whoever ran it (``--start-time``); or the
clock while a recording was processed, which says nothing of when it was made."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where shots come from: the same for all shots of a run."""

    source: str
    """Name of the source. It must hold no password of a stream."""
    score_name: str
    """What the score is, as the score graph's manifest says."""
    model_sha256: str
    """SHA-256 of the score graph, 64 hexadecimal digits."""
    started: datetime | None = None
    """When the first frame of a recording was taken; None of a camera, or where nobody knows."""
    clock: Clock | None = None
    """Where ``started`` comes from; ``processing`` of a recording of which nobody knows it."""


@dataclass(frozen=True, slots=True)
class Times:
    """When a shot was taken and when it was sealed."""

    taken: datetime
    sealed: datetime
    clock: Clock
    """What says when it was taken."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The content of ``shot.json``: what :class:`~sealshot.runtime.types.Shot` says, and more."""

    format: int
    """Version of this layout."""
    sealshot: str
    """Version of the program that sealed."""
    source: str
    track: int
    frame: int
    time_s: float
    utc: str
    """When it was taken."""
    clock: str
    """By which clock, see :data:`Clock`; empty in format 1."""
    sealed: str
    """When it was sealed; empty in format 1."""
    box: tuple[float, ...]
    score: float
    score_name: str
    model_sha256: str
    percentile: float
    frames_seen: int
    reason: str
    picture: str
    """Type of the picture: ``jpg`` or ``png``."""
    clip_times_s: tuple[float, ...]
    """When each frame of the clip was taken, seconds since the first frame of the source."""
    clip_bytes: tuple[int, ...]
    """Size of each frame of the clip."""

    @property
    def is_claimed(self) -> bool:
        """Whether it was sealed more than a day after it was taken, or before: of a recording."""
        if not self.sealed:
            return False
        after = parse_time(self.sealed) - parse_time(self.utc[:19] + "Z")
        return not -CLOCK_TOLERANCE <= after <= _DAY


@dataclass(frozen=True, slots=True)
class Opened:
    """A shot out of its seal."""

    metadata: Metadata
    metadata_json: bytes
    """``shot.json`` as it was sealed."""
    picture: bytes
    clip: bytes
    """JPEG frames end to end; empty where there is no clip."""


def pack(
    shot: Shot,
    origin: Origin,
    times: Times | None = None,
    *,
    picture: PictureType = "jpg",
    quality: int = 95,
) -> bytes:
    """Encode a shot.

    Args:
        shot: the shot.
        origin: where it comes from.
        times: when; None takes what the shot says, by the system's clock.
        picture: ``jpg``, or ``png`` to lose nothing.
        quality: of the JPEG, 1 to 100.

    Raises:
        SealshotError: the picture cannot be encoded, or :func:`unpack` would refuse the result.
    """
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture == "jpg" else []
    done, encoded = cv2.imencode(f".{picture}", shot.image, parameters)
    if not done:
        raise SealshotError(f"the picture of track {shot.track} cannot be encoded as {picture}")
    metadata = Metadata(
        format=FORMAT,
        sealshot=__version__,
        source=printable(origin.source),
        track=shot.track,
        frame=shot.frame,
        time_s=float(shot.time_s),
        utc=_milliseconds(times.taken) if times else shot.utc,
        clock=times.clock if times else "system",
        sealed=format_time(times.sealed) if times else shot.utc[:19] + "Z",
        box=tuple(map(float, shot.box)),
        score=float(shot.score),
        score_name=printable(origin.score_name),
        model_sha256=origin.model_sha256,
        percentile=float(shot.percentile),
        frames_seen=shot.frames_seen,
        reason=printable(shot.reason),
        picture=picture,
        clip_times_s=tuple(float(time_s) for time_s, _ in shot.clip),
        clip_bytes=tuple(len(jpeg) for _, jpeg in shot.clip),
    )
    metadata_json = json.dumps(asdict(metadata), indent=1).encode()
    try:
        _read_metadata(metadata_json)
    except SealError as error:  # better now than when nobody can see the person any more
        raise SealshotError(f"the shot of track {shot.track} is unfit: {error.fact}") from error
    members = {METADATA_NAME: metadata_json, f"shot.{picture}": encoded.tobytes()}
    if shot.clip:
        members[CLIP_NAME] = b"".join(jpeg for _, jpeg in shot.clip)
    return write_zip(members)


def unpack(data: bytes) -> Opened:
    """Decode what :func:`pack` made.

    Raises:
        SealError: it is anything else.
    """
    try:
        members = read_zip(data, limit=3)
    except ValueError as error:
        raise _foreign(str(error)) from error
    metadata_json = members.pop(METADATA_NAME, b"")
    metadata = _read_metadata(metadata_json)
    names = [f"shot.{metadata.picture}"] + ([CLIP_NAME] if metadata.clip_bytes else [])
    if list(members) != names:
        raise _foreign("its parts are not those that its shot.json names")
    picture, clip = members[names[0]], members.get(CLIP_NAME, b"")
    if not picture.startswith(PICTURE_START[metadata.picture]):
        raise _foreign(f"its picture is not a {metadata.picture}")
    if sum(metadata.clip_bytes) != len(clip):
        raise _foreign("its clip does not have the length that its shot.json gives")
    return Opened(metadata, metadata_json, picture, clip)


def _read_metadata(data: bytes) -> Metadata:
    try:
        values = parse_object(data, "shot.json", METADATA_LIMIT)
    except ValueError as error:
        raise _foreign(str(error)) from error
    refuse_newer("a shot", values.get("format"), FORMAT)
    if values.get("format") == 1:
        values |= {"clock": "", "sealed": ""}
    if wrong := _problem(values):
        raise _foreign(f"in its shot.json {wrong}")
    return Metadata(**with_tuples(values))


def _problem(values: dict[str, Any]) -> str:
    """Return what is wrong with the fields of a ``shot.json``, or nothing."""
    if wrong := problem(values, _CHECKS):
        return wrong
    if len(values["clip_times_s"]) != len(values["clip_bytes"]):
        return "the clip does not have one time a frame"
    return ""


# What each field of shot.json must be.
_CHECKS: dict[str, Check] = {
    "format": is_whole,
    "sealshot": is_text,
    "source": is_text,
    "track": is_whole,
    "frame": is_whole,
    "time_s": is_number,
    "utc": matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "clock": is_text,
    "sealed": lambda value: value == "" or is_time(value),
    "box": is_list(is_number, length=4),
    "score": is_number,
    "score_name": is_text,
    "model_sha256": is_sha256,
    "percentile": is_number,
    "frames_seen": is_whole,
    "reason": is_text,
    "picture": matches("jpg|png"),
    "clip_times_s": is_list(is_number),
    "clip_bytes": is_list(is_whole),
}


def _milliseconds(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def printable(text: str) -> str:
    """Keep control characters, which could drive a terminal, out of what is sealed."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:TEXT_LIMIT]


def _foreign(what: str) -> SealError:
    return SealError(
        f"it opens, but was not sealed by sealshot: {what}", hint="`age -d -i KEY FILE` opens it"
    )
