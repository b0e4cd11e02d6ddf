"""The one-pass student behind the score `quality`.

It learns from crops alone what label-free teachers say of the clean picture, and that every
degradation makes a picture worse; see :mod:`sealshot.export.train.quality`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sealshot.export.nets.vae import SLOPE

# channels out, stride
LAYERS = ((16, 2), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2), (96, 1), (128, 2))
FEATURES = 64


def convolutions(channels: int, layers: Sequence[tuple[int, int]]) -> list[nn.Module]:
    """Return 3x3 convolutions, each with its norm and slope.

    Args:
        channels: of the input.
        layers: channels out and stride of each.
    """
    stack: list[nn.Module] = []
    for c_out, stride in layers:
        stack += [
            nn.Conv2d(channels, c_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.LeakyReLU(SLOPE),
        ]
        channels = c_out
    return stack


class Student(nn.Module):
    """A score graph of eight small convolutions; 0.4 M parameters, 10 MMACs a face."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolutions(1, LAYERS), nn.Flatten()
        )  # [n, 1, 64, 64] -> [n, 512]
        self.head = nn.Sequential(
            nn.Linear(LAYERS[-1][0] * 4, FEATURES), nn.LeakyReLU(SLOPE), nn.Linear(FEATURES, 1)
        )

    def features(self, crops: Tensor) -> Tensor:
        """Return what the head sees, ``float [n, 512]``, for crops ``uint8 [n, 1, 64, 64]``."""
        x = crops.to(next(self.parameters()).dtype) / 255
        out: Tensor = self.body(x)
        return out

    def forward(self, crops: Tensor) -> Tensor:
        """Return the quality ``float [n]`` for crops ``uint8 [n, 1, 64, 64]``."""
        out: Tensor = self.head(self.features(crops))
        return out[:, 0]
