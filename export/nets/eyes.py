"""The network that tells open eyes from closed ones, behind the penalty of `quality`.

It learns from faces alone: :mod:`sealshot.export.train.eyes`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from sealshot.export.nets.student import convolutions
from sealshot.export.nets.vae import SLOPE

BAND = slice(12, 44)
"""Rows of a crop in which the eyes of a face lie that the detector has found."""
LAYERS = ((24, 2), (32, 2), (48, 1))
"""Channels out, stride."""
SIDE = 36
"""Columns of a side; they meet in the middle."""
HIDDEN = 32
LEAST_CONTRAST = 0.05
"""Of 0 to 1; a flat picture must not become all noise."""


class Eyes(nn.Module):
    """Three small convolutions over each side of the band of the eyes; 1 MMAC a face."""

    def __init__(self) -> None:
        super().__init__()
        # [2 * n, 4, 16, 18] -> [2 * n, 960]
        self.body = nn.Sequential(*convolutions(4, LAYERS), nn.Flatten())
        self.head = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(LAYERS[-1][0] * 20, HIDDEN),
            nn.LeakyReLU(SLOPE),
            nn.Linear(HIDDEN, 1),
        )

    def logits(self, crops: Tensor) -> Tensor:
        """Return the log odds ``float [n, 2]`` that the eye on the left, and on the right, is open.

        Both sides go the same way: the right one is mirrored.
        """
        x = crops[:, :, BAND].to(next(self.parameters()).dtype) / 255
        x = x - x.mean((2, 3), keepdim=True)
        x = x / (x.square().mean((2, 3), keepdim=True).sqrt() + LEAST_CONTRAST)
        sides = torch.cat([x[..., :SIDE], x.flip(3)[..., :SIDE]])
        sides = pixel_unshuffle(sides, 2).contiguous(memory_format=torch.channels_last)
        out: Tensor = self.head(self.body(sides))
        return out.reshape(2, -1).T

    def forward(self, crops: Tensor) -> Tensor:
        """Return how open the eyes are, ``float [n]`` from 0 to 1, for crops
        ``uint8 [n, 1, 64, 64]``: the less open of both."""
        left, right = self.logits(crops).T
        return torch.sigmoid(torch.minimum(left, right))
