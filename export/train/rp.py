"""Training of the variational autoencoder behind `rp`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sealshot.export.nets.vae import PIXELS, Vae
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses, fit, split

HELD_OUT = 0.04


def train_rp(crops: NDArray[np.uint8], schedule: Schedule, checkpoint: Path) -> tuple[Vae, Losses]:
    """Train on crops ``uint8 [n, 1, 64, 64]``, mirrored at random.

    The loss is KL(q(z|x) || N(0, I)) - log p(x|z), both in nats and summed over the picture, then
    divided by its 4096 pixels, which scales the gradient and changes nothing else.
    """
    torch.manual_seed(schedule.seed)
    model = Vae()
    pixels = torch.from_numpy(crops)

    def loss(indices: Tensor) -> Tensor:
        x = pixels[indices].float() / 255
        if model.training:
            x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        with torch.autocast("cpu", torch.bfloat16):
            log_p, kl = model(x.contiguous(memory_format=torch.channels_last))
        mean: Tensor = (kl - log_p).mean() / PIXELS
        return mean

    train, validation = split(len(crops), HELD_OUT, schedule.seed)
    losses = fit(model, loss, train, validation, schedule, checkpoint, "training rp")
    return model, losses
