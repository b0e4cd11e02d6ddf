"""Training of the network that tells open eyes from closed ones: no label, no identity.

Faces look at the camera with open eyes for the most part. So a face as it is counts as open, and
the same face with lids drawn over one eye or both (`lids.py`) as closed. Beside them stands the
face with the same stroke where no eye is, so that the stroke itself is not what is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from sealshot.export.nets.eyes import Eyes
from sealshot.export.train.data import FaceCrops
from sealshot.export.train.degrade import (
    Grey,
    darken,
    flatten,
    gaussian_blur,
    jpeg,
    noise,
    recut,
    shrink,
)
from sealshot.export.train.lids import close
from sealshot.export.train.robustness import Looker
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses, fit, split
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.types import Floats

WEIGHT = 0.5
"""Of the log odds of open eyes, in units of `quality`, about one standard deviation of faces. With
more, degraded faces of these sets fall less often below clean ones."""
HELD_OUT = 0.04
MOST_FACES = 12000
"""Drawn from all sets: with them it takes three minutes of one core."""
SOFTER = (gaussian_blur, shrink, noise, jpeg, darken, flatten)
SOFTEST = 0.5
"""Severity up to which a face is degraded: what its eyes are must still be seen."""
SQUEEZED = 0.4
"""Share of the closed eyes whose lower lid comes up too."""
AS_IS, ELSEWHERE, SHUT, IN_PART = VIEWS = range(4)
"""Of each face: as it is, with strokes elsewhere, with lids over both eyes, over one or half."""
Pair = tuple[float, float]
OPEN = (1.0, 1.0)
SHIFT_PX = 3


def train_eyes(
    sets: Sequence[FaceCrops], schedule: Schedule, checkpoint: Path
) -> tuple[Eyes, Losses]:
    """Train on the faces of some sets."""
    torch.manual_seed(schedule.seed)
    model = Eyes()
    contexts = np.concatenate([faces.context for faces in sets])
    chosen = np.random.default_rng(schedule.seed).permutation(len(contexts))[:MOST_FACES]
    crops, opened = draw_views(contexts[chosen], schedule.seed)

    def loss(indices: Tensor) -> Tensor:
        x = crops[indices].flatten(0, 1)[:, None]  # [4 * n, 1, 64, 64]
        wanted = opened[indices].flatten(0, 1)
        if model.training:
            down, right = torch.randint(-SHIFT_PX, SHIFT_PX + 1, (2,)).tolist()
            x = x.roll((down, right), (2, 3))
            if torch.rand(()) < 0.5:
                return bce(model.logits(x.flip(3)), wanted.flip(1))
        return bce(model.logits(x), wanted)

    train, validation = split(len(crops), HELD_OUT, schedule.seed)
    return model, fit(model, loss, train, validation, schedule, checkpoint, "training eyes")


def draw_views(contexts: Grey, seed: int) -> tuple[Tensor, Tensor]:
    """Draw faces with open and with closed eyes.

    Args:
        contexts: ``uint8 [n, 112, 112]``.
        seed: of all that is drawn.

    Returns:
        ``uint8 [n, 4, 64, 64]``, crops; ``float32 [n, 4, 2]``, how open the eyes are, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    eyes = Looker().eyes(contexts)
    crops = np.empty((len(contexts), len(VIEWS), CROP_PX, CROP_PX), np.uint8)
    opened = np.empty((*crops.shape[:2], 2), np.float32)
    for i, face in enumerate(zip(contexts, eyes, strict=True)):
        for kind in VIEWS:
            view, opened[i, kind] = _view(*face, kind, rng)
            crops[i, kind] = _soften(view, rng)
    return torch.from_numpy(crops), torch.from_numpy(opened)


def _view(context: Grey, eyes: Floats, kind: int, rng: np.random.Generator) -> tuple[Grey, Pair]:
    """A face ``uint8 [112, 112]``, and how open each eye is."""
    if kind == ELSEWHERE:
        off = (rng.uniform(-0.1, 0.1), float(rng.choice((-0.5, 0.55))))
        return close(context, eyes, rng.uniform(0.9, 1), rng, off=off), OPEN
    squeeze = rng.uniform(0.2, 1) if rng.random() < SQUEEZED else 0.0
    if kind == SHUT:
        return close(context, eyes, rng.uniform(0.85, 1), rng, squeeze=squeeze), (0.0, 0.0)
    if kind == IN_PART:
        if rng.random() < 0.6:
            which = int(rng.integers(2))
            closed = close(context, eyes, rng.uniform(0.85, 1), rng, (which,), squeeze=squeeze)
            return closed, (float(which != 0), float(which != 1))
        severity = rng.uniform(0.35, 0.85)
        half = close(context, eyes, severity, rng, squeeze=squeeze)
        return half, (0.85 - severity, 0.85 - severity)
    return context, OPEN


def _soften(context: Grey, rng: np.random.Generator) -> Grey:
    """A crop as another camera, detector and pose of the head would give it."""
    shift = rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
    crop, _ = recut(context, rng.normal(0, 8), rng.uniform(0.85, 1.15), *shift)
    if rng.random() < 0.5:
        alpha, beta = rng.uniform(0.7, 1.3), rng.uniform(-25, 25)
        crop = np.asarray(cv2.convertScaleAbs(crop, alpha=alpha, beta=beta), np.uint8)
    if rng.random() < 0.5:
        soften = SOFTER[rng.integers(len(SOFTER))]
        edge = (len(context) - CROP_PX) // 2
        padded = cv2.copyMakeBorder(crop, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        crop = soften(np.asarray(padded, np.uint8), rng.uniform(0, SOFTEST), rng).crop
    return np.asarray(crop, np.uint8)
