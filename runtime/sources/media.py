"""Files and network streams, which FFmpeg reads: in a sandbox, unless somebody wants it here."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from sealshot.runtime.planes import Planes, rows_of
from sealshot.runtime.processors import processors
from sealshot.runtime.sandbox import OPTIONS
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sources.reader import NoVideoError, Picture, Stated
from sealshot.runtime.sources.sandboxed import Sandboxed, tell_of_matrix
from sealshot.runtime.sources.tls import SYSTEM, Tls, distrust, ffmpeg_options, is_tls
from sealshot.runtime.sources.turned import turned
from sealshot.runtime.types import Pixels, Raw

if TYPE_CHECKING:
    import av

    from sealshot.runtime.sandbox.media import Decoded, Hear

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
DESCRIPTOR = re.compile(r"/(?:proc/self|dev)/fd/([0-9]+)|/dev/stdin")
PROXIES = ("http_proxy", "no_proxy")
"""Variables by which FFmpeg finds its way out of a network."""
CERTIFICATE_HINT = (
    "give the certificate of the camera, or of who signed it, with --ca-file; --tls-unverified "
    "takes any, and each shot says so"
)


def open_media(
    target: str,
    *,
    aspect: Fraction | None = None,
    tls: Tls = SYSTEM,
    every_s: float | None = None,
    decoded: bool = True,
    sandbox: bool = True,
    device: str = "",
    mark: bytes = b"",
    hear: Hear | None = None,
) -> Sandboxed | Inside:
    """Open a file or an address and find its video.

    Args:
        target: a path or an address.
        aspect: width over height of the whole picture as it is to be shown; None takes what the
            stream says.
        tls: whom an address is believed.
        every_s: take it for one picture, and ask for that so often.
        decoded: whether pictures are to hold what was decoded, too.
        sandbox: False parses it in this process.
        device: what is to decode it, without a sandbox; see :func:`check_device`.
        mark: what is to be user data of a picture begins with it.
        hear: is given the packets of the sound, without a sandbox.

    Raises:
        NoVideoError: it cannot be opened, or has no video that this FFmpeg can decode.
    """
    request = _request(target, aspect, tls, every_s, decoded, device)
    request = replace(request, mark=mark.hex(), sound=hear is not None)
    try:
        if not sandbox:
            return Inside(request, hear)
        return Sandboxed(request, descriptors_of(target))
    except NoVideoError as error:
        if error.unread and (distrusted := distrust(target, tls)):
            raise NoVideoError(distrusted, CERTIFICATE_HINT, lasting=True) from None
        raise


class Inside:
    """Reads in this process, with all that it holds at the mercy of the stream."""

    def __init__(self, request: Request, hear: Hear | None = None) -> None:
        """Open what is asked for.

        Args:
            request: what.
            hear: is given the packets of the sound, where that is asked for.

        Raises:
            NoVideoError: it cannot be opened, or has no video.
        """
        from sealshot.runtime.sandbox.errors import NoStreamError
        from sealshot.runtime.sandbox.media import open_stream

        try:
            self._stream = open_stream(request, hear)
        except NoStreamError as error:
            raise NoVideoError(
                error.why, error.hint, lasting=error.lasting, unread=error.unread
            ) from None
        self._decoded, self._told, self._device = request.raw, False, request.device
        self.damaged, self.moves = 0, False
        self.fps: float | None = self._stream.fps
        self.frames: int | None = self._stream.frames
        self.end_s: float | None = self._stream.end_s
        self.created: datetime | None = self._stream.created
        self.codec = self._stream.codec
        self.ends, self.still = self._stream.ends, self._stream.still
        self.time_base, self.rate = self._stream.time_base, self._stream.rate
        self.sound = self._stream.sound

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None at the end and where it broke."""
        shown = None
        while shown is None and (picture := self._stream.read()) is not None:
            shown = self._shown(picture)
        self.damaged, self.moves = self._stream.damaged, self._stream.moves
        return shown

    def _shown(self, picture: Decoded) -> Picture | None:
        shown = self._stream.show(picture)
        if shown is None:
            return None
        if self._stream.strange_matrix is not None and not self._told:
            self._told = True
            tell_of_matrix(self._stream.strange_matrix)
        if self._stream.in_software:
            _tell_of_software(self._device, self.codec)
        stamp = None if picture.stamp is None else picture.stamp.ticks * picture.stamp.base_s
        pixels: Pixels
        raw: Raw | Planes
        if shown is picture.raw:
            pixels = raw = _planes_of(shown)
        else:
            pixels = turned(np.asarray(shown.to_ndarray(), np.uint8), picture.turn)
            raw = Raw(picture.raw, picture.turn)
        stamp_s = None if stamp is None else float(stamp)
        if not self._decoded:
            return Picture(pixels, stamp_s)
        stated = Stated(stamp, picture.pixel_aspect, *picture.colours, picture.user_data)
        return Picture(pixels, stamp_s, raw, stated)

    def interrupt(self) -> None:
        """Do nothing: FFmpeg gives up on an address by itself, and on a file never."""

    def close(self) -> None:
        """Close the file or the connection."""
        self._stream.close()


def _planes_of(frame: av.VideoFrame) -> Planes:
    """Copy the planes of a frame, whose own memory a decoder may look at again."""
    planes = [rows_of(plane, np.uint8) for plane in frame.planes]
    colours = frame.colorspace, frame.color_primaries, frame.color_trc
    return Planes.of(frame.format.name, planes, frame.color_range, *colours)


@cache
def _tell_of_software(device: str, codec: str) -> None:
    """Tell once what a device leaves to the processor."""
    logger.warning("%s does not decode this %s: it is decoded in software", device, codec)


def _request(
    target: str,
    aspect: Fraction | None,
    tls: Tls,
    every_s: float | None,
    decoded: bool,
    device: str,
) -> Request:
    options = {**OPTIONS, **ffmpeg_options(target, tls)}
    scheme, address, _ = target.partition("://")
    scheme = scheme.lower()
    path = None if address else target
    if address:
        # a rate is good for a progress bar, and a stream has none: 20 pictures would be held back
        # to find it, and then come all at once; what is a recording over HTTP says it by two
        options["fpsprobesize"] = "2" if scheme.startswith("http") else "0"
    if scheme.startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"  # loses nothing; some cameras have UDP alone
    readable = options.get("ca_file", "") if path is None else path
    return Request(
        target,
        options,
        aspect=(aspect.numerator, aspect.denominator) if aspect else None,
        every_s=every_s,
        verified=is_tls(target) and tls.verify,
        raw=decoded,
        threads=processors(),
        timeouts_s=(OPEN_TIMEOUT_S, READ_TIMEOUT_S),
        readable=(readable,) if readable else (),
        network=path is None,
        local_sockets=path is None and _host(target).endswith(".local"),
        environment=_proxies(os.environ) if path is None else {},
        device=device,
    )


def descriptors_of(target: str) -> tuple[int, ...]:
    """Return the descriptor that a path stands for, where it stands for one."""
    found = DESCRIPTOR.fullmatch(target)
    return (int(found[1] or 0),) if found else ()


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in PROXIES if name in environment}
