"""ONNX Runtime on the CPU: the engine that runs everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.base import Engine
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats

MOST_DECODES = 20
"""Crops times latent samples in one call: a crowd must not take more memory, and is no slower."""


class OnnxRuntimeEngine(Engine):
    """A score graph on ONNX Runtime."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open a score graph and warm it up.

        Args:
            model: ``NAME.onnx`` with its manifest ``NAME.json`` beside it.
            threads: threads inside one operator; 0 takes one a core.

        Raises:
            InputError: the file or its manifest is missing or wrong, or it is no score graph.
        """
        self.manifest = load_manifest(model)
        self._session = open_session(model, threads=threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [i.name for i in inputs] != ["crops"] or inputs[0].type != "tensor(uint8)":
            raise InputError(
                f"{model} is not a score graph: it must take one input, `crops` uint8 [n,1,64,64]",
                hint="name a file that `sealshot train` or `sealshot export` wrote",
            )
        if len(outputs) != 1:
            raise InputError(
                f"{model} gives {', '.join(o.name for o in outputs)}, not one score",
                hint="the form that ends at the pixels is for --engine tensorrt",
            )
        self._output = outputs[0].name
        self._most = max(1, MOST_DECODES // max(1, self.manifest.samples))
        self.description = f"ONNX Runtime {ort.__version__}, CPU, {self.manifest.precision}"
        self.score(np.zeros((1, 1, CROP_PX, CROP_PX), np.uint8))

    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """See :meth:`Engine.score`."""
        scores = np.empty(len(crops), np.float32)
        for i in range(0, len(crops), self._most):
            part = slice(i, i + self._most)
            (scores[part],) = self._session.run([self._output], {"crops": crops[part]})
        return scores
