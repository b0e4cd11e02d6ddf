"""Addresses: a recording, a stream without an end, or a camera that has one picture to give."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

from sealshot.runtime.sources.live import CHECK, NO_VIDEO, Connect
from sealshot.runtime.sources.media import Inside
from sealshot.runtime.sources.newest import Newest
from sealshot.runtime.sources.onvif import is_onvif, stream_address
from sealshot.runtime.sources.reader import CameraReader, NoVideoError, Reader
from sealshot.runtime.sources.sandboxed import Sandboxed
from sealshot.runtime.sources.source import Source
from sealshot.runtime.sources.tls import Tls, is_tls

logger = logging.getLogger(__name__)

Opened = TypeVar("Opened")

RECORDINGS = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm", ".wmv"})
"""Suffixes of what is no camera, though the server does not answer."""
DEFAULT_FPS = 1.0
"""Pictures a second of a camera that only has its present one to give."""


def open_address(
    spec: str,
    name: str,
    *,
    fps: float | None,
    tls: Tls,
    sandbox: bool,
    media: Callable[..., Sandboxed | Inside],
    video: Callable[[Callable[[], Reader]], Source],
    live: Callable[[Connect, bool], Source],
) -> Source:
    """Open an address; it is a recording if it is fetched over http and says how long it is.

    Args:
        spec: the address.
        name: the same without a password.
        fps: pictures a second that a camera is asked for that only gives single ones.
        tls: whom it is believed.
        sandbox: as of :func:`sealshot.runtime.sources.open_source`.
        media: opens it, as :func:`open_media` does with all that is set.
        video: opens a recording.
        live: opens a stream; its second argument says whether it is one of single pictures.

    Raises:
        InputError: there is no video there, or the recording cannot be reached.
    """

    def connect(every_s: float | None = None) -> Sandboxed | Inside:
        # a device may name another address each time, and is asked each time
        address = stream_address(spec, sandbox=sandbox) if is_onvif(spec) else spec
        return media(address, every_s=every_s)

    def is_single(reader: Sandboxed | Inside) -> bool:
        return reader.still and reader.ends

    def as_live(reader: Sandboxed | Inside) -> CameraReader:
        if is_single(reader):
            reader.close()
            return connect(1 / (fps or DEFAULT_FPS))
        return Newest(reader) if isinstance(reader, Sandboxed) else reader

    def stream() -> CameraReader:
        return as_live(connect())

    if is_tls(spec) and not tls.verify:
        logger.warning("%s: whoever is between it and this machine can alter it", name)
    http = spec.lower().startswith("http")
    try:
        first = connect()
    except NoVideoError as error:
        recorded = http and PurePosixPath(urlsplit(spec).path).suffix.lower() in RECORDINGS
        if error.lasting or recorded:
            raise error.refusal(name, NO_VIDEO, CHECK) from None
        return live(stream, False)
    if http and first.ends and not first.still:
        return video(_first_then(first, connect))
    single = is_single(first)
    reader = as_live(first)
    if single:
        logger.warning(
            "%s gives one picture at a time: it is asked for %g a second", name, fps or DEFAULT_FPS
        )
    return live(_first_then(reader, stream), single)


def _first_then(first: Opened, connect: Callable[[], Opened]) -> Callable[[], Opened]:
    """Return what gives an open reader once, and then opens others."""
    waiting = [first]
    return lambda: waiting.pop() if waiting else connect()
