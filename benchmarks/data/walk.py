"""Synthetic walks: a real face is carried towards the camera, and what befalls it there is known.

The person comes from far and then stands near. All the way long things befall the picture for some
frames each: blur, too little light, something before the face, a blink, a turn of the head. In a
few of the near frames nothing does: those are the best ones. Of any other two frames one is the
better where it is worse in nothing; there is no need to weigh a blink against a blur.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.degradations import CHIP_PX, CLOSED_EYES, DEGRADATIONS, Chip
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.demo.cutout import Cutout, Pose
from sealshot.runtime.types import Floats, Image

WIDTH, HEIGHT = 320, 240
FRAMES, NEAR_FROM = 40, 26
"""Of a walk, and the first of those in which the person stands near."""
FAR_PX, NEAR_PX = 20.0, float(CROP_PX)
"""Width of the face at the start and at the end: near, it is as large as in the chip."""
UNHARMED = 4
"""Near frames, one after the other, in which nothing befalls the picture."""
BEFALLS = tuple(
    d
    for d in DEGRADATIONS
    if d.name in ("Gaussian blur", "motion blur", "darkness", "occlusion", CLOSED_EYES)
)
TURN = "turned away"
TURNS_DEG = (15.0, 30.0, 45.0)
HARMS = (*(d.name for d in BEFALLS), TURN)
EPISODES, BLINKS = 2, 3
"""How often each befalls in a walk; a blink is short."""
HEAD = (96, 104), (46, 76)
"""An ellipse in the chip: its middle and half axes, pixels."""
GRAIN = 2.0
"""Noise of the sensor, grey levels."""


@dataclass(frozen=True, eq=False)
class Walk:
    """What befalls in each frame of a walk."""

    face_px: Floats
    """``[frames]``: width of the face."""
    harm: NDArray[np.int64]
    """``[frames, harms]``: 0, nothing, or 1 to 3, mild to harsh, of each of :data:`HARMS`."""

    def better(self) -> NDArray[np.bool_]:
        """Return which frame is better than which.

        Returns:
            ``[frames, frames]``: the one of the row is as near and as little harmed as the one of
            the column, and nearer or less harmed in something.
        """
        bad = np.column_stack([-self.face_px, self.harm])
        no_worse = (bad[:, None] <= bad).all(axis=-1)
        return np.asarray(no_worse & ~no_worse.T)


def plan(rng: np.random.Generator) -> Walk:
    """Draw what befalls on a walk."""
    done = np.minimum(np.arange(FRAMES) / NEAR_FROM, 1)
    # at equal steps, and 1 / distance wide
    face_px = 1 / (1 / FAR_PX + done * (1 / NEAR_PX - 1 / FAR_PX))
    unharmed = rng.integers(NEAR_FROM, FRAMES - UNHARMED + 1)
    harm = np.zeros((FRAMES, len(HARMS)), np.int64)
    for kind, name in enumerate(HARMS):
        blink = name == CLOSED_EYES
        for _ in range(BLINKS if blink else EPISODES):
            length = int(rng.integers(2, 4) if blink else rng.integers(4, 9))
            peak = rng.integers(1, 4)
            swell = np.ceil(peak * np.sin(np.pi * (np.arange(length) + 0.5) / length)).astype(int)
            first = rng.integers(0, FRAMES - length + 1)
            part = harm[first : first + length, kind]
            part[:] = np.maximum(part, swell)
    harm[unharmed : unharmed + UNHARMED] = 0
    return Walk(np.asarray(face_px, np.float32), harm)


def render(
    chip: Chip, walk: Walk, backgrounds: Sequence[Image], seed: int
) -> Iterator[tuple[Image, tuple[float, float]]]:
    """Render a walk.

    Args:
        chip: of the face, which looks at the camera.
        walk: what befalls it.
        backgrounds: pictures ``uint8 [h, w, 3]`` BGR of any size, shown one after the other, and
            then from the first on.
        seed: of noise, and of how what befalls looks.

    Yields:
        Each frame, ``uint8 [240, 320, 3]`` BGR, and where the middle of the face is in it.
    """
    grain = np.random.default_rng(seed).normal(0, GRAIN, (HEIGHT, WIDTH, 3)).astype(np.float32)
    left, right, nose, *_ = chip.landmarks
    away = 1 if nose[0] < (left[0] + right[0]) / 2 else -1  # whoever looks aside turns farther
    for i, (face_px, harm) in enumerate(zip(walk.face_px, walk.harm, strict=True)):
        harmed = chip
        for d, (degradation, severity) in enumerate(zip(BEFALLS, harm, strict=False)):
            if severity:
                rng = np.random.default_rng((seed, d))
                harmed = degradation.apply(harmed, degradation.levels[severity - 1], rng)
        at = WIDTH * (0.3 + 0.4 * i / FRAMES), HEIGHT * 0.5
        turn = away * TURNS_DEG[harm[-1] - 1] if harm[-1] else 0.0
        shown = backgrounds[i % len(backgrounds)]
        frame = cv2.resize(shown, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
        head = _cut_out(harmed, float(face_px))
        head.draw(frame, Pose(*at, face_px=head.face_px, yaw_deg=turn))
        frame += np.roll(grain, 7919 * i)
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8), at


def _cut_out(chip: Chip, face_px: float) -> Cutout:
    """Return the head, shrunk: its pixels are averaged."""
    side = round(CHIP_PX * face_px / CROP_PX)
    mask = np.zeros((CHIP_PX, CHIP_PX), np.uint8)
    middle, axes = HEAD
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 4)
    beside = np.s_[:, middle[0] - axes[0] - 8 : middle[0] + axes[0] + 8]  # as wide as the cylinder
    scale = side / CHIP_PX
    image, opaque = (
        cv2.resize(
            np.ascontiguousarray(whole[beside]),
            (round((2 * axes[0] + 16) * scale), side),
            interpolation=cv2.INTER_AREA,
        ).astype(np.float32)
        for whole in (chip.image, soft)
    )
    centre = opaque.shape[1] / 2, side / 2
    return Cutout(image, opaque / np.float32(255), centre, CROP_PX * scale)
