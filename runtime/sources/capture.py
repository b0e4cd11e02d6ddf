"""Video through OpenCV: opening and reading, quietly. Nothing else in the package does either."""

from __future__ import annotations

import math
import os
from typing import Any, Protocol

import cv2
import numpy as np

from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Image

OPEN_TIMEOUT_MS = 10_000
READ_TIMEOUT_MS = 5_000
TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}  # by channels

# OpenCV and FFmpeg write what they think to standard error, addresses and passwords included. The
# variables are read when the first video is opened; whoever sets them gets the messages back.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
if "OPENCV_LOG_LEVEL" not in os.environ:
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    else:  # OpenCV 5
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Capture(Protocol):
    """The part of ``cv2.VideoCapture`` that sealshot uses."""

    def grab(self) -> bool:
        """Advance to the next frame; False at the end or when the stream broke."""

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the frame that was grabbed."""

    def get(self, property_id: int) -> float:
        """Return a ``cv2.CAP_PROP_*`` value."""

    def release(self) -> None:
        """Close the device or file."""


def open_capture(target: str | int, backend: int) -> Capture | None:
    """Open a path, an address, a pipeline or a camera index; None if OpenCV cannot."""
    parameters: list[int] = []
    if backend == cv2.CAP_FFMPEG:
        parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS]
        parameters += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
    try:
        capture = cv2.VideoCapture(target, backend, parameters)
    except cv2.error:
        return None
    return capture if capture.isOpened() else None


def read_image(capture: Capture) -> Image | None:
    """Return the next frame as BGR, ``uint8 [h, w, 3]``; None at the end.

    Raises:
        InputError: the frames are not 8-bit pictures.
    """
    while capture.grab():
        done, image = capture.retrieve()
        if done:  # a frame too damaged to decode is passed over
            return as_bgr(image)
    return None


def as_bgr(image: Any) -> Image:
    """Return a grey, BGR or BGRA ``uint8`` picture as BGR."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        raise InputError(
            f"the frames are {image.dtype} arrays of shape {image.shape}, not 8-bit pictures",
            hint="let the camera or the pipeline give BGR, 8 bits a channel",
        )
    bgr: Image = image if channels == 3 else cv2.cvtColor(image, TO_BGR[channels])
    return bgr


def frame_count(capture: Capture) -> int | None:
    """Return how many frames the container names; None for a stream."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if math.isfinite(count) and 1 <= count < 2**53 else None


def frame_rate(capture: Capture) -> float | None:
    """Return the nominal frames per second; None if absent or absurd (RTSP's 90000)."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0 < fps <= 1000 else None


def codec(capture: Capture) -> str:
    """Return the four characters of the codec."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("latin-1")
