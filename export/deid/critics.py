"""Phase 1: the critics D_a, and how well they know people whom they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sealshot.export.deid import losses
from sealshot.export.deid.batches import Sampler
from sealshot.export.deid.loop import descend, loop, set_rate
from sealshot.export.deid.plan import Plan
from sealshot.export.nets.deid import Critic

RATE = 1e-3
MOST_PAIRS = 2000
"""Held-out faces that a critic is judged on."""


def train_critic(critic: Critic, sampler: Sampler, plan: Plan, checkpoint: Path) -> Critic:
    """Train one, and return it frozen."""
    optimizer = torch.optim.AdamW(critic.parameters(), lr=RATE, weight_decay=0.05)

    def step(number: int) -> str:
        set_rate(optimizer, RATE, number / plan.critic_steps)
        batch = sampler.pairs(number, plan.people)
        embedding, logits = critic(batch.faces)
        loss = losses.identity(critic, embedding, batch.identity)
        loss = loss + losses.attributes(logits, batch.labels)
        descend(optimizer, loss)
        return f"loss {loss.item():.3f}"

    parts = {"net": critic, "optimizer": optimizer}
    settings = {name: getattr(plan, name) for name in ("critic_steps", "people", "seed")}
    loop("critic", plan.critic_steps, step, parts, settings, checkpoint)
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
    genuine, impostor = score[upper & same], np.sort(score[upper & ~same])
    if not len(genuine) or not len(impostor):
        return float("nan")
    return float(np.mean(np.searchsorted(impostor, genuine)) / len(impostor))
