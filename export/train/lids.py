"""Lids drawn over open eyes: what teaches the eyes' network, since no picture is labelled.

The skin between brow and upper lid is stretched down to where the lid is to end, and lashes darken
its edge, as in a blink. Where an eye is squeezed shut, as in a wink or a grimace, the skin below
comes up to meet it, and the brow comes down.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.export.train.degrade import Grey
from sealshot.runtime.types import Floats

BOTH = (0, 1)
LEAST_APART_PX = 6.0
"""Between the eyes; nearer ones are those of a profile, where nothing is drawn."""
REACH = 0.45
"""Of what is drawn around an eye. All lengths here are shares of the way between the eyes."""
CHEEK = 0.36
"""Below an eye; the skin from here on stays where it is."""
SOFT = 0.02
"""Half of the width over which a lid's edge fades."""


def close(
    picture: Grey,
    eyes: Floats,
    severity: float,
    rng: np.random.Generator,
    which: Sequence[int] = BOTH,
    off: tuple[float, float] = (0.0, 0.0),
    squeeze: float = 0.0,
) -> Grey:
    """Return a face whose lids are lower.

    Args:
        picture: ``uint8 [side, side]``, of the face or a part of it.
        eyes: ``float32 [2, 2]``, x and y of the eye on the left and on the right, pixels.
        severity: 0 leaves the eyes as they are, 1 shuts them.
        rng: of shape, shade and lashes.
        which: the eyes to close, 0 and 1.
        off: right and down of where the eyes are: the same stroke where there is no eye.
        squeeze: how far the lower lid comes up and the brow down, 0 to 1.

    Returns:
        ``uint8 [side, side]``.
    """
    along = eyes[1] - eyes[0]
    apart = float(np.hypot(*along))
    if apart < LEAST_APART_PX:
        return picture
    along = along / apart
    out = picture.astype(np.float32)
    wide, low = rng.uniform(0.24, 0.30), rng.uniform(0.06, 0.11)
    brow, top = rng.uniform(-0.26, -0.20), rng.uniform(-0.11, -0.08)
    lash, thick = rng.uniform(0.05, 0.5), rng.uniform(0.018, 0.035)
    light = rng.uniform(-4, 10) * severity
    frown, meet = rng.uniform(0, 0.1) * squeeze * severity, 1 - rng.uniform(0.3, 0.8) * squeeze
    for eye in which:
        skin = out.copy()
        x, y = eyes[eye] + apart * (np.asarray(off) + rng.normal(0, 0.015, 2))
        reach = np.array((-REACH * apart, REACH * apart))
        left, right = (int(v) for v in np.clip(x + reach, 0, len(out)))
        upper, lower = (int(v) for v in np.clip(y + reach, 0, len(out)))
        if left >= right or upper >= lower:
            continue
        rows, columns = np.mgrid[upper:lower, left:right].astype(np.float32)
        dx, dy = (columns - x) / apart, (rows - y) / apart
        u, v = dx * along[0] + dy * along[1], dy * along[0] - dx * along[1]  # along, and down

        arc = np.clip(1 - (u / wide) ** 2, 0, 1)  # half the outline of an eye
        above, below = top * arc, low * arc
        closed = above + meet * (below - above)
        edge, rim = above + severity * (closed - above), below + severity * (closed - below)
        lowered = brow + frown * np.clip(1 - (u / REACH) ** 2, 0, 1)
        # the skin [-REACH, brow, above] goes to [-REACH, lowered, edge], [below, CHEEK] to
        # [rim, CHEEK]
        lid_v = np.where(
            v < lowered,
            _before(v, -REACH, lowered, -REACH, brow),
            _before(v, lowered, edge, brow, above),
        )
        cheek_v = np.where(v > CHEEK, v, _before(v, rim, CHEEK, below, CHEEK))
        lid, cheek = (
            _taken(skin, complex(x, y) + apart * complex(*along) * (u + 1j * from_v))
            for from_v in (lid_v, cheek_v)
        )
        beside = np.clip((wide - np.abs(u)) / 0.05, 0, 1)
        under = np.clip((v - rim) / (2 * SOFT) + 0.5, 0, 1)
        over = np.clip((edge - v) / SOFT + 0.5, 0, 1)
        drawn = out[upper:lower, left:right]
        drawn += under * (cheek - drawn)
        drawn += over * (lid + light * beside * np.clip((v - lowered) / 0.03, 0, 1) - drawn)
        lashes = (
            np.exp(-(((v - edge) / thick) ** 2))
            * np.clip((0.95 * wide - np.abs(u)) / 0.05, 0, 1)
            * lash
            * min(1.0, 2 * severity)
        )
        drawn *= 1 - 0.65 * lashes
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)


def _before(
    v: Floats,
    low: Floats | float,
    high: Floats | float,
    was_low: Floats | float,
    was_high: Floats | float,
) -> Floats:
    """Where it was what is at ``v``, when [was_low, was_high] was stretched to [low, high]."""
    share = (v - low) / np.maximum(high - low, 1e-3)
    return np.asarray(was_low + share * (was_high - was_low), np.float32)


def _taken(picture: Floats, at: NDArray[np.complexfloating]) -> Floats:
    """The picture at some places, x + iy."""
    x, y = at.real.astype(np.float32), at.imag.astype(np.float32)
    taken = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, np.float32)
