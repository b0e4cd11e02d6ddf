"""Pictures in files of their own, through OpenCV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from sealshot.runtime.sandbox.messages import PIXELS, Parts, Request


def images(request: Request) -> Iterator[Parts]:
    """Yield of each file :data:`PIXELS`, and its pixels, BGR, as its EXIF data turns it."""
    for name in request.named():
        coded: Any = os.fsencode(name)  # as text, one that is not UTF-8 would end the process
        try:  # a pipe would hang it
            image = cv2.imread(coded, cv2.IMREAD_COLOR) if Path(name).is_file() else None
        except cv2.error:  # more pixels than OpenCV takes
            image = None
        if image is None:
            yield (PIXELS.pack(0, 0),)
        else:
            yield PIXELS.pack(image.shape[1], image.shape[0]), image.data
