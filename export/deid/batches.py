"""Batches of training faces, shifted, mirrored, recoloured and blurred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sealshot.export.deid.faces import ROOM_PX, DeidFaces
from sealshot.export.deid.pose import pose
from sealshot.runtime.public.placing import SIDE_PX

HELD_OUT = 0.1
"""Share of the people whom nothing is trained on."""
MIRRORED = [1, 0, 2, 4, 3]
"""Where each landmark lies in the mirror image."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some faces."""

    faces: Tensor
    """``float [n, 3, 64, 64]``, 0 to 1."""
    landmarks: Tensor
    """``float [n, 5, 2]``."""
    identity: Tensor
    """``int64 [n]``."""
    labels: Tensor
    """``int8 [n, attributes]``."""


class Sampler:
    """Draws batches; the same seed and step draw the same."""

    def __init__(self, faces: DeidFaces, seed: int, device: torch.device) -> None:
        self._seed, self.device = seed, device
        self._crops = torch.from_numpy(faces.crops).to(device)
        self._landmarks = torch.from_numpy(faces.landmarks).to(device)
        self._identity = torch.from_numpy(faces.identity).to(device)
        self._labels = torch.from_numpy(faces.labels).to(device)
        people = np.unique(faces.identity[faces.identity >= 0])
        self.people = int(faces.identity.max()) + 1
        order = np.random.default_rng(seed).permutation(people)
        hidden = np.isin(faces.identity, order[: max(1, round(HELD_OUT * len(people)))])
        self.train = np.flatnonzero(~hidden)
        self.held_out = np.flatnonzero(hidden)
        self._nameless = np.flatnonzero(faces.identity < 0)
        self._photos = [
            photos
            for person in order[max(1, round(HELD_OUT * len(people))) :]
            if len(photos := np.flatnonzero(faces.identity == person)) > 1
        ]

    def pairs(self, step: int, people: int) -> Batch:
        """Draw two photos each of some people, and half as many faces as people without a name:
        their labels are known where those of the others are not."""
        draw = self._draw(1, step)
        chosen = draw.choice(len(self._photos), min(people, len(self._photos)), replace=False)
        index = [draw.choice(self._photos[one], 2, replace=False) for one in chosen]
        if len(self._nameless):
            index.append(draw.choice(self._nameless, people // 2))
        return self._augmented(np.concatenate(index), draw, hard=True)

    def singles(self, step: int, count: int) -> Batch:
        """Draw photos of anybody."""
        draw = self._draw(2, step)
        return self._augmented(draw.choice(self.train, count), draw, hard=False)

    def plain(self, index: NDArray[np.int64]) -> Batch:
        """Return faces as they are."""
        at = torch.from_numpy(index).to(self.device)
        crops = self._crops[at][:, :, ROOM_PX:-ROOM_PX, ROOM_PX:-ROOM_PX].float() / 255
        return Batch(crops, self._landmarks[at], self._identity[at], self._labels[at])

    def log_odds(self) -> Tensor:
        """Return for each label how much commoner it is than its absence, ``[attributes]``, as a
        natural logarithm, in the faces that are trained on; 0 where one of both is unknown."""
        labels = self._labels[torch.from_numpy(self.train).to(self.device)]
        there, missing = (labels == 1).sum(0), (labels == 0).sum(0)
        both = (there > 0) & (missing > 0)
        return torch.where(both, torch.log(there / missing), 0)

    def cells(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the means of ``count`` x ``count`` cells of all faces that are trained on,
        ``[n, 3, count, count]`` of 1, their landmarks, and their poses, ``[n, 3]``; of mirror
        images too."""
        batch = self.plain(self.train)
        means = functional.avg_pool2d(batch.faces, SIDE_PX // count)
        both = torch.cat([means, means.flip(3)])
        landmarks = torch.cat([batch.landmarks, _mirrored(batch.landmarks)])
        poses = np.array([pose(points) for points in landmarks.cpu().numpy()])
        return both, landmarks, torch.from_numpy(poses).to(self.device)

    def _draw(self, kind: int, step: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, kind, step))

    def _augmented(
        self, index: NDArray[np.int64], draw: np.random.Generator, *, hard: bool
    ) -> Batch:
        n, at = len(index), torch.from_numpy(index).to(self.device)
        dx, dy = (int(shift) for shift in draw.integers(0, 2 * ROOM_PX + 1, 2))
        crops = self._crops[at][:, :, dy : dy + SIDE_PX, dx : dx + SIDE_PX].float() / 255
        moved = torch.tensor([ROOM_PX - dx, ROOM_PX - dy], device=self.device)
        landmarks = self._landmarks[at] + moved
        flip = torch.from_numpy(draw.random(n) < 0.5).to(self.device)
        crops = torch.where(flip[:, None, None, None], crops.flip(3), crops)
        landmarks = torch.where(flip[:, None, None], _mirrored(landmarks), landmarks)
        if hard:
            crops = self._worse(crops, draw)
        return Batch(crops, landmarks, self._identity[at], self._labels[at])

    def _worse(self, crops: Tensor, draw: np.random.Generator) -> Tensor:
        """Change light and colour of each picture, and blur all of a batch alike."""
        n = len(crops)

        def per_picture(low: float, high: float, channels: int = 1) -> Tensor:
            drawn = draw.uniform(low, high, (n, channels, 1, 1)).astype(np.float32)
            return torch.from_numpy(drawn).to(self.device)

        luma = crops[:, :1].clamp(min=1e-3) ** per_picture(0.7, 1.4)
        luma = luma * per_picture(0.8, 1.2)
        chroma = (crops[:, 1:] - 0.5) * per_picture(0.6, 1.4) + 0.5 + per_picture(-0.03, 0.03, 2)
        crops = torch.cat([luma, chroma], 1).clamp(0, 1)
        size = int(draw.choice((64, 64, 48, 32)))
        if size < SIDE_PX:
            small = functional.interpolate(crops, size=(size, size), mode="area")
            crops = functional.interpolate(small, size=(SIDE_PX, SIDE_PX), mode="bilinear")
        return crops


def _mirrored(landmarks: Tensor) -> Tensor:
    """Return where landmarks lie in mirror images."""
    moved = landmarks[:, MIRRORED] * landmarks.new_tensor([-1.0, 1.0])
    return moved + landmarks.new_tensor([SIDE_PX, 0.0])
