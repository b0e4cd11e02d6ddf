"""The network that tells open eyes from closed ones, behind the penalty of `quality`.

It learns from faces alone: :mod:`sealshot.export.train.eyes`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from sealshot.export.nets.student import convolutions
from sealshot.export.nets.vae import SLOPE

LAYERS = ((24, 1), (32, 2), (48, 2))
"""Channels out, stride."""
HIDDEN = 32
LEAST_CONTRAST = 0.05
"""Of 0 to 1; a flat picture must not become all noise."""


class Eyes(nn.Module):
    """Three small convolutions over each eye; 1.4 MMACs a face."""

    def __init__(self) -> None:
        super().__init__()
        # [2 * n, 4, 12, 16] -> [2 * n, 576]
        self.body = nn.Sequential(*convolutions(4, LAYERS), nn.Flatten())
        self.head = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(LAYERS[-1][0] * 12, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, 1),
        )

    def logits(self, eyes: Tensor) -> Tensor:
        """Return the log odds ``float [n, 2]`` that each eye is open, for ``uint8 [n, 2, 24, 32]``.

        Both go the same way: the right one is mirrored.
        """
        x = eyes.flatten(0, 1)[:, None].to(next(self.parameters()).dtype) / 255
        x = x - x.mean((2, 3), keepdim=True)
        x = x / (x.square().mean((2, 3), keepdim=True).sqrt() + LEAST_CONTRAST)
        x = pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        out: Tensor = self.head(self.body(x))
        return out.reshape(-1, 2)

    def forward(self, eyes: Tensor) -> Tensor:
        """Return how open the eyes are, ``float [n]`` from 0 to 1, for ``uint8 [n, 2, 24, 32]``:
        the less open of both."""
        return torch.sigmoid(self.logits(eyes).amin(1))
