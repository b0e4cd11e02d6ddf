"""Closed eyes fall below open ones: what the network of the eyes does to the choice of a frame.

Quality says how well a face can be seen, and shut eyes are seen as well as open ones. So a second,
small network looks at the band of the eyes, on this processor whatever engine runs the score: the
score graph, and the hardware that was made for it, stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.crops import crop_resize_grey
from sealshot.runtime.engines.manifest import EyesManifest, ScoreManifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.engines.scorer import INPUT, MOST_DECODES, Scorer
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats, Image, Ratings, Tracks

EYES = "eyes.onnx"
"""Lies beside the score graph."""
SHUT, WIDE = np.float32(-4), np.float32(2)
"""Log odds of open eyes: nothing is taken for closed or for open more surely than that."""


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
        self.manifest = read_manifest(model, EyesManifest)
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

    def openness(self, crops: NDArray[np.uint8]) -> Floats:
        """Return how far the eyes are from wide open, ``float32 [n]``, 0 or less.

        The log odds that :meth:`open` states, less :data:`WIDE`, and :data:`SHUT` less that at
        least.
        """
        opened = self.open(crops)
        with np.errstate(divide="ignore"):  # 0 and 1 are surer than is believed
            odds = np.log(opened) - np.log1p(-opened)
        behind: Floats = np.clip(odds, SHUT, WIDE) - WIDE
        return behind


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
        own = read_manifest(source, EyesManifest)
        write_atomic(copy, source.read_bytes())
        own.write(copy)


class Heedful(Scorer):
    """A score that heeds the eyes where a frame is chosen.

    A frame loses, in units of the score, the manifest's weight times what its log odds of open eyes
    are below those of the most open frame of its track. So eyes that are narrow, dark or behind
    glasses cost nobody anything: a person is compared with no one else. Which of two frames is the
    better does not depend on the most open one, for both are compared with it: a frame that was the
    best stays so until a better one comes, however far eyes open later.
    """

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
        """See :meth:`Scorer.score`: the quality alone, for nobody else knows these eyes."""
        return self._engine.score(crops)

    def rate(self, crops: NDArray[np.uint8]) -> Ratings:
        """See :meth:`Scorer.rate`."""
        return Ratings(self._engine.score(crops), self._weigh(crops))

    def rate_frame(self, image: Image, tracks: Tracks) -> Ratings:
        """See :meth:`Scorer.rate_frame`."""
        if not self._engine.cuts:
            return super().rate_frame(image, tracks)
        crops = crop_resize_grey(image, [track.face.box for track in tracks.seen])
        return Ratings(self._engine.rate_frame(image, tracks).quality, self._weigh(crops))

    def explain(self, eyes: float, most_open: float) -> str:
        """See :meth:`Scorer.explain`; the component `eyes open` of ISO/IEC 29794-5."""
        own, most = (
            100 * (1 + value / float(self._weight * (WIDE - SHUT))) for value in (eyes, most_open)
        )
        return f"eyes open: {own:.0f} of 100, at most {most:.0f} in this track"

    def _weigh(self, crops: NDArray[np.uint8]) -> Floats:
        weighed: Floats = self._weight * self._eyes.openness(crops)
        return weighed
