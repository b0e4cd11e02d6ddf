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
    centre,
    darken,
    flatten,
    gaussian_blur,
    jpeg,
    motion_blur,
    noise,
    shrink,
)
from sealshot.export.train.lids import close
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses, fit, split
from sealshot.runtime.alignment import EYE_PX, EYES_APART_PX, cut_eyes
from sealshot.runtime.types import Floats

HELD_OUT = 0.04
MOST_FACES = 12000
"""Drawn from all sets: with them it takes three minutes of one core."""
SOFTER = (gaussian_blur, motion_blur, shrink, noise, jpeg, darken, flatten)
SOFTEST = 0.5
"""Severity up to which a face is degraded: what its eyes are must still be seen."""
SQUEEZED = 0.4
"""Share of the closed eyes whose lower lid comes up too."""
AS_IS, ELSEWHERE, SHUT, IN_PART = VIEWS = range(4)
"""Of each face: as it is, with strokes elsewhere, with lids over both eyes, over one or half."""
Pair = tuple[float, float]
OPEN = (1.0, 1.0)
ASTRAY = 0.04
"""Of the way between the eyes: how far landmarks lie beside what they are of."""


def train_eyes(
    sets: Sequence[FaceCrops], schedule: Schedule, checkpoint: Path
) -> tuple[Eyes, Losses]:
    """Train on the faces of some sets."""
    torch.manual_seed(schedule.seed)
    model = Eyes()
    around = np.concatenate([faces.eyes for faces in sets])
    landmarks = np.concatenate([faces.eye_landmarks for faces in sets])
    chosen = np.random.default_rng(schedule.seed).permutation(len(around))[:MOST_FACES]
    eyes, opened = draw_views(around[chosen], landmarks[chosen], schedule.seed)

    def loss(indices: Tensor) -> Tensor:
        return bce(model.logits(eyes[indices].flatten(0, 1)), opened[indices].flatten(0, 1))

    train, validation = split(len(eyes), HELD_OUT, schedule.seed)
    return model, fit(model, loss, train, validation, schedule, checkpoint, "training eyes")


def draw_views(around: Grey, landmarks: Floats, seed: int) -> tuple[Tensor, Tensor]:
    """Draw faces with open and with closed eyes.

    Args:
        around: ``uint8 [n, 96, 96]``, see :attr:`FaceCrops.eyes`.
        landmarks: ``float32 [n, 5, 2]``, in pixels of that.
        seed: of all that is drawn.

    Returns:
        ``uint8 [n, 4, 2, 24, 32]``, eyes as :func:`cut_eyes` gives them; ``float32 [n, 4, 2]``, how
        open they are, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    eyes = np.empty((len(around), len(VIEWS), 2, *EYE_PX), np.uint8)
    opened = np.empty(eyes.shape[:3], np.float32)
    for i, face in enumerate(zip(around, landmarks, strict=True)):
        for kind in VIEWS:
            view, opened[i, kind] = _view(*face, kind, rng)
            eyes[i, kind] = _seen(view, face[1], rng)
    return torch.from_numpy(eyes), torch.from_numpy(opened)


def _view(
    around: Grey, landmarks: Floats, kind: int, rng: np.random.Generator
) -> tuple[Grey, Pair]:
    """A face ``uint8 [96, 96]``, and how open each eye is."""
    eyes = landmarks[:2]
    if kind == ELSEWHERE:
        off = (rng.uniform(-0.1, 0.1), float(rng.choice((-0.5, 0.55))))
        return close(around, eyes, rng.uniform(0.9, 1), rng, off=off), OPEN
    squeeze = rng.uniform(0.2, 1) if rng.random() < SQUEEZED else 0.0
    if kind == SHUT:
        return close(around, eyes, rng.uniform(0.85, 1), rng, squeeze=squeeze), (0.0, 0.0)
    if kind == IN_PART:
        if rng.random() < 0.6:
            which = int(rng.integers(2))
            closed = close(around, eyes, rng.uniform(0.85, 1), rng, (which,), squeeze=squeeze)
            return closed, (float(which != 0), float(which != 1))
        severity = rng.uniform(0.35, 0.85)
        half = close(around, eyes, severity, rng, squeeze=squeeze)
        return half, (0.85 - severity, 0.85 - severity)
    return around, OPEN


def _seen(around: Grey, landmarks: Floats, rng: np.random.Generator) -> Grey:
    """Eyes as another camera and detector would give them, ``uint8 [2, 24, 32]``."""
    if rng.random() < 0.5:
        alpha, beta = rng.uniform(0.7, 1.3), rng.uniform(-25, 25)
        around = np.asarray(cv2.convertScaleAbs(around, alpha=alpha, beta=beta), np.uint8)
    view = centre(around)
    if rng.random() < 0.5:
        soften = SOFTER[rng.integers(len(SOFTER))]
        view = soften(around, rng.uniform(0, SOFTEST), rng).crop
    edge = (len(around) - len(view)) / 2
    eyes: Grey = cut_eyes(view, [_astray(landmarks - np.float32(edge), rng)])[0]
    return eyes


def _astray(landmarks: Floats, rng: np.random.Generator) -> Floats:
    """Landmarks as another detector would put them: all of them elsewhere, and each."""
    all_of_them = rng.normal(0, ASTRAY * EYES_APART_PX, 2)
    each = rng.normal(0, ASTRAY * EYES_APART_PX, landmarks.shape)
    middle = landmarks.mean(0)
    size = rng.uniform(0.9, 1.1)
    astray = middle + size * (landmarks - middle) + all_of_them + each
    return np.asarray(astray, np.float32)
