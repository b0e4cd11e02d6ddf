"""What judges faces in the training of UU-Net's nets (``export/nets/deid.py``).

- :class:`Critic` is the pairwise matcher D_a, factorised: one embedding a picture, a pair is judged
  by the cosine of two, and the attributes are heads on it. :class:`PairCritic` is the paper's,
  which looks at two pictures at once.
- :class:`Patches` is D_f (PatchGAN), told where the landmarks are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX

SLOPE = 0.2
READER_WIDTH, CRITIC_WIDTH = 8, 32
SPREAD_PX = 2.0
"""Standard deviation of the spot that says where a landmark is."""
DETAIL = 4.0
"""By how much D_f sees the finest structure enlarged."""
NARROWEST = 4
"""Side of what a critic sees last."""


class Critic(nn.Module):
    """D_a: is it one person, and what is said of each."""

    def __init__(self, attributes: int, *, colour: bool, width: int = CRITIC_WIDTH) -> None:
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
            block(3 if colour else 1, w, stride=2),
            block(w, 2 * w, stride=2),
            block(2 * w, 2 * w),
            block(2 * w, 4 * w, stride=2),
            block(4 * w, 4 * w),
            block(4 * w, 8 * w, stride=2),
            nn.Flatten(),
        )
        self.embedding = nn.Linear(8 * w * 16, 128)
        self.heads = nn.Linear(8 * w * 16, attributes)
        self.points = nn.Linear(8 * w * 16, 2 * LANDMARKS)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return embeddings ``[n, 128]`` of length 1, logits ``[n, attributes]``, and where the
        landmarks are, ``[n, 5, 2]`` in pixels.

        Args:
            faces: ``float [n, 3, 64, 64]``, 0 to 1.
        """
        features = self.body(self._input(faces))
        points = self.points(features).float().reshape(-1, LANDMARKS, 2)
        embedding = functional.normalize(self.embedding(features).float())
        return embedding, self.heads(features), SIDE_PX * (0.5 + points)

    def features(self, faces: Tensor) -> list[Tensor]:
        """Return what its layers before the last see, from fine to coarse."""
        x, seen = self._input(faces), []
        for layer in list(self.body)[:-2]:
            x = layer(x)
            seen.append(x)
        return seen

    def same(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the logit that two embeddings are of one person; broadcasts."""
        return self.scale.exp() * (left * right).sum(-1) + self.bias

    def _input(self, faces: Tensor) -> Tensor:
        if self.colour:
            return 4 * (faces - 0.5)
        luma = faces[:, :1]
        spread = luma.std((1, 2, 3), keepdim=True) + 0.02
        return (luma - luma.mean((1, 2, 3), keepdim=True)) / spread


class PairCritic(nn.Module):
    """D_a as in the paper's Table I, one net for all traits: do two pictures share them."""

    def __init__(self, attributes: int) -> None:
        """Begin untrained.

        Args:
            attributes: number of labels, beside the identity.
        """
        super().__init__()
        layers = ((6, 16, 2), (16, 64, 1), (64, 128, 1), (128, 64, 2), (64, 64, 2), (64, 64, 2))
        self.body = nn.Sequential(
            *(block(c_in, c_out, stride) for c_in, c_out, stride in layers),
            nn.Flatten(),
            nn.Linear(64 * NARROWEST**2, 128),
            nn.LeakyReLU(SLOPE),
            nn.Linear(128, 1 + attributes),
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return logits ``[n, 1 + attributes]`` that two faces are of one person, and that each
        label is the same; faces are ``float [n, 3, 64, 64]``, 0 to 1."""
        out: Tensor = self.body(4 * (torch.cat([left, right], 1) - 0.5))
        return out


class Patches(nn.Module):
    """D_f: which patches of a face look real, at two sizes, and whether the whole does."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.fine = nn.Sequential(
            nn.Conv2d(6 + LANDMARKS, w, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(w, 2 * w, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * w, 4 * w, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
        )
        self.coarse = nn.Sequential(nn.Conv2d(4 * w, 4 * w, 4, 2, 1), nn.LeakyReLU(SLOPE))
        self.last = nn.ModuleList(nn.Conv2d(4 * w, 1, 3, padding=1) for _ in range(2))
        self.whole = nn.Sequential(nn.Flatten(), nn.Linear(4 * w * NARROWEST**2, 1))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, SLOPE)

    def forward(self, faces: Tensor, landmarks: Tensor) -> Tensor:
        """Return logits ``[n, 3, 8, 8]``: of small patches, of large ones, and of all of a face;
        faces are of 0 to 1."""
        smooth = functional.avg_pool2d(faces, 3, 1, 1, count_include_pad=False)
        detail = DETAIL * (faces - smooth)  # what drawings lack first
        fine = self.fine(torch.cat([2 * faces - 1, detail, spots(landmarks)], 1))
        coarse = self.coarse(fine)
        size = fine.shape[2:]
        large = functional.interpolate(self.last[1](coarse), size=size, mode="nearest")
        whole = self.whole(coarse)[:, :, None, None].expand(-1, -1, *size)
        return torch.cat([self.last[0](fine), large, whole], 1)


def spots(landmarks: Tensor, size: int = SIDE_PX) -> Tensor:
    """Return a channel for each landmark, ``[n, 5, size, size]``, with a spot where it is."""
    step = SIDE_PX / size
    at = (torch.arange(size, dtype=landmarks.dtype, device=landmarks.device) + 0.5) * step
    off = (at - landmarks[..., None]) / max(SPREAD_PX, step)  # [n, 5, 2, size]
    near = torch.exp(-off.square() / 2)
    return near[:, :, 1, :, None] * near[:, :, 0, None, :]


def block(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution, a normalisation, and what bends."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1),
        nn.GroupNorm(max(1, c_out // 8), c_out),
        nn.LeakyReLU(SLOPE),
    )
