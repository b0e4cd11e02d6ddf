"""The face matcher that judges quality scores: aligned pictures in, embeddings out.

A matcher is an ONNX file and a declared alignment: which pixels of a face it wants, and how its
embeddings are compared. The declaration is a JSON sidecar (``matcher.json`` beside
``matcher.onnx``) or, for a matcher that sealshot knows by its sha256, built in. It serves the
evidence only: nothing that runs on a camera imports this module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.alignment import similarity
from sealshot.runtime.engines.identity import model_sha256
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats, Image

EXAMPLE = (
    'write {"size": [WIDTH, HEIGHT], "points": [[x, y], ... 5], "mean": 127.5, "scale": 128, '
    '"channels": "RGB", "mirror": true, "distance": "euclidean"}'
)


@dataclass(frozen=True)
class Alignment:
    """What a matcher wants to see, and how its embeddings are compared."""

    size: tuple[int, int]
    """Width and height of the input, pixels."""
    points: tuple[tuple[float, float], ...]
    """Where the five landmarks lie in the input, in the order of :class:`Face.landmarks`."""
    mean: float = 127.5
    """The input is ``(pixel - mean) / scale``."""
    scale: float = 128.0
    channels: str = "RGB"
    """``RGB`` or ``BGR``."""
    mirror: bool = True
    """Join the embeddings of the picture and of its mirror image."""
    distance: str = "euclidean"
    """``euclidean`` between unit vectors; ``cosine`` is ``1 - cos``, the same order."""


# sha256 of the file -> its alignment
KNOWN = {
    # MobileFaceNet of 128 dimensions for 112x96 pictures, trained on CASIA-WebFace
    "c9a476e8b9c6c8124244230611163bd1252b4eec70272a37ddf9af8bcb2c71c7": Alignment(
        size=(96, 112),
        points=(
            (30.2946, 51.6963),
            (65.5318, 51.5014),
            (48.0252, 71.7366),
            (33.5493, 92.3655),
            (62.7299, 92.2041),
        ),
    ),
}


class Matcher:
    """Turns a picture and five landmarks into an embedding of length 1."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open a matcher.

        Raises:
            InputError: the file is missing, is no ONNX model from images to embeddings, or its
                alignment is not declared or malformed.
        """
        self._session = open_session(model, threads=threads)
        self.sha256 = model_sha256(model)
        self.name = model.stem
        self.alignment = _alignment(model, self.sha256)
        inputs = self._session.get_inputs()
        width, height = self.alignment.size
        shape, kind = inputs[0].shape, inputs[0].type
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or kind != "tensor(float)":
            takes = ", ".join(f"{i.type.removeprefix('tensor')} {i.shape}" for i in inputs)
            raise InputError(
                f"{model} is not a matcher: it must take one image, float [n, 3, height, width], "
                f"and takes {takes}",
                hint="give the ONNX file of a face matcher, exported with channels first",
            )
        for found, declared in zip(shape[2:], (height, width), strict=True):
            if isinstance(found, int) and found != declared:
                raise InputError(
                    f"{model} takes {shape[3]}x{shape[2]} pictures, its alignment says "
                    f"{width}x{height}",
                    hint=f"put the right size into {model.with_suffix('.json').name}",
                )
        self._input = inputs[0].name
        self._batch = self._batch_of(model, shape[0])

    def _batch_of(self, model: Path, declared: object) -> int | None:
        """Return how many pictures the model takes at once; None: any number.

        Many are exported for one alone, some without saying so: they are tried.
        """
        width, height = self.alignment.size
        failure = ""
        for batch in (declared,) if isinstance(declared, int) else (2, 1):
            black = np.zeros((batch, 3, height, width), np.float32)
            try:
                (given, *_) = self._session.run(None, {self._input: black})
            except Exception as error:  # those of ONNX Runtime share no base class
                failure = str(error).splitlines()[0]
                continue
            if np.ndim(given) == 2 and len(given) == batch:
                return None if batch == 2 and not isinstance(declared, int) else batch
            failure = f"for {batch} it gives {list(np.shape(given))}"
        raise InputError(
            f"{model} is not a matcher: it must give embeddings [n, d] of n pictures: {failure}",
            hint="give the ONNX file of a face matcher",
        )

    def align(self, image: Image, landmarks: Floats) -> Image:
        """Warp a face to where the matcher wants it.

        Args:
            image: ``uint8 [h, w, 3]`` BGR.
            landmarks: ``float32 [5, 2]``.

        Returns:
            ``uint8 [height, width, 3]`` BGR; black where the picture has no pixels.
        """
        matrix = similarity(landmarks, np.array(self.alignment.points))
        return np.asarray(cv2.warpAffine(image, matrix, self.alignment.size), np.uint8)

    def embed(self, aligned: Sequence[Image]) -> Floats:
        """Return the embeddings of aligned pictures, ``float32 [n, d]``, each of length 1."""
        # [n, 3, h, w]
        batch = np.stack(aligned).astype(np.float32).transpose(0, 3, 1, 2)
        if self.alignment.channels == "RGB":
            batch = batch[:, ::-1]
        batch = (batch - self.alignment.mean) / self.alignment.scale
        parts = [batch, batch[..., ::-1]] if self.alignment.mirror else [batch]
        embeddings = np.concatenate([self._run(part) for part in parts], axis=1)
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return np.asarray(embeddings / np.maximum(norms, 1e-12), np.float32)

    def _run(self, images: Floats) -> Floats:
        """Run the model on ``[n, 3, h, w]``, as many at once as it takes."""
        size = self._batch or len(images)
        given = []
        for first in range(0, len(images), size):
            part = images[first : first + size]
            filled = np.zeros((size, *part.shape[1:]), np.float32)
            filled[: len(part)] = part
            given.append(self._session.run(None, {self._input: filled})[0][: len(part)])
        return np.concatenate(given)


def distances(left: Floats, right: Floats, kind: str) -> NDArray[np.float64]:
    """Return the distance of each embedding on the left to the same one on the right.

    Args:
        left: ``[n, d]``, rows of length 1.
        right: ``[n, d]``.
        kind: see :attr:`Alignment.distance`.

    Returns:
        ``float64 [n]``.
    """
    if kind == "cosine":
        return np.asarray(1 - np.einsum("nd,nd->n", left, right, dtype=np.float64), np.float64)
    return np.asarray(np.linalg.norm(left.astype(np.float64) - right, axis=1), np.float64)


def _alignment(model: Path, sha256: str) -> Alignment:
    path = model.with_suffix(".json")
    if not path.is_file():
        if sha256 in KNOWN:
            return KNOWN[sha256]
        raise InputError(
            f"{model} declares no alignment: there is no {path.name} beside it", hint=EXAMPLE
        )
    try:
        return _read(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not an alignment: {error}", hint=EXAMPLE) from None


def _read(fields: dict[str, Any]) -> Alignment:
    width, height = (int(v) for v in fields["size"])
    points = tuple((float(x), float(y)) for x, y in fields["points"])
    alignment = Alignment(**{**fields, "size": (width, height), "points": points})
    if len(points) != 5 or width < 1 or height < 1 or not alignment.scale:
        raise ValueError("five points, a positive size and a scale other than 0 are needed")
    if alignment.channels not in ("RGB", "BGR"):
        raise ValueError(f"channels is '{alignment.channels}', not RGB or BGR")
    if alignment.distance not in ("euclidean", "cosine"):
        raise ValueError(f"distance is '{alignment.distance}', not euclidean or cosine")
    return alignment
