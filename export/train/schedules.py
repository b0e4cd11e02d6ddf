"""How long and how fast the scores and the eyes' network are trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int
    batch: int
    learning_rate: float
    seed: int
    warm_up: float = 0.02
    """Share of all steps in which the learning rate rises; it falls as a cosine after that."""
    clip_norm: float = 1.0
    averaging: float = 0.0
    """How much of the running average of the weights each step keeps; 0: no average is taken."""


RP = Schedule(epochs=60, batch=144, learning_rate=2e-3, seed=1)
QUALITY = Schedule(epochs=24, batch=96, learning_rate=2e-3, seed=1, averaging=0.995)
EYES = Schedule(epochs=8, batch=24, learning_rate=4e-3, seed=1, averaging=0.99)
