"""Face detectors: an image or the frames of a source in, faces with box, score, landmarks out."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.detect.finder import Detector, EveryFrame, Finder
from sealshot.runtime.detect.glances import Glances
from sealshot.runtime.detect.mtcnn import EXACT, FAST, Mtcnn
from sealshot.runtime.detect.yunet import YuNet
from sealshot.runtime.errors import InputError

__all__ = ["MIN_FACE_PX", "Detector", "EveryFrame", "Finder", "open_detector", "open_finder"]

MIN_FACE_PX = 36
YUNET = "yunet"
"""Followed by a colon and its file."""
MTCNN_SETTINGS = {"mtcnn": FAST, "mtcnn:exact": EXACT}


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
    if kind == YUNET and file:
        return YuNet(Path(file), min_face_px=min_face_px, threads=threads)
    raise InputError(
        f"there is no detector '{spec}'",
        hint="use `mtcnn`, `mtcnn:exact`, or `yunet:FILE.onnx` with its file",
    )


def open_finder(detector: Detector) -> Finder:
    """Start to find faces in the frames of one source, with a detector that others may use too.

    ``mtcnn`` looks at what changed in the picture about eight times a second, at all of it once a
    second, and in between only where the faces should be that it knows
    (:mod:`~sealshot.runtime.detect.glances`); all others look at the whole of every frame.
    """
    if isinstance(detector, Mtcnn) and detector.settings.glances:
        return Glances(detector)
    return EveryFrame(detector)
