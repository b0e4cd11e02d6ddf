"""What is inside the seal: one ZIP with the picture, what is known about it, and maybe a clip.

    shot.json               Metadata, always first
    shot.jpg or shot.png    the full-resolution crop
    clip.mjpeg              JPEG frames end to end; shot.json has their times and sizes

All members are stored, not compressed. Whoever has the public key can seal anything, so that the
reader takes nothing on trust: other members, other encodings, or metadata that do not fit are
refused.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NoReturn, TypeGuard

import cv2

from sealshot import __version__
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.types import Shot

FORMAT = 1
METADATA_NAME = "shot.json"
CLIP_NAME = "clip.mjpeg"
PICTURE_START = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
METADATA_LIMIT = 16 * 1024 * 1024  # bytes of shot.json; a frame of a clip takes about 30
TEXT_LIMIT = 1000  # characters of one text field

PictureType = Literal["jpg", "png"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where shots come from: the same for all shots of a run."""

    source: str
    """Name of the source. It must hold no password of a stream."""
    score_name: str
    """What the score is, as the score graph's manifest says."""
    model_sha256: str
    """SHA-256 of the score graph, 64 hexadecimal digits."""


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


@dataclass(frozen=True, slots=True)
class Opened:
    """A shot out of its seal."""

    metadata: Metadata
    metadata_json: bytes
    """``shot.json`` as it was sealed."""
    picture: bytes
    clip: bytes
    """JPEG frames end to end; empty where there is no clip."""


def pack(shot: Shot, origin: Origin, *, picture: PictureType = "jpg", quality: int = 95) -> bytes:
    """Encode a shot.

    Args:
        shot: the shot.
        origin: where it comes from.
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
        source=_printable(origin.source),
        track=shot.track,
        frame=shot.frame,
        time_s=float(shot.time_s),
        utc=shot.utc,
        box=tuple(map(float, shot.box)),
        score=float(shot.score),
        score_name=_printable(origin.score_name),
        model_sha256=origin.model_sha256,
        percentile=float(shot.percentile),
        frames_seen=shot.frames_seen,
        reason=_printable(shot.reason),
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
    return _write_zip(members)


def unpack(data: bytes) -> Opened:
    """Decode what :func:`pack` made.

    Raises:
        SealError: it is anything else.
    """
    members = _read_zip(data)
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


def _write_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # its date is 1980, always
    return buffer.getvalue()


def _read_zip(data: bytes) -> dict[str, bytes]:
    """Return the members in their order; what unpacks to more than ``data`` is refused unread."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if len(infos) > 3 or len(set(names)) < len(infos):
                raise _foreign("it has too many parts, or one twice")
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise _foreign("a part is compressed")
            if sum(info.file_size for info in infos) > len(data):
                raise _foreign("its parts overlap")
            return {info.filename: archive.read(info) for info in infos}
    except SealError:
        raise
    except Exception as error:  # zipfile raises a dozen unrelated types on hostile bytes
        raise _foreign("it is not a readable ZIP") from error


def _read_metadata(data: bytes) -> Metadata:
    if not 0 < len(data) <= METADATA_LIMIT:
        raise _foreign("its shot.json is missing or too long")
    try:
        values = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _foreign("its shot.json is not JSON") from error
    if not isinstance(values, dict):
        raise _foreign("its shot.json is not an object")
    version = values.get("format")
    if _is_whole(version) and version > FORMAT:
        raise SealError(
            f"it was sealed in format {version}, and this sealshot reads up to {FORMAT}",
            hint="update sealshot: pip install -U sealshot",
        )
    problem = _problem(values)
    if problem:
        raise _foreign(f"in its shot.json {problem}")
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Metadata(**{**values, **lists})


def _problem(values: dict[str, Any]) -> str:
    """Return what is wrong with the fields of a ``shot.json``, or nothing."""
    if values.keys() != _CHECKS.keys():
        return "there are other fields than a shot has"
    for name, check in _CHECKS.items():
        if not check(values[name]):
            return f"'{name}' does not fit"
    if len(values["clip_times_s"]) != len(values["clip_bytes"]):
        return "the clip does not have one time a frame"
    return ""


def _is_whole(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63  # type(): True is an int too


def _is_number(value: object) -> bool:
    return _is_whole(value) or (type(value) is float and math.isfinite(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_LIMIT and value.isprintable()


def _matches(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_list(
    check: Callable[[object], bool], length: int | None = None
) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list)
        and (length is None or len(value) == length)
        and all(map(check, value))
    )


# What each field of shot.json must be.
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "format": _is_whole,
    "sealshot": _is_text,
    "source": _is_text,
    "track": _is_whole,
    "frame": _is_whole,
    "time_s": _is_number,
    "utc": _matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "box": _is_list(_is_number, length=4),
    "score": _is_number,
    "score_name": _is_text,
    "model_sha256": _matches(r"[0-9a-f]{64}"),
    "percentile": _is_number,
    "frames_seen": _is_whole,
    "reason": _is_text,
    "picture": _matches("jpg|png"),
    "clip_times_s": _is_list(_is_number),
    "clip_bytes": _is_list(_is_whole),
}


def _printable(text: str) -> str:
    """Keep control characters, which could drive a terminal, out of what is sealed."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:TEXT_LIMIT]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a field stands twice")
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _foreign(what: str) -> SealError:
    return SealError(
        f"it opens, but was not sealed by sealshot: {what}", hint="`age -d -i KEY FILE` opens it"
    )
