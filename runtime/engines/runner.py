"""What every engine is: a graph that runs, named arrays in and named arrays out.

A runner knows nothing of what its graph is for: that is its clients' part, the scorer
(`scorer.py`) and the detector (`runtime/detect`). Nor must it come from an ONNX file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Name of an input or output -> its numbers."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    """None where an axis has no fixed size; the first axis of a batch is one."""


class Runner(ABC):
    """A graph on an engine, ready to run. Calls must not overlap."""

    description: str
    """The engine and the device in a few words, for people."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    """In the order of the graph."""
    most: int | None = None
    """Rows that one call takes at most, where the first axis is a batch; None: any number."""

    @abstractmethod
    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Run the graph once.

        Args:
            inputs: an array for each of :attr:`inputs`, of its dtype and shape.

        Returns:
            An array for each of :attr:`outputs`, in their order. They are the caller's own.

        Raises:
            SealshotError: the engine failed.
        """
