"""Where frames come from: files, folders of images, cameras, streams, pipelines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import cv2

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.ahead import Ahead, ahead
from sealshot.runtime.sources.board import CSI
from sealshot.runtime.sources.capture import Capture, codec, frame_count, open_capture
from sealshot.runtime.sources.folder import Folder
from sealshot.runtime.sources.live import Connect, Live
from sealshot.runtime.sources.loop import Loop
from sealshot.runtime.sources.redact import redact
from sealshot.runtime.sources.source import Source, frames_of
from sealshot.runtime.sources.video import Video

__all__ = ["Ahead", "Source", "ahead", "frames_of", "open_source", "redact"]

# elements that read a file to its end; any other pipeline is taken for a camera
RECORDED_PIPELINE = re.compile(r"\b(multi)?filesrc\b")


def open_source(
    spec: str,
    *,
    fps: float | None = None,
    loop: bool = False,
    give_up_after_s: float | None = None,
) -> Source:
    """Open whatever ``spec`` names, and read its first frame.

    Args:
        spec: a video file; a folder of images; a camera's index (``0``) or its device
            (``/dev/video0``); an address (``rtsp://``, ``http://`` ...); or a GStreamer pipeline
            (has `` ! `` in it). An http address that names its length and a pipeline that reads a
            file are recordings, read losslessly.
        fps: frames per second of a folder (1 if not given), or of a recording whose own times are
            to be ignored. Not for cameras.
        loop: play a recording again and again.
        give_up_after_s: how long a camera may stay away before SourceError; None waits for ever.

    Raises:
        InputError: there is nothing there that sealshot can read.
    """
    name = redact(spec)
    if not spec.strip():
        raise InputError(
            "the source is empty", hint="name a file, a folder, a camera or an address"
        )
    if fps is not None and not 0 < fps <= 1000:
        raise InputError(f"{fps} frames per second is not a rate", hint="give 0 < fps <= 1000")

    def recorded(once: Callable[[], Source]) -> Source:
        return Loop(once) if loop else once()

    def video(connect: Connect) -> Source:
        return recorded(lambda: Video(_must(connect(), name), name, fps=fps))

    def live(connect: Connect) -> Source:
        if fps is not None or loop:
            raise InputError(
                f"{name} is live: it cannot be {'looped' if loop else 'given a frame rate'}",
                hint="leave the option out",
            )
        return Live(connect, name, give_up_after_s=give_up_after_s)

    if spec.isdecimal():
        name = f"camera {int(spec)}"
        return live(lambda: open_capture(int(spec), cv2.CAP_ANY))
    if " ! " in spec:
        _need_gstreamer()
        pipeline = video if RECORDED_PIPELINE.search(spec) else live
        return pipeline(lambda: open_capture(spec, cv2.CAP_GSTREAMER))
    if "://" in spec:
        return _address(spec, video, live)
    path = Path(spec)
    _check_path(path)
    if path.is_dir():
        return recorded(lambda: Folder(path, fps=fps))
    if path.is_char_device():
        return live(lambda: open_capture(spec, cv2.CAP_V4L2))
    _refuse_text(path)
    # an absolute path, so that FFmpeg does not take `x:clip.mp4` for a protocol
    return video(lambda: open_capture(str(path.absolute()), cv2.CAP_FFMPEG))


def _address(
    spec: str, video: Callable[[Connect], Source], live: Callable[[Connect], Source]
) -> Source:
    """Open an address: a recording if it is fetched over http and says how long it is."""

    def connect() -> Capture | None:
        return open_capture(spec, cv2.CAP_FFMPEG)

    first: Capture | None = connect()
    ends = spec.lower().startswith("http") and first is not None and frame_count(first) is not None

    def connect_first() -> Capture | None:
        nonlocal first
        capture, first = first or connect(), None
        return capture

    return (video if ends else live)(connect_first)


def _must(capture: Capture | None, name: str) -> Capture:
    if capture is None:
        raise InputError(
            f"{name} is not a video that FFmpeg can read",
            hint="check that it plays elsewhere (an mp4 that was cut off lacks its index)",
        )
    if codec(capture) == "ansi":  # FFmpeg draws text files by their suffix, as ANSI art
        capture.release()
        raise _text(name)
    return capture


def _text(name: str) -> InputError:
    return InputError(f"{name} is a text file, not a video", hint="name a video file")


def _refuse_text(path: Path) -> None:
    """Raise InputError if a file has no byte in its beginning that a text would not have."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(4096)
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


def _need_gstreamer() -> None:
    if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
        raise InputError(
            "this OpenCV is built without GStreamer, which a pipeline needs",
            hint="use the OpenCV of JetPack or of the distribution (python3-opencv), not the one"
            " of PyPI, or give an rtsp:// address",
        )
