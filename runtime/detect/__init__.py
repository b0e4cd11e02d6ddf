"""Face detectors: an image in, faces with box, score and five landmarks out."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sealshot.runtime.detect.mtcnn import EXACT, FAST, Mtcnn
from sealshot.runtime.detect.yunet import YuNet
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Image

MIN_FACE_PX = 36
MTCNN_SETTINGS = {"mtcnn": FAST, "mtcnn:exact": EXACT}


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (uint8 ``[h, w, 3]``, BGR), best score first.

        The size may change from call to call. Raises InputError if ``image`` is anything else.
        """


def open_detector(spec: str, *, min_face_px: int = MIN_FACE_PX, threads: int = 0) -> Detector:
    """Open the detector that ``spec`` names.

    Args:
        spec: ``mtcnn``; ``mtcnn:exact``, which finds box for box what facenet-pytorch finds, in
            three times the time; or ``yunet:FILE.onnx``.
        min_face_px: width in pixels of the smallest face to look for; a clear one that is a
            little smaller may be found, too.
        threads: threads of ONNX Runtime; 0 takes one a core.

    Raises:
        InputError: there is no such detector, or its file cannot be read.
    """
    if spec in MTCNN_SETTINGS:
        settings = MTCNN_SETTINGS[spec]
        return Mtcnn(min_face_px=min_face_px, threads=threads, settings=settings)
    kind, _, file = spec.partition(":")
    if kind == "yunet" and file:
        return YuNet(Path(file), min_face_px=min_face_px)
    raise InputError(
        f"there is no detector '{spec}'",
        hint="use `mtcnn`, `mtcnn:exact`, or `yunet:FILE.onnx` with its file",
    )
