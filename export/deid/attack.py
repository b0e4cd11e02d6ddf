"""What an outsider does: with what draws, and photos, he trains a net that undoes drawn faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from sealshot.export.deid.batches import Sampler
from sealshot.export.deid.codec import COARSEST, coded
from sealshot.export.deid.faces import DeidFaces
from sealshot.export.deid.loop import descend, set_rate
from sealshot.export.deid.operators import shown
from sealshot.export.nets.deid import Undo
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.public.painter import Painter

RATE = 2e-3
BATCH = 16


def train_outsider(painter: Painter, faces: DeidFaces, steps: int, seed: int = 1) -> Undo:
    """Train a net to undo what a painter draws; the painter is run, never looked into."""
    torch.manual_seed(seed)
    undo = Undo()
    optimizer = torch.optim.Adam(undo.parameters(), lr=RATE)
    anybody = replace(
        faces, identity=np.full(len(faces.crops), -1)
    )  # who they are, he need not say
    sampler, draw = Sampler(anybody, seed, torch.device("cpu")), np.random.default_rng(seed)
    with progress("an outsider's net", steps) as bar:
        for number in range(steps):
            set_rate(optimizer, RATE, number / steps)
            batch = sampler.singles(number, BATCH)
            crops = (batch.faces * 255 + 0.5).to(torch.uint8).numpy()
            tracks = [int(track) for track in draw.integers(0, 2**40, BATCH)]
            drawn = painter.draw(crops, batch.landmarks.numpy(), tracks)
            made = shown(torch.from_numpy(drawn).float() / 255, batch.faces)
            step = torch.from_numpy(draw.uniform(0, COARSEST, BATCH).astype(np.float32))
            step[::4] = 0
            loss = nn.functional.l1_loss(undo.undo(coded(made, step)), batch.faces)
            descend(optimizer, loss)
            bar.update(number + 1, f"loss {loss.item():.3f}")
    return undo.eval()
