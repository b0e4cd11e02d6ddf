"""The nets of UU-Net (Proença 2020, arXiv 2007.04316), in the size of a camera.

- :class:`Operator` is U_e. What it sees of a person is a handful of means: the face of the picture
  goes in as :data:`CELLS` x :data:`CELLS` cells, and beside them where eyes, nose and mouth are.
  What it never sees it cannot show, whoever looks; the paper's sees all, and learns to hide it.
- :class:`Critic` is the pairwise matcher D_a, factorised: one embedding a picture, a pair is judged
  by the cosine of two, and the attributes are heads on it.
- :class:`Patches` is D_f (PatchGAN), told where the landmarks are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sealshot.runtime.public.placing import SIDE_PX

CELLS = 4
NOISE = 8
"""Numbers of U(0, 1) in each row and column of the fourth channel."""
WIDTH = 8
SLOPE = 0.2
SPREAD_PX = 2.0
"""Standard deviation of the spot that says where a landmark is."""


class Operator(nn.Module):
    """U_e: from covered faces, landmarks and noise to faces of nobody."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        w = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.first = _block(5, w[0])
        self.down = nn.ModuleList(_block(w[i], w[i + 1], stride=2) for i in range(4))
        self.middle = _block(w[4] + 4, w[4])
        self.up = nn.ModuleList(_block(w[i + 1] + w[i], w[i]) for i in reversed(range(4)))
        self.last = nn.Conv2d(w[0], 3, 3, padding=1)

    def forward(self, crops: Tensor, landmarks: Tensor, noise: Tensor) -> Tensor:
        """Return faces ``uint8 [n, 3, 64, 64]``.

        Args:
            crops: ``uint8 [n, 3, 64, 64]``: Y, U, V.
            landmarks: ``float [n, 5, 2]``, pixels of the crop.
            noise: ``float [n, 64]``, U(0, 1).
        """
        made = self.draw(crops.to(landmarks.dtype) / 255, landmarks, noise)
        return (made * 255 + 0.5).to(torch.uint8)

    def draw(self, crops: Tensor, landmarks: Tensor, noise: Tensor) -> Tensor:
        """Do the same with crops of 0 to 1."""
        covered = functional.avg_pool2d(crops, SIDE_PX // CELLS)
        covered = functional.interpolate(covered, size=(SIDE_PX, SIDE_PX), mode="bilinear")
        grid = noise.reshape(-1, 1, NOISE, NOISE) - 0.5
        fourth = functional.interpolate(grid, size=(SIDE_PX, SIDE_PX), mode="nearest")
        x = self.first(torch.cat([covered - 0.5, fourth, spots(landmarks)], 1))
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(x)
        deep = functional.pixel_unshuffle(grid, 2)  # [n, 4, 4, 4]
        x = self.middle(torch.cat([x, deep], 1))
        for up, skipped in zip(self.up, reversed(passed), strict=True):
            larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = up(torch.cat([larger, skipped], 1))
        out: Tensor = torch.sigmoid(torch.logit(covered, eps=0.02) + self.last(x))
        return out


class Critic(nn.Module):
    """D_a: is it one person, and what is said of each."""

    def __init__(self, attributes: int, *, colour: bool, width: int = 24) -> None:
        """Begin untrained.

        Args:
            attributes: number of heads.
            colour: False sees the brightness alone, evened out, so that no tint deceives it.
            width: channels of the first layer.
        """
        super().__init__()
        self.colour = colour
        w = width
        self.body = nn.Sequential(
            _block(3 if colour else 1, w, stride=2),
            _block(w, 2 * w, stride=2),
            _block(2 * w, 2 * w),
            _block(2 * w, 4 * w, stride=2),
            _block(4 * w, 4 * w),
            _block(4 * w, 8 * w, stride=2),
            nn.Flatten(),
        )
        self.embedding = nn.Linear(8 * w * 16, 128)
        self.heads = nn.Linear(8 * w * 16, attributes)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings ``[n, 128]`` of length 1 and logits ``[n, attributes]``.

        Args:
            faces: ``float [n, 3, 64, 64]``, 0 to 1.
        """
        if self.colour:
            x = 4 * (faces - 0.5)
        else:
            luma = faces[:, :1]
            spread = luma.std((1, 2, 3), keepdim=True) + 0.02
            x = (luma - luma.mean((1, 2, 3), keepdim=True)) / spread
        features = self.body(x)
        return functional.normalize(self.embedding(features)), self.heads(features)

    def same(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the logit that two embeddings are of one person; broadcasts."""
        return self.scale.exp() * (left * right).sum(-1) + self.bias


class Patches(nn.Module):
    """D_f: which patches of a face look real."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            nn.Conv2d(4, w, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            _block(w, 2 * w, stride=2),
            _block(2 * w, 4 * w, stride=2),
            nn.Conv2d(4 * w, 1, 3, padding=1),
        )

    def forward(self, faces: Tensor, landmarks: Tensor) -> Tensor:
        """Return a logit of each patch, ``[n, 1, 8, 8]``, of faces from 0 to 1."""
        out: Tensor = self.body(torch.cat([2 * faces - 1, spots(landmarks)], 1))
        return out


def spots(landmarks: Tensor) -> Tensor:
    """Return a channel ``[n, 1, 64, 64]`` with a spot at each landmark."""
    at = torch.arange(SIDE_PX, dtype=landmarks.dtype, device=landmarks.device) + 0.5
    off = (at - landmarks[..., None]) / SPREAD_PX  # [n, 5, 2, 64]
    near = torch.exp(-off.square() / 2)
    rows, columns = near[:, :, 1, :, None], near[:, :, 0, None, :]
    return (rows * columns).sum(1, keepdim=True)


def _block(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1),
        nn.GroupNorm(max(1, c_out // 8), c_out),
        nn.LeakyReLU(SLOPE),
    )
