"""Score graphs in float16: the network's numbers are, the sums behind it stay float32.

The precision is a property of the graph, as strongly typed engines want it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from sealshot.export.nets.forms import FastRp
from sealshot.export.nets.student import Student


def halve(graph: nn.Module) -> nn.Module:
    """Return a folded score graph with its network in float16.

    Raises:
        TypeError: nothing is known of such a graph.
    """
    graph = copy.deepcopy(graph).eval()
    if isinstance(graph, FastRp):
        graph.half()
        graph.inside = graph.inside.float()  # the likelihood takes its type from it
        return graph
    if isinstance(graph, Student):
        return _HalfStudent(graph)
    raise TypeError(f"no float16 form is known of {type(graph).__name__}")


class _HalfStudent(nn.Module):
    """The student with a body of float16 and a head of float32."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        student.body.half()

    def forward(self, crops: Tensor) -> Tensor:
        """Return the quality ``float [n]`` for crops ``uint8 [n, 1, 64, 64]``."""
        score: Tensor = self.student.head(self.student.features(crops).to(torch.float32))
        return score[:, 0]
