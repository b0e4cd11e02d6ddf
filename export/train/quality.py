"""Training of the one-pass student behind `quality`: no label, no identity, no recogniser.

Teachers say how good a clean crop is: how robustly the detector sees the face (`robustness.py`),
how likely the face is under Gaussians of what the detector makes of it and of the aligned inner
face (`typicality.py`), how likely it is to the variational autoencoder (reconstruction
probability), how much of it there is to see (`detail.py`), and how squarely it looks at the camera
(`frontality.py`). Degradations make it worse (`degrade.py`), by as much as is lost of its detail.
The student learns both by regression, and to put what is no face below every clean one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import huber_loss, softplus

from sealshot.export.nets.student import Student
from sealshot.export.nets.vae import RpScore, Vae
from sealshot.export.train.data import FaceCrops
from sealshot.export.train.degrade import DEGRADATIONS, Grey, centre, non_face, shift
from sealshot.export.train.detail import detail, lost_detail
from sealshot.export.train.frontality import frontality, levelness
from sealshot.export.train.schedules import Schedule
from sealshot.export.train.training import Losses, fit, split
from sealshot.export.train.typicality import contrast_normalised, typicality
from sealshot.runtime.types import Floats

Doubles = NDArray[np.float64]
HELD_OUT = 0.04
WEIGHTS = {
    "robustness": 4.0,
    "typical features": 1.5,
    "typical inner face": 0.5,
    "reconstruction probability": 0.5,
    "detail": 1.2,
    "levelness": 0.8,
    "frontality": 0.3,
}
"""Of the teachers, all of unit spread; see MODELS.md for what they were chosen by."""
FEATURE_RANK = 500
INNER_FACE_RANK = 30
LOWEST, HIGHEST = -4.0, 3.0
"""Of what the teachers say, in units of its spread; unlikelier faces say no more."""
LOST = 20.0
"""How far the score falls, in units of the targets' spread, when all detail is lost."""
HARSH = 5.0
"""How far it falls at least, at severity 1: where only light or posture is lost, no detail is."""
DEGRADED = 2
"""Degraded crops beside each clean one."""
NON_FACES = 12
NON_FACE_SCORE = -LOST


def train_quality(
    sets: Sequence[FaceCrops], vae: Vae, schedule: Schedule, checkpoint: Path
) -> tuple[Student, Losses]:
    """Train on the crops of some sets, whose teachers' scores are standardised set by set.

    A set of softer pictures would else look better to RP than a set of sharp ones.
    """
    torch.manual_seed(schedule.seed)
    model = Student()
    target = torch.from_numpy(teach(sets, vae))
    contexts = np.concatenate([faces.context for faces in sets])

    def loss(indices: Tensor) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        chosen = contexts[indices.numpy()]
        mirrored = [c[:, ::-1] if rng.random() < 0.5 else c for c in chosen]
        clean = [_vary(c, rng) for c in mirrored]
        degraded, falls = zip(*(_degrade(c, rng) for c in mirrored * DEGRADED), strict=True)
        others = [non_face(contexts, rng) for _ in range(NON_FACES)]
        crops = np.stack([*clean, *degraded, *others])
        x = torch.from_numpy(crops)[:, None].contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            scores = model(x)
        as_is, worse, no_face = scores.float().split([len(clean), len(degraded), len(others)])
        wanted = target[indices]
        wanted_worse = wanted.repeat(DEGRADED) - torch.tensor(falls, dtype=torch.float32)
        return (
            huber_loss(as_is, wanted)
            + 0.5 * huber_loss(worse, wanted_worse)
            + 0.2 * softplus(no_face - NON_FACE_SCORE).mean()
        )

    train, validation = split(len(target), HELD_OUT, schedule.seed)
    losses = fit(model, loss, train, validation, schedule, checkpoint, "training quality")
    return model, losses


def teach(sets: Sequence[FaceCrops], vae: Vae) -> Floats:
    """Return what the teachers say of the clean crops, ``float32 [n]``, unit spread."""
    rp = batched(RpScore(vae, seed=0, samples=1).eval(), np.concatenate([s.crops for s in sets]))
    features = typicality(np.concatenate([s.features for s in sets]), FEATURE_RANK)
    aligned = contrast_normalised(np.concatenate([s.aligned for s in sets]))
    inner_face = typicality(aligned, INNER_FACE_RANK)
    ends = np.cumsum([len(s.crops) for s in sets])
    parts = zip(sets, *(np.split(x, ends[:-1]) for x in (rp, features, inner_face)), strict=True)
    return np.concatenate([_teach(*part) for part in parts]).astype(np.float32)


def _teach(faces: FaceCrops, rp: Floats, features: Doubles, inner_face: Doubles) -> Doubles:
    aside = frontality(faces.landmarks)  # mostly 0
    said = {
        "robustness": _standard(np.sum([_standard(group) for group in faces.robustness.T], axis=0)),
        "typical features": _standard(features),
        "typical inner face": _standard(inner_face),
        "reconstruction probability": _standard(rp),
        "detail": _standard(detail(faces.crops)),
        "levelness": _standard(levelness(faces.landmarks)),
        "frontality": aside / max(float(aside.std()), 1e-9),
    }
    total = sum(weight * np.clip(said[name], -6, 6) for name, weight in WEIGHTS.items())
    return np.clip(_standard(np.asarray(total)), LOWEST, HIGHEST)


def batched(graph: nn.Module, crops: NDArray[np.uint8], size: int = 128) -> Floats:
    """Score crops in batches, without gradient: ``float32 [n]``."""
    with torch.no_grad():
        parts = [
            graph(torch.from_numpy(crops[i : i + size])).float().numpy()
            for i in range(0, len(crops), size)
        ]
    return np.concatenate(parts)


def _standard(values: NDArray[np.floating]) -> Doubles:
    """Centre on the median and divide by the spread that a normal distribution would have."""
    low, middle, high = np.quantile(values.astype(np.float64), (0.25, 0.5, 0.75))
    return np.asarray((values - middle) / max(float(high - low), 1e-9) * 1.349)


def _vary(context: Grey, rng: np.random.Generator) -> Grey:
    """A clean crop as another camera and detector would give it: no better and no worse."""
    if rng.random() < 0.5:
        gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-15, 15)
        varied = (context.astype(np.float32) - 128) * gain + 128 + offset
        context = np.clip(varied, 0, 255).astype(np.uint8)
    return centre(context) if rng.random() < 0.5 else shift(context, rng.uniform(0, 0.06), rng).crop


def _degrade(context: Grey, rng: np.random.Generator) -> tuple[Grey, float]:
    """A degraded crop, and how far below that of the clean one its score should be."""
    degrade = DEGRADATIONS[rng.integers(len(DEGRADATIONS))]
    severity = rng.random()
    worse = degrade(context, severity, rng)
    lost = lost_detail(centre(context), worse.in_place)
    return worse.crop, max(LOST * lost, HARSH * severity)
