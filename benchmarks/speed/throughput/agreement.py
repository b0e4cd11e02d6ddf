"""Do all that compute one score compute the same? Against PyTorch in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from sealshot.benchmarks.speed.throughput.contenders import Contender, Crops, Score
from sealshot.export.rebuild import load_graph
from sealshot.runtime.engines.manifest import load_manifest


@dataclass(frozen=True)
class Agreement:
    """One contender's scores."""

    name: str
    crops: int
    max_difference: float
    spread: float
    """Standard deviation of the exact scores, to judge the difference by."""
    spearman: float


def agree(model: Path, rivals: Sequence[tuple[Contender, Score]], crops: Crops) -> list[Agreement]:
    """Compare the scores of all that are to compute the score of ``model``.

    Args:
        model: the fp32 score graph, whose weights PyTorch takes.
        rivals: who, ready to run.
        crops: ``uint8 [n, 1, 64, 64]``.

    Raises:
        InputError: PyTorch cannot rebuild the model.
    """
    graph = load_graph(model, load_manifest(model)).double()
    with torch.inference_mode():
        exact = graph(torch.from_numpy(crops)).numpy()  # [n]
    found = []
    for contender, score in rivals:
        scores = score(crops)
        found.append(
            Agreement(
                name=contender.name,
                crops=len(crops),
                max_difference=float(np.abs(scores - exact).max()),
                spread=float(exact.std()),
                spearman=float(spearmanr(scores, exact).statistic),
            )
        )
    return found
