"""Engines: what runs a graph, the clients that score with it, and the choice among them."""

from sealshot.runtime.engines.choice import (
    ENGINES,
    PRECISION_CHOICES,
    engine_forms,
    open_engine,
    open_for_tracks,
    open_onnxruntime,
    open_screened,
    survey,
)
from sealshot.runtime.engines.runner import Runner, Tensor
from sealshot.runtime.engines.scorer import GraphScorer, Scorer
from sealshot.runtime.engines.screen import Screen

__all__ = [
    "ENGINES",
    "PRECISION_CHOICES",
    "GraphScorer",
    "Runner",
    "Scorer",
    "Screen",
    "Tensor",
    "engine_forms",
    "open_engine",
    "open_for_tracks",
    "open_onnxruntime",
    "open_screened",
    "survey",
]
