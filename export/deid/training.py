"""Training in two phases: the critics (D_a), and with these frozen what draws (U_e), with D_f."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from sealshot.export.deid.batches import Sampler
from sealshot.export.deid.critics import judge, judge_pairs, train_critic, train_pairs
from sealshot.export.deid.faces import DeidFaces
from sealshot.export.deid.labels import ATTRIBUTES
from sealshot.export.deid.operators import Operators
from sealshot.export.deid.plan import Plan
from sealshot.export.nets.deid import Drawing, Undo
from sealshot.export.nets.deid_judges import CRITIC_WIDTH, READER_WIDTH, Critic
from sealshot.runtime.cli.terminal import note
from sealshot.runtime.errors import InputError


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    drawing: Drawing
    undo: Undo | None
    """Of the reversible pair."""
    training_set: str
    """Names, for people."""
    auc: tuple[float, ...]
    """Of each critic, on people nobody trained on."""


def train(
    faces: DeidFaces,
    plan: Plan,
    folder: Path,
    device: str = "cpu",
    training_set: str = "",
    start: Path | None = None,
) -> Trained:
    """Train all; stopped and called again it goes on at the last checkpoint in the folder.

    Args:
        faces: to learn from.
        plan: steps and weights.
        folder: for the checkpoints.
        device: of PyTorch.
        training_set: what the faces are called, for people.
        start: the checkpoint of another training, whose nets it begins with.

    Raises:
        InputError: nobody has two photos, or a checkpoint is of another plan.
    """
    sampler = Sampler(faces, plan.seed, torch.device(device))
    if not sampler.train.size or not sampler.held_out.size:
        raise InputError("too few people", hint="give pictures of some hundred people")
    reader, *critics = _critics(sampler, plan, folder)
    scores = tuple(judge([critic], sampler) for critic in critics)
    together = judge(critics, sampler)
    text = ", ".join(f"{score:.3f}" for score in scores)
    note(f"AUC of the critics on people whom they never saw: {text}; together {together:.3f}")
    if together < plan.gate:
        note(f"that is below {plan.gate}: what deceives these critics may not deceive a matcher")
    operators = Operators(reader, critics, sampler, plan)
    if start:
        operators.begin(start)
    told = {"training_set": training_set, "critics_auc": scores}
    operators.train(folder / "operator.ckpt", told)
    return Trained(operators.averaged, operators.undo, training_set, scores)


def papers_critic(faces: DeidFaces, plan: Plan, folder: Path, device: str = "cpu") -> float:
    """Train D_a as the paper has it, and return its AUC on people whom it never saw.

    Nothing is trained with it: each pair costs 108 MMACs, where the others look at a picture once.
    """
    sampler = Sampler(faces, plan.seed, torch.device(device))
    critic = train_pairs(sampler, plan, folder / "pairs.ckpt")
    return judge_pairs(critic, sampler, plan.seed)


def _critics(sampler: Sampler, plan: Plan, folder: Path) -> list[Critic]:
    """Return the reader of labels and the critics, frozen."""
    trained: list[Critic] = []
    for name, colour, width in (
        ("reader", True, READER_WIDTH),
        ("critic-0", True, CRITIC_WIDTH),
        ("critic-1", False, CRITIC_WIDTH),
    ):
        torch.manual_seed(plan.seed + len(trained))
        critic = Critic(len(ATTRIBUTES), colour=colour, width=width).to(sampler.device)
        trained.append(train_critic(critic, sampler, plan, folder / f"{name}.ckpt"))
    return trained
