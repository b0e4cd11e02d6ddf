"""Numerical hot spots: a float64 reference each, and its fast versions on the GPU and the CPU.

``kernels.rp_likelihood(...)`` and its like take and give NumPy arrays. They run on the GPU where
one is ready for them, else on the CPU, with the same results; :func:`backend` says which, and why.
`reference.py` says what each computes, `device.py` runs them on arrays that are on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels import cpu
from sealshot.kernels.errors import DeviceError

__all__ = [
    "Backend",
    "backend",
    "crop_resize_grey",
    "rp_likelihood",
    "sample_latents",
    "track_argmax",
]


@dataclass(frozen=True)
class Backend:
    """Where the kernels run."""

    name: str
    """``gpu`` or ``cpu``."""
    description: str
    """The device; for the CPU, why no GPU is used."""
    functions: ModuleType


@cache
def backend() -> Backend:
    """Choose where the kernels run: once, at the first use."""
    from sealshot.kernels import gpu

    try:
        device = gpu.kernels().device
    except DeviceError as error:
        return Backend("cpu", f"the CPU: {error.fact}", cpu)
    return Backend("gpu", f"{device.name}, sm_{device.sm}, CUDA {device.driver}", gpu)


def sample_latents(
    mu: NDArray[Any], log_var: NDArray[Any], noise: NDArray[np.float32]
) -> NDArray[Any]:
    """Return :func:`sealshot.kernels.reference.sample_latents` in ``mu``'s dtype."""
    z: NDArray[Any] = backend().functions.sample_latents(mu, log_var, noise)
    return z


def rp_likelihood(x: NDArray[Any], mu: NDArray[Any], log_var: NDArray[Any]) -> NDArray[np.float32]:
    """Return :func:`sealshot.kernels.reference.rp_likelihood`, ``float32 [n]``."""
    log_rp: NDArray[np.float32] = backend().functions.rp_likelihood(x, mu, log_var)
    return log_rp


def crop_resize_grey(
    frame: NDArray[np.uint8], boxes: NDArray[np.float32], format: str = "bgr"
) -> NDArray[np.uint8]:
    """Return :func:`sealshot.kernels.reference.crop_resize_grey`."""
    crops: NDArray[np.uint8] = backend().functions.crop_resize_grey(frame, boxes, format)
    return crops


def track_argmax(
    scores: NDArray[np.float32],
    slots: NDArray[np.int32],
    frames: NDArray[np.int64],
    best_scores: NDArray[np.float32],
    best_frames: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Update a table as :func:`sealshot.kernels.reference.track_argmax`, in place."""
    won: NDArray[np.uint8] = backend().functions.track_argmax(
        scores, slots, frames, best_scores, best_frames
    )
    return won
