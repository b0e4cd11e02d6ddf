"""YuNet (Wu, Peng, Yu 2023, doi 10.1007/s11633-023-1423-y), on our own runner.

Its network looks at the picture at three strides and says, of each place, how surely there is a
face, its box and its five points. What is made of that here is what OpenCV's ``FaceDetectorYN``
makes of it, box for box; but files of fixed size and of free size run alike on every version of
OpenCV.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sealshot.runtime.detect.boxes import suppress
from sealshot.runtime.detect.image import checked
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Arrays
from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.types import Face, Floats, Image, Pixels

STRIDES_PX = (8, 16, 32)
KINDS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""What the network gives at each stride, and how many numbers of each place."""
MIN_SCORE = 0.6
MAX_OVERLAP = 0.3
SHOWN_PX = 16
"""Images are shrunk until the smallest face looked for is this wide. YuNet is made for faces of
10 to 300 px, so this makes it faster and finds faces that are near."""


class YuNet:
    """A YuNet model file."""

    def __init__(self, path: Path, *, min_face_px: int = 36, threads: int = 0) -> None:
        """Open a model.

        Args:
            path: ``face_detection_yunet_*.onnx`` of the OpenCV model zoo, of 2023 or later.
            min_face_px: width of the smallest face to look for.
            threads: of the network; 0 takes one a core.

        Raises:
            InputError: the file is missing or is no YuNet.
        """
        if not path.is_file():
            raise InputError(f"there is no model file {path}", hint="check the path")
        self._min_face_px = min_face_px
        hint = (
            "YuNet's file is face_detection_yunet_2023mar.onnx, or later, of the OpenCV model zoo"
        )
        try:
            self._net = OnnxRuntimeRunner(path, threads=threads)
        except InputError as error:
            raise InputError(f"{path} is not a YuNet model: {error.fact}", hint=hint) from error
        gives = {t.name for t in self._net.outputs}
        wanted = {f"{kind}_{stride}" for kind in KINDS for stride in STRIDES_PX}
        takes = self._net.inputs
        if len(takes) != 1 or len(takes[0].shape) != 4 or not wanted <= gives:
            raise InputError(
                f"{path} is not a YuNet model: it gives {', '.join(sorted(gives))}", hint=hint
            )
        self._input = takes[0].name
        self._fixed = takes[0].shape[2:]

    def detect(self, image: Pixels) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        Raises InputError if ``image`` is anything else.
        """
        image = bgr_of(checked(image))
        height, width = image.shape[:2]
        size = self._size(width, height)
        shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        boxes, points, scores = _read(*self._run(np.asarray(shown, np.uint8)))
        to_image = np.asarray([width, height], np.float32) / np.asarray(size, np.float32)
        found = []
        for i in suppress(np.trunc(boxes), scores, MAX_OVERLAP):
            box = boxes[i] * np.tile(to_image, 2)
            if box[2] - box[0] >= self._min_face_px:
                found.append(Face(box, float(scores[i]), points[i] * to_image))
        return found

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height that an image is shown at."""
        scale = min(1.0, SHOWN_PX / self._min_face_px)
        for side, most in zip((height, width), self._fixed, strict=True):
            if most is not None:
                scale = min(scale, most / side)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _run(self, shown: Image) -> tuple[Arrays, int]:
        """Return what the network gives, and how many pixels wide was what it saw."""
        coarsest = STRIDES_PX[-1]
        padded = [
            (most or -(-side // coarsest) * coarsest) - side
            for side, most in zip(shown.shape[:2], self._fixed, strict=True)
        ]
        seen = np.pad(shown, ((0, padded[0]), (0, padded[1]), (0, 0)))
        x = np.ascontiguousarray(seen.transpose(2, 0, 1)[None], np.float32)  # [1, 3, h, w]
        return self._net.run({self._input: x}), seen.shape[1]


def _read(given: Arrays, width: int) -> tuple[Floats, Floats, Floats]:
    """Return boxes ``[n, 4]``, points ``[n, 5, 2]`` and scores ``[n]`` above the least, pixels."""
    boxes, points, scores = [], [], []
    for stride in STRIDES_PX:
        cls, obj, bbox, kps = (
            given[f"{kind}_{stride}"].reshape(-1, count) for kind, count in KINDS.items()
        )
        score = np.sqrt(cls.clip(0, 1) * obj.clip(0, 1))[:, 0]
        (likely,) = np.nonzero(score >= MIN_SCORE)
        columns = width // stride
        place = np.stack([likely % columns, likely // columns], 1).astype(np.float32)  # [k, 2]
        centre, half = bbox[likely, :2] + place, np.exp(bbox[likely, 2:]) / 2
        boxes.append(np.concatenate([centre - half, centre + half], 1) * stride)
        points.append((kps[likely].reshape(-1, 5, 2) + place[:, None]) * stride)
        scores.append(score[likely])
    return np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)
