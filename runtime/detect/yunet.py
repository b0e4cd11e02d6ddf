"""YuNet (Wu, Peng, Yu 2023, doi 10.1007/s11633-023-1423-y) through OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sealshot.runtime.detect.image import checked
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Image

MIN_SCORE = 0.6
MAX_OVERLAP = 0.3


class YuNet:
    """A YuNet model file."""

    def __init__(self, path: Path, *, min_face_px: int = 36) -> None:
        if not path.is_file():
            raise InputError(f"there is no model file {path}", hint="check the path")
        self._min_face_px = min_face_px
        try:
            self._net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), MIN_SCORE, MAX_OVERLAP)
        except cv2.error as error:
            raise InputError(
                f"{path} is not a model that OpenCV can load: {error.err}",
                hint="YuNet's ONNX file is face_detection_yunet_*.onnx of the OpenCV model zoo",
            ) from error

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        image = checked(image)
        self._net.setInputSize(image.shape[1::-1])
        _, rows = self._net.detect(image)
        faces = []
        for row in rows if rows is not None else ():
            x, y, width, height = row[:4]
            if width >= self._min_face_px:
                box = np.asarray([x, y, x + width, y + height], np.float32)
                # it gives the person's right eye, which is on the left of the picture, first
                faces.append(Face(box, float(row[14]), row[4:14].reshape(5, 2)))
        return faces
