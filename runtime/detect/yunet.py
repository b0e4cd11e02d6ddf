"""YuNet (Wu, Peng, Yu 2023, doi 10.1007/s11633-023-1423-y) through OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sealshot.runtime.detect.image import checked
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Image

MIN_SCORE = 0.6
MAX_OVERLAP = 0.3
SHOWN_PX = 16
"""Images are shrunk until the smallest face looked for is this wide. YuNet is made for faces of
10 to 300 px, so this makes it faster and finds faces that are near."""


class YuNet:
    """A YuNet model file."""

    def __init__(self, path: Path, *, min_face_px: int = 36) -> None:
        if not path.is_file():
            raise InputError(f"there is no model file {path}", hint="check the path")
        self._min_face_px = min_face_px
        try:
            with _errors_only():
                self._net = cv2.FaceDetectorYN.create(
                    str(path), "", (64, 64), MIN_SCORE, MAX_OVERLAP
                )
                self._net.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise InputError(
                f"{path} is not a YuNet model that OpenCV can load",
                hint="YuNet's file is face_detection_yunet_*.onnx of the OpenCV model zoo",
            ) from error

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        image = checked(image)
        height, width = image.shape[:2]
        scale = min(1.0, SHOWN_PX / self._min_face_px)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        self._net.setInputSize(size)
        shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        rows: Any = self._net.detect(shown)[1]  # the stubs do not know that it can be None
        if rows is None:
            return []
        # x, y, width, height, five points, score; the person's right eye, which is on the left
        # of the picture, comes first
        points = rows[:, :14].reshape(-1, 7, 2) * np.asarray([width, height], np.float32) / size
        corner, extent, landmarks = points[:, 0], points[:, 1], points[:, 2:].astype(np.float32)
        boxes = np.concatenate([corner, corner + extent], axis=1).astype(np.float32)
        return [
            Face(boxes[i], float(rows[i, 14]), landmarks[i])
            for i in np.argsort(-rows[:, 14], kind="stable")
            if extent[i, 0] >= self._min_face_px
        ]


@contextmanager
def _errors_only() -> Iterator[None]:
    """Keep OpenCV 5 from warning that its engine ignores the target that it sets itself."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
