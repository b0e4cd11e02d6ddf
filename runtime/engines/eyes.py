"""Closed eyes fall below open ones: what the network of the eyes takes off a score.

Quality says how well a face can be seen, and shut eyes are seen as well as open ones. So a second,
small network looks at the band of the eyes, on this processor whatever engine runs the score: the
score graph, and the hardware that was made for it, stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.engines.manifest import Manifest, ScoreManifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.engines.scorer import INPUT, MOST_DECODES, Scorer
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats, Image, Tracks

EYES = "eyes.onnx"
"""Lies beside the score graph."""
DOUBT = np.float32(0.1)
"""Of the faces that it was taught with, 1 % lie below: what is above may well be open."""
SUREST = np.float32(0.005)
"""Nothing is taken for closed more surely than that."""


class Eyes:
    """Says how open the eyes are."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open the network.

        Args:
            model: its file.
            threads: see :class:`OnnxRuntimeRunner`.

        Raises:
            InputError: the file or its manifest is missing or wrong.
        """
        self.manifest = read_manifest(model, Manifest)
        self._runner: Runner = OnnxRuntimeRunner(model, threads=threads)
        names = [t.name for t in self._runner.inputs], [t.name for t in self._runner.outputs]
        if names != ([INPUT.name], ["open"]):
            raise InputError(
                f"{model} is no network of the eyes: it must take `crops` and give `open`",
                hint="copy the file that `sealshot train` wrote",
            )

    def open(self, crops: NDArray[np.uint8]) -> Floats:
        """Return how open the eyes are, ``float32 [n]``, 0 to 1, for ``uint8 [n, 1, 64, 64]``.

        It is the network's belief that both are open: 1/2 where they cannot be seen.
        """
        opened = np.empty(len(crops), np.float32)
        for i in range(0, len(crops), MOST_DECODES):
            part = slice(i, i + MOST_DECODES)
            opened[part] = self._runner.run({INPUT.name: crops[part]})["open"]
        return opened

    def cost(self, crops: NDArray[np.uint8]) -> Floats:
        """Return what closed eyes cost, ``float32 [n]``, 0 to 3.

        By the logarithm of :meth:`open`, and nothing where it is at least :data:`DOUBT`: eyes that
        are narrow, dark or behind glasses cost nothing. A blink loses against an equal frame with
        open eyes, and not against one that is blurred or half hidden, which costs quality more.
        """
        cost: Floats = np.log(DOUBT / np.clip(self.open(crops), SUREST, DOUBT))
        return cost


def open_eyes(model: Path, manifest: ScoreManifest, *, threads: int = 0) -> Eyes | None:
    """Open the network that belongs to a score; None where the score does not heed eyes.

    Args:
        model: the file of the score; that of the eyes lies beside it.
        manifest: of the score.
        threads: see :class:`Eyes`.

    Raises:
        InputError: the score needs it, and it is missing or wrong.
    """
    if not manifest.eyes_weight:
        return None
    return Eyes(model.with_name(EYES), threads=threads)


def copy_eyes(model: Path, manifest: ScoreManifest, folder: Path) -> None:
    """Copy the network that belongs to a score into the folder of another form of it.

    Raises:
        InputError: the score needs it, and it is missing or wrong.
    """
    source, copy = model.with_name(EYES), folder / EYES
    if manifest.eyes_weight and source.resolve() != copy.resolve():
        own = read_manifest(source, Manifest)
        write_atomic(copy, source.read_bytes())
        own.write(copy)


class Heedful(Scorer):
    """A score that heeds the eyes: less, the surer it is that one of them is closed."""

    def __init__(self, engine: Scorer, eyes: Eyes) -> None:
        """Take an engine, and the network that belongs to its score."""
        self._engine, self._eyes = engine, eyes
        self._weight = np.float32(engine.manifest.eyes_weight)
        self.manifest, self.why = engine.manifest, engine.why

    @property
    def description(self) -> str:  # type: ignore[override]
        """Of the engine, which may change on the way."""
        return self._engine.description

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Scorer.score`."""
        return self._engine.score(crops) - self._penalty(crops)

    def score_frame(self, image: Image, tracks: Tracks) -> Floats:
        """See :meth:`Scorer.score_frame`."""
        if not self._engine.cuts:
            return super().score_frame(image, tracks)
        crops = crop_resize_grey(image, [track.face.box for track in tracks.seen])
        return self._engine.score_frame(image, tracks) - self._penalty(crops)

    def explain(self, crop: NDArray[np.uint8]) -> str:
        """See :meth:`Scorer.explain`; the component `eyes open` of ISO/IEC 29794-5."""
        return f"eyes open: {100 * float(self._eyes.open(crop[None])[0]):.0f} of 100"

    def _penalty(self, crops: NDArray[np.uint8]) -> Floats:
        penalty: Floats = self._weight * self._eyes.cost(crops)
        return penalty
