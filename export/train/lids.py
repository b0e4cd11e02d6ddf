"""Lids drawn over open eyes: what teaches the eyes' network, since no picture is labelled.

The skin between brow and upper lid is stretched down to where the lid is to end, and lashes darken
its edge, as in a blink.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sealshot.export.train.degrade import Grey
from sealshot.runtime.types import Floats

BOTH = (0, 1)
LEAST_APART_PX = 6.0
"""Between the eyes; nearer ones are those of a profile, where nothing is drawn."""
REACH = 0.4
"""Of what is drawn around an eye. All lengths here are shares of the way between the eyes."""


def close(
    context: Grey,
    eyes: Floats,
    severity: float,
    rng: np.random.Generator,
    which: Sequence[int] = BOTH,
    off: tuple[float, float] = (0.0, 0.0),
) -> Grey:
    """Return a face whose lids are lower.

    Args:
        context: ``uint8 [112, 112]``.
        eyes: ``float32 [2, 2]``, x and y of the eye on the left and on the right, pixels.
        severity: 0 leaves the eyes as they are, 1 shuts them.
        rng: of shape, shade and lashes.
        which: the eyes to close, 0 and 1.
        off: right and down of where the eyes are: the same stroke where there is no eye.

    Returns:
        ``uint8 [112, 112]``.
    """
    along = eyes[1] - eyes[0]
    apart = float(np.hypot(*along))
    if apart < LEAST_APART_PX:
        return context
    along = along / apart
    out = context.astype(np.float32)
    wide, low = rng.uniform(0.24, 0.30), rng.uniform(0.06, 0.11)
    brow, top = rng.uniform(-0.26, -0.20), rng.uniform(-0.11, -0.08)
    lash, thick = rng.uniform(0.15, 0.5), rng.uniform(0.018, 0.035)
    light = rng.uniform(-4, 10) * severity
    for eye in which:
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
        opened = top * arc
        edge = opened + severity * (low * arc - opened)
        # the skin [brow, opened] goes to [brow, edge]
        from_v = brow + (v - brow) * (opened - brow) / np.maximum(edge - brow, 1e-3)
        lid = cv2.remap(
            out,
            (x + apart * (u * along[0] - from_v * along[1])).astype(np.float32),
            (y + apart * (u * along[1] + from_v * along[0])).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        inside = (
            np.clip((wide - np.abs(u)) / 0.05, 0, 1)
            * np.clip((edge - v) / 0.02 + 0.5, 0, 1)
            * np.clip((v - brow) / 0.03, 0, 1)
        )
        lashes = (
            np.exp(-(((v - edge) / thick) ** 2))
            * np.clip((0.95 * wide - np.abs(u)) / 0.05, 0, 1)
            * lash
            * min(1.0, 2 * severity)
        )
        area = np.s_[upper:lower, left:right]
        out[area] = out[area] * (1 - inside) + (lid + light) * inside
        out[area] *= 1 - 0.65 * lashes
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)
