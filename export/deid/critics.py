"""Phase 1: the critics D_a, and how well they know people whom they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sealshot.export.deid import losses
from sealshot.export.deid.batches import Sampler
from sealshot.export.deid.labels import ATTRIBUTES
from sealshot.export.deid.loop import descend, loop, set_rate
from sealshot.export.deid.plan import Plan
from sealshot.export.deid.precision import quick
from sealshot.export.nets.deid_judges import Critic, PairCritic

RATE = 1e-3
CLASSES, POINTS = 0.2, 0.3
"""Weights of who it is of all people, and of where landmarks are (in pixels)."""
MOST_PAIRS = 2000
"""Held-out faces that a critic is judged on."""


def train_critic(critic: Critic, sampler: Sampler, plan: Plan, checkpoint: Path) -> Critic:
    """Train one, and return it frozen."""
    people = nn.Linear(critic.embedding.out_features, sampler.people, bias=False)
    people.to(sampler.device)
    own = [*critic.parameters(), *people.parameters()]
    optimizer = torch.optim.AdamW(own, lr=RATE, weight_decay=0.05)

    def step(number: int) -> str:
        set_rate(optimizer, RATE, number / plan.critic_steps)
        batch = sampler.pairs(number, plan.people)
        embedding, logits, points = quick(critic)(batch.faces)
        cosine = embedding @ functional.normalize(people.weight).T
        loss = losses.identity(critic, embedding, batch.identity)
        loss = loss + CLASSES * losses.person_of_all(cosine, batch.identity)
        loss = loss + losses.attributes(logits, batch.labels)
        loss = loss + POINTS * losses.placed(points, batch.landmarks)
        descend(optimizer, loss)
        return f"loss {loss.item():.3f}"

    parts = {"net": critic, "people": people, "optimizer": optimizer}
    loop("critic", plan.critic_steps, step, parts, settings_of(plan), checkpoint)
    with torch.no_grad():
        critic.heads.bias.sub_(sampler.log_odds())  # a rare label is said as often as it is missed
    return critic.requires_grad_(False).eval()


def judge(critics: Sequence[Critic], sampler: Sampler) -> float:
    """Return the AUC of critics together on the people who were held out."""
    batch = sampler.plain(sampler.held_out[:MOST_PAIRS])
    alike = torch.zeros(len(batch.faces), len(batch.faces))
    for critic in critics:
        with torch.no_grad():
            parts = [critic.eval()(part)[0] for part in torch.split(batch.faces, 256)]
            embedding = torch.cat(parts)
            alike += (critic.scale.exp() * (embedding @ embedding.T)).cpu()
    person = batch.identity.cpu().numpy()
    upper = np.triu(np.ones(alike.shape, bool), 1)
    same = person[:, None] == person[None]
    score = alike.numpy()
    return _auc(score[upper & same], score[upper & ~same])


def train_pairs(sampler: Sampler, plan: Plan, checkpoint: Path) -> PairCritic:
    """Train the paper's critic, on as many pictures as the others, and return it frozen."""
    torch.manual_seed(plan.seed)
    critic = PairCritic(len(ATTRIBUTES)).to(sampler.device)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=RATE, weight_decay=0.05)

    def step(number: int) -> str:
        set_rate(optimizer, RATE, number / plan.critic_steps)
        batch = sampler.pairs(number, plan.people)
        # each person's two photos follow each other: half meet their own, half the next person's
        at = torch.arange(len(batch.faces) // 2 * 2, device=sampler.device)
        order = torch.where(at // 2 % 2 == number % 2, at ^ 1, (at + 2) % len(at))
        traits = torch.cat([batch.identity[:, None], batch.labels.long()], 1)
        logits = quick(critic)(batch.faces[at], batch.faces[order])
        loss = losses.shared(logits, traits[at], traits[order])
        descend(optimizer, loss)
        return f"loss {loss.item():.3f}"

    parts = {"net": critic, "optimizer": optimizer}
    loop("pairs", plan.critic_steps, step, parts, settings_of(plan), checkpoint)
    return critic.requires_grad_(False).eval()


def judge_pairs(critic: PairCritic, sampler: Sampler, seed: int) -> float:
    """Return the AUC of the paper's critic on the people who were held out, as :func:`judge`, on
    all genuine pairs and as many impostors, drawn by chance: it has to look at each pair."""
    batch = sampler.plain(sampler.held_out[:MOST_PAIRS])
    person = batch.identity.cpu().numpy()
    same = person[:, None] == person[None]
    upper = np.triu(np.ones(same.shape, bool), 1)
    genuine, impostor = (np.argwhere(upper & where) for where in (same, ~same))
    draw = np.random.default_rng(seed)
    genuine = draw.permutation(genuine)[:MOST_PAIRS]
    impostor = draw.permutation(impostor)[: len(genuine)]

    def scores(pairs: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = [np.empty(0, np.float32)]
        with torch.no_grad():
            for part in np.array_split(pairs, -(-len(pairs) // 64)) if len(pairs) else ():
                left, right = (batch.faces[torch.from_numpy(side)] for side in part.T)
                parts.append(critic(left, right)[:, 0].cpu().numpy())
        return np.concatenate(parts)

    return _auc(scores(genuine), scores(impostor))


def settings_of(plan: Plan) -> dict[str, int]:
    """Return what the critics depend on."""
    return {"critic_steps": plan.critic_steps, "people": plan.people, "seed": plan.seed}


def _auc(genuine: NDArray[np.float32], impostor: NDArray[np.float32]) -> float:
    if not len(genuine) or not len(impostor):
        return float("nan")
    return float(np.mean(np.searchsorted(np.sort(impostor), genuine)) / len(impostor))
