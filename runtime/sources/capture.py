"""Cameras through OpenCV: V4L2 devices. Nothing else opens them."""

from __future__ import annotations

import os
import time
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sealshot.runtime.errors import InputError
from sealshot.runtime.sandbox import ASK_AGAIN
from sealshot.runtime.sandbox.shape import squared
from sealshot.runtime.sources.reader import NoVideoError, Picture
from sealshot.runtime.types import Image

READ_TIMEOUT_S = 5.0
TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}  # by channels

# OpenCV writes what it thinks to standard error, addresses and passwords included. Whoever sets
# the variable gets the messages back.
if "OPENCV_LOG_LEVEL" not in os.environ:
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    else:  # OpenCV 5
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Capture:
    """Reads a ``cv2.VideoCapture``."""

    frames: int | None = None
    end_s: float | None = None
    moves = False
    created: datetime | None = None

    def __init__(self, target: str | int, backend: int, *, aspect: Fraction | None = None) -> None:
        """Open a device by index or path.

        Args:
            target: what to open.
            backend: ``cv2.CAP_*``.
            aspect: width over height of the whole picture; None takes the pixels for square.

        Raises:
            NoVideoError: OpenCV cannot open it.
        """
        device = f"/dev/video{target}" if isinstance(target, int) else target
        if device.startswith("/dev/") and not Path(device).exists():
            raise NoVideoError(f"there is no {device}")
        try:
            self._capture = cv2.VideoCapture(target, backend)
        except cv2.error:
            raise NoVideoError("OpenCV cannot open it") from None
        if not self._capture.isOpened():
            raise NoVideoError("it does not open, or another program has it open")
        self._aspect = aspect
        self.damaged = 0
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= 1000 else None

    def read(self) -> Picture | None:
        """Return the next picture that can be decoded; None where there is no more.

        Raises:
            InputError: the frames are not 8-bit pictures.
        """
        end = time.monotonic() + READ_TIMEOUT_S
        for _ in range(ASK_AGAIN):
            if self._capture.grab():
                done, image = self._capture.retrieve()
                if done:
                    stamp_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
                    return Picture(with_aspect(as_bgr(image), self._aspect), stamp_ms / 1000)
            self.damaged += 1
            if time.monotonic() > end:
                break
        return None

    def interrupt(self) -> None:
        """Do nothing: a read gives up by itself."""

    def close(self) -> None:
        """Close the device."""
        self._capture.release()


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


def with_aspect(image: Image, aspect: Fraction | None) -> Image:
    """Stretch a picture so that it is ``aspect`` times as wide as high; None leaves it."""
    height, width = image.shape[:2]
    size = (width, height) if aspect is None else squared(width, height, aspect * height / width)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
