"""The learned way back (U_d of UU-Net): a guess at the faces under those that were drawn.

It is no lock. Whoever has the net that draws can draw over faces of his own and train such a net in
minutes; what keeps people from being known is that the drawing is of nobody, and what brings them
back exactly is the quorum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sealshot.runtime.engines.manifest import Manifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import Message
from sealshot.runtime.public.placing import SIDE_PX
from sealshot.runtime.public.square import squares
from sealshot.runtime.types import Face


@dataclass(frozen=True, kw_only=True)
class UndoManifest(Manifest):
    """What a net that undoes drawings says about itself."""

    KIND: ClassVar[str] = "undo"
    WAY: ClassVar[str] = "give the undo.onnx of `sealshot train deid --reversible`"

    macs_per_face: int
    training_set: str
    """Names of the sets, for people."""
    undoes: str
    """sha256 of the net whose drawings it was taught to undo."""


class Undoer:
    """Guesses at faces with one net."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open the net.

        Raises:
            InputError: the file or its manifest is missing, or it is no net that undoes.
        """
        self.manifest = read_manifest(model, UndoManifest)
        self._net = OnnxRuntimeRunner(model, threads=threads)
        takes = {t.name: (t.dtype, t.shape[1:]) for t in self._net.inputs}
        if takes != {"drawn": (np.dtype(np.uint8), (3, SIDE_PX, SIDE_PX))}:
            raise InputError(
                f"{model} is no net that undoes drawn faces",
                hint=UndoManifest.WAY,
            )

    def undo(self, planes: Sequence[Plane], faces: Sequence[Face]) -> None:
        """Put guesses in the place of drawn faces, all of a picture in one batch.

        Args:
            planes: Y, U, V of the picture; changed in place.
            faces: as they are found in it, in pixels of the first plane.
        """
        if not faces:
            return
        where = squares(planes, faces)
        drawn = np.stack([square.cut(planes) for square in where])
        for square, picture in zip(where, self._net.run({"drawn": drawn})["faces"], strict=True):
            square.put(planes, picture)


def drawn_ones(faces: Sequence[Face], message: Message) -> list[Face]:
    """Return those of the faces of a picture whose middle lies in a region that it says it hid."""
    return [
        face
        for face in faces
        if any(
            x0 <= x < x1 and y0 <= y < y1
            for x, y in [(face.box[:2] + face.box[2:]) / 2]
            for _, x0, y0, x1, y1 in message.regions
        )
    ]
