"""The file that a board in an FPGA is loaded from, and the graph beside it that scores alike."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl.protocol import SHAPE_ID, Command
from sealshot.runtime.errors import InputError

STREAM = ".fpga"
"""Suffix of a file of weights for the board."""
WORDS_A_FRAME = 32


def same_graph(model: Path) -> Path:
    """Return the graph that gives, on a processor, the same scores as a stream in an FPGA.

    Raises:
        InputError: it does not lie beside the stream.
    """
    graph = model.with_name(model.name.removesuffix(STREAM).removesuffix("-stream") + ".onnx")
    if not graph.is_file():
        raise InputError(
            f"{graph} is not there: without it no processor gives the scores of {model.name}",
            hint="`sealshot export --engine fpga` writes both; copy both",
        )
    return graph


def stream_of(graph: Path) -> Path:
    """Return where the stream lies that gives the same scores as a graph, if there is one."""
    return graph.with_name(graph.stem + "-stream" + STREAM)


@dataclass(frozen=True, eq=False)
class Stream:
    """What a board is loaded with, as ``NAME.fpga`` holds it."""

    weights: NDArray[np.uint8]
    """``[words, 128]``."""
    parameters: NDArray[np.uint8]
    """``[words, 22]``."""
    scale: float
    """Score of one unit of the last sum."""

    @property
    def identity(self) -> int:
        """What a board knows these weights by; never 0."""
        return zlib.crc32(self.parameters.tobytes(), zlib.crc32(self.weights.tobytes())) or 1

    def loads(self) -> Iterator[tuple[Command, bytes]]:
        """Give the commands that bring a board its words, and their payloads, in order."""
        for command, words, most in (
            (Command.WEIGHTS, self.weights, WORDS_A_FRAME),
            (Command.PARAMETERS, self.parameters, len(self.parameters)),
        ):
            for i in range(0, len(words), most):
                yield command, i.to_bytes(2, "little") + words[i : i + most].tobytes()


def read_stream(path: Path) -> Stream:
    """Read a file that `sealshot export --engine fpga` wrote.

    Raises:
        InputError: it is missing, none, or for hardware of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            shape = int(kept["shape"])
            stream = Stream(kept["weights"], kept["parameters"], float(kept["scale"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{path} holds no weights for an FPGA", hint="`sealshot export --engine fpga` makes it"
        ) from error
    if (
        shape != SHAPE_ID
        or stream.weights.shape[1:] != (128,)
        or stream.parameters.shape[1:] != (22,)
    ):
        raise InputError(
            f"{path} is for hardware of another shape", hint="export it again with this version"
        )
    return stream
