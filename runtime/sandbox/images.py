"""Pictures in files of their own, through OpenCV."""

from __future__ import annotations

from collections.abc import Iterator

import cv2

from sealshot.runtime.sandbox.messages import PIXELS, Parts, Request


def images(request: Request) -> Iterator[Parts]:
    """Yield of each file :data:`PIXELS`, and its pixels, BGR, as its EXIF data turns it."""
    for name in request.named():
        try:
            image = cv2.imread(name, cv2.IMREAD_COLOR)
        except cv2.error:  # more pixels than OpenCV takes
            image = None
        if image is None:
            yield (PIXELS.pack(0, 0),)
        else:
            yield PIXELS.pack(image.shape[1], image.shape[0]), image.data
