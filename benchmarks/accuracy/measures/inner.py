"""What a score graph computes on the way: the numbers of tensors inside it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.faces import batches
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Floats
from sealshot.runtime.weights import score_graph

BATCH = 32
MOST_NUMBERS = 2048


def numbers_inside(spec: str, crops: NDArray[np.uint8], *, threads: int = 0) -> dict[str, Floats]:
    """Run a graph and return what it computes of each crop.

    Args:
        spec: ``GRAPH`` for its score, ``GRAPH:TENSOR`` for a tensor, ``GRAPH:*`` for each tensor
            of 2 to 2048 numbers a crop.
        crops: ``uint8 [n, 64, 64]``, n of 2 or more.
        threads: of the graph.

    Returns:
        ``GRAPH`` or ``GRAPH:TENSOR`` -> ``float32 [n, ...]``.

    Raises:
        InputError: no such graph or tensor, or it is not one row of numbers a crop.
    """
    graph, colon, wanted = spec.partition(":")
    path = score_graph(graph)
    outputs = [output.name for output in open_session(path).get_outputs()]
    if not colon:
        return {graph: _run(path, outputs[:1], crops, threads)[0]}
    fewest = 2 if wanted == "*" else 1
    with tempfile.TemporaryDirectory() as folder:
        opened = Path(folder) / "opened.onnx"
        tensors = _expose(path, wanted, opened)
        fit = [
            tensor
            for tensor, value in zip(tensors, _run(opened, tensors, crops[:2], 1), strict=True)
            if value.dtype == np.float32
            and len(value) == 2
            and 2 * fewest <= value.size <= 2 * MOST_NUMBERS
        ]
        if not fit:
            raise InputError(
                f"'{wanted}' of {graph} is not {fewest} to {MOST_NUMBERS} numbers a crop",
                hint=f"name another tensor, or all: {graph}:*",
            )
        values = _run(opened, fit, crops, threads)
    seen = {value.tobytes(): tensor for tensor, value in reversed([*zip(fit, values, strict=True)])}
    return {
        f"{graph}:{tensor}": value
        for tensor, value in zip(fit, values, strict=True)
        if seen[value.tobytes()] == tensor  # a tensor that was only reshaped is told once
    }


def _expose(path: Path, wanted: str, opened: Path) -> list[str]:
    """Write a copy of a graph that gives inner tensors as outputs; return their names."""
    import onnx  # comes with the extra `export`

    model = onnx.load(str(path))
    inner = [name for node in model.graph.node for name in node.output if name]
    if wanted != "*" and wanted not in inner:
        raise InputError(f"{path.name} has no tensor '{wanted}'", hint=f"it has {', '.join(inner)}")
    tensors = inner if wanted == "*" else [wanted]
    given = {output.name for output in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in tensors if name not in given
    )
    onnx.save(model, str(opened))
    return tensors


def _run(
    path: Path, tensors: Sequence[str], crops: NDArray[np.uint8], threads: int
) -> list[Floats]:
    session = open_session(path, threads=threads)
    parts = []
    with progress(path.stem, len(crops)) as bar:
        for batch in batches(len(crops), BATCH):
            part = crops[batch.start : batch.stop, None]
            parts.append([np.atleast_1d(v) for v in session.run(tensors, {"crops": part})])
            bar.update(batch.stop)
    return [np.concatenate(values) for values in zip(*parts, strict=True)]
