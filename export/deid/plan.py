"""How long and with what weights to train."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Steps and weights; a checkpoint is of one plan."""

    reversible: bool = False
    """Whether to train the paper's pair, whose faces can be undone, in place of the release."""
    critic_steps: int = 4000
    people: int = 48
    """In a batch of the critics, with two photos each."""
    warm_up: float = 0.26
    """Share of the steps in which the release learns what a face is before it meets D_f."""
    steps: int = 20000
    batch: int = 32
    seed: int = 1
    gate: float = 0.9
    """Least AUC of the critics on people they never saw; below it the training goes on and says so:
    a weak critic is no judge, and `sealshot bench deid` is."""
    reconstruction: float = 50.0
    """That U_d brings back what there was; of the reversible pair alone."""
    anonymity: float = 0.2
    """Little, as the release is given nothing that it could show; the paper's is 1."""
    attributes: float = 0.4
    """That labels are as they are asked for."""
    points: float = 0.4
    """That a critic sees the landmarks where they are to be, in pixels."""
    track: float = 0.3
    """That a person is one and the same within a track."""
    diversity: float = 0.3
    """That two tracks are two people."""
    colours: float = 10.0
    adversarial: float = 0.25
    """At 1 what is drawn became strokes before it became a face."""
    wasserstein: bool = False
    """Whether D_f is the paper's, with a gradient penalty, in place of R1 and R2."""
    likeness: float = 10.0
    """That what the release draws from a face's own code is that face; it is never given one."""
    perceived: float = 3.0
    """The same for what the critics see in it."""
    code: float = 0.003
    """That such codes are spread as noise is, in nats."""
