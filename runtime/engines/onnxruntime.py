"""ONNX Runtime on the CPU: the engine that runs everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.engines.runner import Arrays, Runner, Tensor

DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
"""As ONNX Runtime names them; any other is an object to us."""


class OnnxRuntimeRunner(Runner):
    """An ONNX graph on ONNX Runtime."""

    def __init__(self, model: Path, *, threads: int = 0) -> None:
        """Open a graph.

        Args:
            model: the ONNX file.
            threads: threads inside one operator; 0 takes one a core.

        Raises:
            InputError: the file is missing or is no ONNX graph.
        """
        self._session = open_session(model, threads=threads)
        self.inputs = tuple(map(_tensor, self._session.get_inputs()))
        self.outputs = tuple(map(_tensor, self._session.get_outputs()))
        self._names = [t.name for t in self.outputs]
        self.description = f"ONNX Runtime {ort.__version__}, CPU"

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """See :meth:`Runner.run`."""
        return dict(zip(self._names, self._session.run(self._names, inputs), strict=True))


def _tensor(node: ort.NodeArg) -> Tensor:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return Tensor(node.name, np.dtype(DTYPES.get(node.type, np.object_)), shape)
