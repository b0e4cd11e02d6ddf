"""The network that says how open eyes are: small, on the CPU, and beside the score graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.manifest import EyesManifest, ScoreManifest, read_manifest
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.runner import Runner
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.types import Floats

EYES = "eyes.onnx"
"""Lies beside the score graph."""
INPUT = "eyes"
MOST_FACES = 64
"""In one call: a crowd must not take more memory."""
ODDS = -4, 2, 5
"""Log odds of open eyes: of shut ones, of open ones, and of wide ones. Nothing counts as more shut
or wider than that."""
BEHIND = -7.5, -1.5, 0
"""What they count, and what lies between counts in proportion: above 2 a half. A lid that begins
to fall is told there, and so is, less surely, a startled look."""


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
        if names != ([INPUT], ["open"]):
            raise InputError(
                f"{model} is no network of the eyes: it must take `{INPUT}` and give `open`",
                hint="copy the file that `sealshot train` wrote",
            )

    def open(self, eyes: NDArray[np.uint8]) -> Floats:
        """Return how open eyes are, ``float32 [n]``, 0 to 1.

        It is the network's belief that both are open: 1/2 where they cannot be seen.

        Args:
            eyes: ``uint8 [n, 2, 24, 32]``, as :func:`cut_eyes` gives them.
        """
        opened = np.empty(len(eyes), np.float32)
        for i in range(0, len(eyes), MOST_FACES):
            part = slice(i, i + MOST_FACES)
            opened[part] = self._runner.run({INPUT: eyes[part]})["open"]
        return opened

    def openness(self, eyes: NDArray[np.uint8]) -> Floats:
        """Return how far the eyes are from wide open, ``float32 [n]``, 0 or less.

        It is what :data:`BEHIND` makes of the log odds that :meth:`open` states.
        """
        opened = self.open(eyes)
        with np.errstate(divide="ignore"):  # 0 and 1 are surer than is believed
            odds = np.log(opened) - np.log1p(-opened)
        return np.asarray(np.interp(odds, ODDS, BEHIND), np.float32)


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
