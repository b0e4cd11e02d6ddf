"""The one-pass student behind the score `quality`.

It learns from crops alone what label-free teachers say of the clean picture, and that every
degradation makes a picture worse; see :mod:`sealshot.export.train.quality`.
"""

from __future__ import annotations

from torch import Tensor, nn

from sealshot.export.nets.vae import SLOPE

# channels out, stride
LAYERS = ((16, 2), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2), (96, 1), (128, 2))
FEATURES = 64


class Student(nn.Module):
    """A score graph of eight small convolutions; 0.4 M parameters, 10 MMACs a face."""

    def __init__(self) -> None:
        super().__init__()
        c_in, layers = 1, []
        for c_out, stride in LAYERS:
            layers += [
                nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(c_out),
                nn.LeakyReLU(SLOPE),
            ]
            c_in = c_out
        self.body = nn.Sequential(*layers, nn.Flatten())  # [n, 1, 64, 64] -> [n, 512]
        self.head = nn.Sequential(
            nn.Linear(c_in * 4, FEATURES), nn.LeakyReLU(SLOPE), nn.Linear(FEATURES, 1)
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
