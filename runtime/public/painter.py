"""Style `face`: faces of nobody, drawn over what is covered.

A face is drawn where one was found for sure; all else, and what lies around a face, stays covered
as it was. The drawing net (U_e of UU-Net, ``export/nets/deid.py``) gets the means of a few cells of
the face and where eyes, nose and mouth are, and noise that is one for each track: within it a
person looks the same, and two tracks share none, as its key is drawn anew for each stream.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.manifest import Manifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane, Style, around, inside
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX, placing
from sealshot.runtime.types import Face, Floats

DRAWN_OVER: Style = "blur"
NOISE = 64
INPUTS = {
    "crops": (np.uint8, (3, SIDE_PX, SIDE_PX)),
    "landmarks": (np.float32, (LANDMARKS, 2)),
    "noise": (np.float32, (NOISE,)),
}
SURE_SCORE = 0.9
"""Least confidence in a face for one to be drawn."""
WHOLE, NOTHING = 0.62, 0.97
"""Share of half the square up to which, and from which on, the drawing is all, and nothing."""


@dataclass(frozen=True, kw_only=True)
class DrawingManifest(Manifest):
    """What a drawing net says about itself."""

    KIND: ClassVar[str] = "drawing"

    macs_per_face: int
    training_set: str
    """Names of the sets, for people."""
    critics_auc: tuple[float, ...]
    """Of the critics that it was trained against, on people whom they never saw."""

    @classmethod
    def _typed(cls, raw: dict[str, Any]) -> dict[str, Any]:
        return {**raw, "critics_auc": tuple(map(float, raw["critics_auc"]))}


class Painter:
    """Draws faces with one net, for one stream."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open the net.

        Raises:
            InputError: the file or its manifest is missing, or it is no drawing net.
        """
        self.manifest = read_manifest(model, DrawingManifest)
        self._net = OnnxRuntimeRunner(model, threads=threads)
        takes = {tensor.name: (tensor.dtype, tensor.shape[1:]) for tensor in self._net.inputs}
        if takes != {name: (np.dtype(kind), shape) for name, (kind, shape) in INPUTS.items()}:
            raise InputError(
                f"{model} is no net that draws faces",
                hint="give the FILE.onnx of `sealshot export deid`",
            )
        self._key = secrets.token_bytes(32)
        self._alpha = _alpha()

    def noise(self, track: int) -> Floats:
        """Return the noise of a track, ``float32 [64]`` of 0 to 1: a keyed PRF of its number."""
        digest = hashlib.blake2b(track.to_bytes(8, "big"), key=self._key, digest_size=NOISE)
        return np.asarray(np.frombuffer(digest.digest(), np.uint8) / 255, np.float32)

    def paint(
        self, planes: Sequence[Plane], covered: Sequence[Plane], faces: Sequence[tuple[int, Face]]
    ) -> None:
        """Draw over covered planes, all faces of a picture in one batch.

        Args:
            planes: Y, U, V of the picture.
            covered: the same with its faces covered; changed in place.
            faces: track and face, in pixels of the first plane; those that are not sure are left.
        """
        height, width = planes[0].shape
        sure = [(track, face) for track, face in faces if face.score >= SURE_SCORE]
        if not sure:
            return
        deep = 2 if planes[0].dtype != np.uint8 else 0  # bits beyond 8
        maps = [placing(face.landmarks) for _, face in sure]
        crops = [
            [_square(plane, _of_plane(to_square, plane, width, height), deep) for plane in planes]
            for to_square in maps
        ]
        points = [
            np.c_[face.landmarks, np.ones(LANDMARKS)] @ to_square.T
            for (_, face), to_square in zip(sure, maps, strict=True)
        ]
        drawn = self._net.run(
            {
                "crops": np.asarray(crops, np.uint8),
                "landmarks": np.asarray(points, np.float32),
                "noise": np.stack([self.noise(track) for track, _ in sure]),
            }
        )["faces"]
        for (_, face), to_square, picture in zip(sure, maps, drawn, strict=True):
            rectangle = inside(around(face.box), width, height)
            if rectangle is not None:
                for plane, shown in zip(covered, picture, strict=True):
                    to_plane = _of_plane(to_square, plane, width, height)
                    self._blend(plane, shown, to_plane, rectangle, (width, height), deep)

    def _blend(
        self,
        plane: Plane,
        drawn: NDArray[np.uint8],
        to_square: NDArray[np.float64],
        rectangle: tuple[int, int, int, int],
        size: tuple[int, int],
        deep: int,
    ) -> None:
        """Draw one plane of a face into that of a picture."""
        step_x, step_y = round(size[0] / plane.shape[1]), round(size[1] / plane.shape[0])
        x0, y0, x1, y1 = rectangle
        left, top = x0 // step_x, y0 // step_y
        part = plane[top : -(-y1 // step_y), left : -(-x1 // step_x)]
        moved = to_square.copy()
        moved[:, 2] += to_square[:, :2] @ [left, top]
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shape = part.shape[::-1]
        alpha = cv2.warpAffine(self._alpha, moved, shape, flags=how)
        shown = cv2.warpAffine(
            drawn.astype(np.float32) * (1 << deep), moved, shape, flags=how,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        part[:] = np.rint(part + alpha * (shown - part)).astype(part.dtype)


def _square(plane: Plane, to_square: NDArray[np.float64], deep: int) -> NDArray[np.uint8]:
    side = (SIDE_PX, SIDE_PX)
    cut = cv2.warpAffine(plane, to_square, side, borderMode=cv2.BORDER_REPLICATE)
    return (np.asarray(cut, np.uint16) >> deep).astype(np.uint8)


def _of_plane(
    to_square: NDArray[np.float64], plane: Plane, width: int, height: int
) -> NDArray[np.float64]:
    """Return a map from pixels of the first plane as one from those of a subsampled one."""
    step = np.array([round(width / plane.shape[1]), round(height / plane.shape[0])])
    scaled: NDArray[np.float64] = to_square.copy()
    scaled[:, 2] += to_square[:, :2] @ ((step - 1) / 2)
    scaled[:, :2] *= step
    return scaled


def _alpha() -> Floats:
    at = (np.arange(SIDE_PX) + 0.5) / (SIDE_PX / 2) - 1
    away = np.hypot(at[:, None], at[None])
    part = np.clip((NOTHING - away) / (NOTHING - WHOLE), 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)
