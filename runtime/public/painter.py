"""Style `face`: faces of nobody, drawn over what is covered.

A face is drawn where one was found for sure; all else, and what lies around a face, stays covered
as it was. The drawing net (U_e of UU-Net, ``export/nets/deid.py``) that is meant for release gets
the means of a few cells of the face, where eyes, nose and mouth are (as far as that is the pose),
and the labels that are to be kept; and noise that is one for each track: within it a person looks
the same, and two tracks share none, as its key is drawn anew for each stream.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.manifest import Manifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane, Style
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX
from sealshot.runtime.public.square import squares
from sealshot.runtime.types import Face, Floats

DRAWN_OVER: Style = "blur"
NOISE = 122
SURE_SCORE = 0.9
"""Least confidence in a face for one to be drawn."""


@dataclass(frozen=True, kw_only=True)
class DrawingManifest(Manifest):
    """What a drawing net says about itself."""

    KIND: ClassVar[str] = "drawing"
    WAY: ClassVar[str] = "give the FILE.onnx of `sealshot export deid`"

    macs_per_face: int
    training_set: str
    """Names of the sets, for people."""
    critics_auc: tuple[float, ...]
    """Of the critics that it was trained against, on people whom they never saw."""
    attributes: tuple[str, ...]
    """Labels that can be kept or turned."""
    reversible: bool
    """Whether it sees the whole face, and another net was taught to undo it."""

    @classmethod
    def _typed(cls, raw: dict[str, Any]) -> dict[str, Any]:
        return {
            **raw,
            "critics_auc": tuple(map(float, raw["critics_auc"])),
            "attributes": tuple(map(str, raw["attributes"])),
        }


class Painter:
    """Draws faces with one net, for one stream."""

    def __init__(
        self, model: Path, control: Mapping[str, int] | None = None, *, threads: int = 0
    ) -> None:
        """Open the net.

        Args:
            model: the ONNX file.
            control: labels, each 1 to keep it or -1 to turn it; the others are left to chance.
            threads: of the net; 0 takes one a core.

        Raises:
            InputError: the file or its manifest is missing, it is no drawing net, or it knows no
                such label.
        """
        self.manifest = read_manifest(model, DrawingManifest)
        self._net = OnnxRuntimeRunner(model, threads=threads)
        labels = self.manifest.attributes
        wanted = {
            "crops": (np.dtype(np.uint8), (3, SIDE_PX, SIDE_PX)),
            "landmarks": (np.dtype(np.float32), (LANDMARKS, 2)),
            "noise": (np.dtype(np.float32), (NOISE,)),
            "control": (np.dtype(np.float32), (len(labels),)),
        }
        if {t.name: (t.dtype, t.shape[1:]) for t in self._net.inputs} != wanted:
            raise InputError(
                f"{model} is no net that draws faces",
                hint=DrawingManifest.WAY,
            )
        for name in control or {}:
            if name not in labels:
                raise InputError(
                    f"{model} knows no label '{name}'", hint="it knows " + ", ".join(labels)
                )
        self._control = np.array([(control or {}).get(name, 0) for name in labels], np.float32)
        self._key = secrets.token_bytes(32)

    def noise(self, track: int) -> Floats:
        """Return the noise of a track, ``float32 [122]`` of 0 to 1: a keyed PRF of its number."""
        told = hashlib.shake_256(self._key + track.to_bytes(8, "big")).digest(NOISE)
        return np.asarray(np.frombuffer(told, np.uint8) / 255, np.float32)

    def paint(
        self, planes: Sequence[Plane], covered: Sequence[Plane], faces: Sequence[tuple[int, Face]]
    ) -> None:
        """Draw over covered planes, all faces of a picture in one batch.

        Args:
            planes: Y, U, V of the picture.
            covered: the same with its faces covered; changed in place.
            faces: track and face, in pixels of the first plane; those that are not sure are left.
        """
        sure = [(track, face) for track, face in faces if face.score >= SURE_SCORE]
        if not sure:
            return
        where = squares(planes, [face for _, face in sure])
        drawn = self.draw(
            np.stack([square.cut(planes) for square in where]),
            np.stack([square.landmarks() for square in where]),
            [track for track, _ in sure],
        )
        for square, picture in zip(where, drawn, strict=True):
            square.put(covered, picture)

    def draw(
        self, crops: NDArray[np.uint8], landmarks: Floats, tracks: Sequence[int]
    ) -> NDArray[np.uint8]:
        """Return drawn faces, ``uint8 [n, 3, 64, 64]``: Y, U, V.

        Args:
            crops: ``uint8 [n, 3, 64, 64]``.
            landmarks: ``float32 [n, 5, 2]``, pixels of the crops.
            tracks: of each.
        """
        drawn = self._net.run(
            {
                "crops": crops,
                "landmarks": landmarks,
                "noise": np.stack([self.noise(track) for track in tracks]),
                "control": np.tile(self._control, (len(crops), 1)),
            }
        )["faces"]
        return np.asarray(drawn, np.uint8)
