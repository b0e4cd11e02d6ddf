"""Which files a public stream can be written to; what writes them loads FFmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from sealshot.runtime.errors import InputError

Codec = Literal["h264", "h265", "ffv1", "mjpeg"]
CODECS: tuple[Codec, ...] = get_args(Codec)

# suffix -> FFmpeg's name of the container, and the codecs that players read in it
CONTAINERS: dict[str, tuple[str, tuple[Codec, ...]]] = {
    ".mp4": ("mp4", ("h264", "h265", "mjpeg")),
    ".mov": ("mov", ("h264", "h265", "mjpeg")),
    ".mkv": ("matroska", ("h264", "h265", "ffv1", "mjpeg")),
}


def check_output(path: Path, codec: Codec | None) -> Codec:
    """Return the codec for a file: the one that was asked for, or its container's first.

    Raises:
        InputError: the file exists, its suffix names no container, or that does not take the codec.
    """
    if path.suffix.lower() not in CONTAINERS:
        raise InputError(
            f"{path} names no container for video",
            hint="let its name end with " + " or ".join(CONTAINERS),
        )
    name, codecs = CONTAINERS[path.suffix.lower()]
    if codec is not None and codec not in codecs:
        raise InputError(f"{name} does not take {codec}", hint="let the name end with .mkv")
    if path.exists():
        raise InputError(f"{path} exists and is not overwritten", hint="choose another file name")
    return codec or codecs[0]
