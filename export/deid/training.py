"""Training in two phases: the critics (D_a), and with these frozen the operator (U_e) and D_f."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sealshot.export.deid import losses
from sealshot.export.deid.batches import Batch, Sampler
from sealshot.export.deid.faces import ATTRIBUTES, DeidFaces
from sealshot.export.nets.deid import NOISE, Critic, Operator, Patches
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic

SAVE_STEPS = 200
AVERAGING = 0.995
R1_EACH, R1_WEIGHT = 8, 5.0
MOST_PAIRS = 2000
"""Held-out faces that a critic is judged on."""


@dataclass(frozen=True)
class Plan:
    """How long and with what weights to train."""

    critic_steps: int = 4000
    people: int = 48
    """In a batch of the critics, with two photos each."""
    warm_up_steps: int = 600
    """In which the operator learns what a face is, from cells alone, before it meets D_f."""
    steps: int = 20000
    batch: int = 16
    seed: int = 1
    gate: float = 0.9
    """Least AUC of the critics on people they never saw; below it the training goes on and says so:
    a weak critic is no judge, and `sealshot bench deid` is."""
    anonymity: float = 1.0
    attributes: float = 1.0
    track: float = 1.0
    """That a person is one and the same within a track."""
    diversity: float = 1.0
    """That two tracks are two people."""
    colours: float = 10.0
    adversarial: float = 1.0


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    operator: Operator
    critics: tuple[Critic, ...]
    auc: tuple[float, ...]
    """Of each critic, on people nobody trained on."""


def train(
    faces: DeidFaces, plan: Plan, folder: Path, device: str = "cpu", training_set: str = ""
) -> Trained:
    """Train all; stopped and called again it goes on at the last checkpoint in the folder.

    Args:
        faces: to learn from.
        plan: steps and weights.
        folder: for the checkpoints.
        device: of PyTorch.
        training_set: what the faces are called, for people.

    Raises:
        InputError: nobody has two photos, or a checkpoint is of another plan.
    """
    on = torch.device(device)
    sampler = Sampler(faces, plan.seed, on)
    if not sampler.train.size or not sampler.held_out.size:
        raise InputError("too few people", hint="give pictures of some hundred people")
    critics = []
    for number, colour in enumerate((True, False)):
        torch.manual_seed(plan.seed + number)
        critic = Critic(len(ATTRIBUTES), colour=colour).to(on)
        critics.append(_train_critic(critic, sampler, plan, folder / f"critic-{number}.ckpt"))
    scores = tuple(judge(critic, sampler) for critic in critics)
    text = ", ".join(f"{score:.3f}" for score in scores)
    note(f"AUC of the critics on people whom they never saw: {text}")
    if min(scores) < plan.gate:
        note(f"that is below {plan.gate}: what deceives these critics may not deceive a matcher")
    torch.manual_seed(plan.seed)
    told = {"training_set": training_set, "critics_auc": scores}
    operator = _train_operator(critics, sampler, plan, folder / "operator.ckpt", on, told)
    return Trained(operator, tuple(critics), scores)


def judge(critic: Critic, sampler: Sampler) -> float:
    """Return the AUC of a critic on the people who were held out."""
    batch = sampler.plain(sampler.held_out[:MOST_PAIRS])
    with torch.no_grad():
        parts = [critic.eval()(part)[0] for part in torch.split(batch.faces, 256)]
    embedding = torch.cat(parts)
    alike = (embedding @ embedding.T).cpu().numpy()
    person = batch.identity.cpu().numpy()
    upper = np.triu(np.ones_like(alike, bool), 1)
    same = person[:, None] == person[None]
    genuine, impostor = alike[upper & same], np.sort(alike[upper & ~same])
    if not len(genuine) or not len(impostor):
        return float("nan")
    return float(np.mean(np.searchsorted(impostor, genuine)) / len(impostor))


def _train_critic(critic: Critic, sampler: Sampler, plan: Plan, checkpoint: Path) -> Critic:
    optimizer = torch.optim.AdamW(critic.parameters(), lr=1e-3, weight_decay=0.05)

    def step(number: int) -> str:
        _rate(optimizer, 1e-3, number / plan.critic_steps)
        batch = sampler.pairs(number, plan.people)
        embedding, logits = critic(batch.faces)
        loss = losses.identity(critic, embedding, batch.identity)
        loss = loss + losses.attributes(logits, batch.labels)
        _step(optimizer, loss)
        return f"loss {loss.item():.3f}"

    parts = {"net": critic, "optimizer": optimizer}
    _loop("critic", plan.critic_steps, step, parts, plan, checkpoint)
    return critic.requires_grad_(False).eval()


def _train_operator(
    critics: Sequence[Critic],
    sampler: Sampler,
    plan: Plan,
    checkpoint: Path,
    on: torch.device,
    told: Mapping[str, Any],
) -> Operator:
    operator, patches = Operator().to(on), Patches().to(on)
    averaged = copy.deepcopy(operator).requires_grad_(False)
    for_operator = torch.optim.Adam(operator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    for_patches = torch.optim.Adam(patches.parameters(), lr=4e-4, betas=(0.0, 0.99))

    def step(number: int) -> str:
        batch = sampler.singles(number, plan.batch)
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + number)
        noise = torch.rand(2, plan.batch, NOISE * NOISE, generator=generator).to(on)
        made = operator.draw(batch.faces, batch.landmarks, noise[0])
        if number < plan.warm_up_steps:
            loss = nn.functional.l1_loss(made, batch.faces)
        else:
            _rate(for_operator, 4e-4, number / plan.steps)
            _critique(patches, for_patches, batch, made.detach(), number)
            loss = _hiding(operator, patches, critics, batch, made, noise, plan, number)
        _step(for_operator, loss)
        with torch.no_grad():
            for kept, new in zip(averaged.parameters(), operator.parameters(), strict=True):
                kept.lerp_(new, 1 - AVERAGING)
        return f"loss {loss.item():.3f}"

    parts = {
        "net": operator,
        "averaged": averaged,
        "patches": patches,
        "optimizer": for_operator,
        "of patches": for_patches,
    }
    _loop("operator", plan.steps, step, parts, plan, checkpoint, told)
    return averaged.eval()


def _critique(
    patches: Patches, optimizer: torch.optim.Optimizer, batch: Batch, made: Tensor, number: int
) -> None:
    """Let D_f learn from one batch."""
    loss = losses.real(patches(batch.faces, batch.landmarks))
    loss = loss + losses.fake(patches(made, batch.landmarks))
    if number % R1_EACH == 0:
        penalty = losses.r1(patches, batch.faces, batch.landmarks)
        loss = loss + R1_WEIGHT * R1_EACH / 2 * penalty
    _step(optimizer, loss)


def _hiding(
    operator: Operator,
    patches: Patches,
    critics: Sequence[Critic],
    batch: Batch,
    made: Tensor,
    noise: Tensor,
    plan: Plan,
    number: int,
) -> Tensor:
    """The loss of the operator: each second step asks for one person in a track, or for two."""
    within = number % 2 == 0
    faces, landmarks = batch.faces, batch.landmarks
    if within:  # the same photo a little later: moved and mirrored
        faces, landmarks = faces.roll((1, 2), (2, 3)), landmarks + landmarks.new_tensor([2.0, 1.0])
    again = operator.draw(faces, landmarks, noise[0] if within else noise[1])
    plain = [critic(batch.faces)[0] for critic in critics]
    seen = [critic(made) for critic in critics]
    later = [critic(again)[0] for critic in critics]
    first = [embedding for embedding, _ in seen]
    heads = [losses.attributes(logits, batch.labels) for _, logits in seen]
    loss: Tensor = -plan.adversarial * patches(made, batch.landmarks).mean()
    loss = loss + plan.anonymity * losses.other(critics, plain, first)
    loss = loss + plan.attributes * torch.stack(heads).mean()
    loss = loss + plan.colours * losses.colours(made, batch.faces)
    if within:
        return loss + plan.track * losses.same(critics, first, later)
    return loss + plan.diversity * losses.other(critics, first, later)


def _loop(
    label: str,
    steps: int,
    step: Callable[[int], str],
    parts: Mapping[str, Any],
    plan: Plan,
    checkpoint: Path,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Do the steps that are left, and keep the state now and then."""
    done = _resume(checkpoint, parts, plan) if checkpoint.exists() else 0
    with progress(label, steps) as bar:
        for number in range(done, steps):
            text = step(number)
            bar.update(number + 1, text)
            if (number + 1) % SAVE_STEPS == 0 or number + 1 == steps:
                _save(checkpoint, number + 1, parts, plan, told or {})


def _save(
    path: Path, done: int, parts: Mapping[str, Any], plan: Plan, told: Mapping[str, Any]
) -> None:
    buffer = io.BytesIO()
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"plan": asdict(plan), "done": done, **told, **states}, buffer)
    write_atomic(path, buffer.getvalue(), mode=0o600)


def _resume(path: Path, parts: Mapping[str, Any], plan: Plan) -> int:
    fix = f"delete {path} to start anew"
    try:
        state = torch.load(path, weights_only=True)
        if state["plan"] != asdict(plan):
            raise InputError(f"{path} was trained with other settings", hint=fix)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        done = int(state["done"])
    except InputError:
        raise
    except Exception as error:  # unpickling raises anything
        raise InputError(f"{path} is not a checkpoint of this training", hint=fix) from error
    if done:
        note(f"going on after step {done} ({path})")
    return done


def _rate(optimizer: torch.optim.Optimizer, most: float, done: float) -> None:
    """Let the learning rate fall as a cosine, to a hundredth."""
    for group in optimizer.param_groups:
        group["lr"] = most * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 5.0)
    optimizer.step()
