"""Where frames come from: files, folders of images, cameras, streams, pipelines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import cv2

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.address import open_address
from sealshot.runtime.sources.ahead import Ahead, ahead
from sealshot.runtime.sources.board import CSI
from sealshot.runtime.sources.capture import Capture
from sealshot.runtime.sources.folder import Folder, is_picture
from sealshot.runtime.sources.hwaccel import check_hwaccel
from sealshot.runtime.sources.live import Connect, Live
from sealshot.runtime.sources.loop import Loop
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.pipeline import Pipeline, gstreamer
from sealshot.runtime.sources.reader import NoVideoError, Reader
from sealshot.runtime.sources.redact import redact
from sealshot.runtime.sources.source import Source, frames_of
from sealshot.runtime.sources.tls import SYSTEM, UNVERIFIED, Tls, check_tls
from sealshot.runtime.sources.video import Video

__all__ = [
    "NO_VIDEO_HINT",
    "Ahead",
    "Source",
    "Tls",
    "ahead",
    "frames_of",
    "open_source",
    "redact",
    "refuse_text",
]

# elements that read a file to its end; any other pipeline is taken for a camera
RECORDED_PIPELINE = re.compile(r"\b(multi)?filesrc\b")
FILE = "file://"
NO_VIDEO_HINT = "check that it plays elsewhere (an mp4 that was cut off lacks its index)"
V4L2 = re.compile(r"/dev/video[0-9]+")
V4L2_MAJOR = 81  # Linux, Documentation/admin-guide/devices.txt


def open_source(
    spec: str,
    *,
    fps: float | None = None,
    loop: bool = False,
    give_up_after_s: float | None = None,
    aspect: Fraction | None = None,
    tls: Tls = SYSTEM,
    stills: bool = False,
    decoded: bool = True,
    sandbox: bool = True,
    hwaccel: str | None = None,
) -> Source:
    """Open whatever ``spec`` names, and read its first frame.

    A camera that is away is waited for, unless it says something that waiting does not cure. A
    sentence about what a person should know is logged: a file that ends early, an unreadable
    image, a camera that went away or came back.

    Args:
        spec: a video file; a folder of images; a camera's index (``0``) or its device
            (``/dev/video0``); an address (``rtsp://``, ``http://`` ..., or a device's by ONVIF,
            ``onvif://``; ``file://`` is the file); or a GStreamer pipeline (has `` ! `` in it).
            An http address that names its length and a pipeline that reads a file are recordings,
            read losslessly; one of a single picture is asked for it again and again.
        fps: frames per second of a folder (1 if not given), or of a recording whose own times are
            to be ignored, or pictures a second to ask a camera for that gives single ones.
        loop: play a recording again and again.
        give_up_after_s: how long a camera may stay away before SourceError; None waits for ever.
        aspect: width over height of the picture as it is to be shown, for a recorder that does
            not say that its pixels are not square.
        stills: the pictures of a folder have nothing to do with each other; ``spec`` may be one
            picture, too.
        tls: whom an address is believed; what is not verified says so in the source's name.
        decoded: whether frames of what FFmpeg reads are to hold what was decoded, too.
        sandbox: whether what FFmpeg reads, and pictures, are parsed in a process of its own, which
            holds nothing and may do next to nothing. False leaves all that this process holds to
            whoever makes the stream.
        hwaccel: device that is to decode what FFmpeg reads, as ``cuda``; with ``sandbox=False``.
            What it cannot decode is told, and decoded in software.

    Raises:
        InputError: there is nothing there that sealshot can read.
    """
    if spec.lower().startswith(FILE):
        spec = unquote(spec[len(FILE) :])
    name = redact(spec) + ("" if tls.verify else UNVERIFIED)
    if not spec.strip():
        raise InputError(
            "the source is empty", hint="name a file, a folder, a camera or an address"
        )
    if fps is not None and not 0 < fps <= 1000:
        raise InputError(f"{fps} frames per second is not a rate", hint="give 0 < fps <= 1000")

    def recorded(once: Callable[[], Source]) -> Source:
        return Loop(once) if loop else once()

    def video(connect: Callable[[], Reader]) -> Source:
        return recorded(lambda: _video(connect, name, fps))

    def live(connect: Connect, asked: bool = False) -> Source:
        if loop or (fps is not None and not asked):
            raise InputError(
                f"{name} is live: it cannot be {'looped' if loop else 'given a frame rate'}",
                hint="leave the option out",
            )
        return Live(connect, name, give_up_after_s=give_up_after_s)

    check_tls(spec, tls)
    if hwaccel is not None:
        check_hwaccel(hwaccel, spec, sandbox=sandbox)
    media = partial(
        open_media, aspect=aspect, decoded=decoded, sandbox=sandbox, device=hwaccel or ""
    )
    if stills:
        return _stills(Path(spec), aspect, sandbox)
    if spec.isdecimal():
        name = f"camera {int(spec)}"
        return live(lambda: Capture(int(spec), cv2.CAP_ANY, aspect=aspect))
    if " ! " in spec:
        gstreamer()
        recording = bool(RECORDED_PIPELINE.search(spec))
        pipeline = video if recording else live
        return pipeline(lambda: Pipeline(spec, recorded=recording, aspect=aspect))
    if "://" in spec:
        return open_address(
            spec,
            name,
            fps=fps,
            tls=tls,
            sandbox=sandbox,
            media=partial(media, tls=tls),
            video=video,
            live=live,
        )
    path = Path(spec)
    if V4L2.fullmatch(spec) or _is_camera(path):
        return live(lambda: Capture(spec, cv2.CAP_V4L2, aspect=aspect))
    _check_path(path)
    if path.is_dir():
        return recorded(lambda: Folder(path, fps=fps, aspect=aspect, sandbox=sandbox))
    refuse_text(path)
    # an absolute path, so that FFmpeg does not take `x:clip.mp4` for a protocol
    return video(lambda: media(str(path.absolute())))


def _stills(path: Path, aspect: Fraction | None, sandbox: bool) -> Source:
    if not path.is_dir() and not is_picture(path):
        raise InputError(
            f"{redact(str(path))} is no picture and no folder of pictures",
            hint="leave --stills out: it is for pictures that have nothing to do with each other",
        )
    return Folder(path, aspect=aspect, stills=True, sandbox=sandbox)


def _is_camera(path: Path) -> bool:
    """Say whether a path is a V4L2 device, by whatever name.

    Raises:
        InputError: it is another device.
    """
    if not path.is_char_device():
        return False
    if os.major(path.stat().st_rdev) != V4L2_MAJOR:
        raise InputError(f"{path} is a device, but no camera", hint="name /dev/video0, or 0")
    return True


def _video(connect: Callable[[], Reader], name: str, fps: float | None) -> Video:
    try:
        reader = connect()
    except NoVideoError as error:
        what = "gives no video" if " ! " in name else "is not a video that FFmpeg can read"
        raise error.refusal(name, what, NO_VIDEO_HINT) from None
    return Video(reader, name, fps=fps)


def _text(name: str) -> InputError:
    return InputError(f"{name} is a text file, not a video", hint="name a video file")


def refuse_text(path: Path) -> None:
    """Raise InputError if a file has no byte in its beginning that a text would not have."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="name a video file"
        ) from None
    printable = bytes([*b"\t\n\v\f\r\x1b", *range(0x20, 0x100)])
    if not head.startswith(b"YUV4MPEG2") and not head.translate(None, printable):
        if head:
            raise _text(str(path))
        raise InputError(f"{path} is empty", hint="name a video file")


def _check_path(path: Path) -> None:
    if not path.exists():
        raise InputError(
            f"there is no file or folder {path}",
            hint="a camera on the CSI connector is read by `sealshot run --board auto`, or --board "
            "and a name of `sealshot board list`"
            if str(path).startswith(CSI)
            else "check the path; a camera is a number, a stream begins with rtsp:// or http://",
        )
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read", hint="check its permissions")
