"""The kernels on the GPU, NumPy in and out: for tests and for single calls.

Each call copies its arrays to the device and the result back. Where data is on the device already,
use `device.py`, which copies nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.device import DeviceFrame, DeviceKernels
from sealshot.kernels.memory import DeviceArray
from sealshot.kernels.reference import CROP_PX

__all__ = ["crop_resize_grey", "rp_likelihood", "sample_latents", "track_argmax"]


@cache
def _opened() -> DeviceKernels:
    return DeviceKernels()


def kernels() -> DeviceKernels:
    """Return the kernels of the first GPU, its context current in this thread.

    Raises:
        NoDeviceError, NoCompilerError, DeviceError: as :class:`DeviceKernels`.
    """
    opened = _opened()
    opened.device.use()
    return opened


def sample_latents(
    mu: NDArray[Any], log_var: NDArray[Any], noise: NDArray[np.float32]
) -> NDArray[Any]:
    """Return :func:`sealshot.kernels.reference.sample_latents` in ``mu``'s dtype."""
    gpu = kernels()
    out = DeviceArray.empty((len(mu), *noise.shape), mu.dtype)
    on_device = (DeviceArray.of(mu), DeviceArray.of(log_var), DeviceArray.of(noise))
    gpu.sample_latents(*on_device, out)
    return out.get()


def rp_likelihood(x: NDArray[Any], mu: NDArray[Any], log_var: NDArray[Any]) -> NDArray[np.float32]:
    """Return :func:`sealshot.kernels.reference.rp_likelihood`, ``float32 [n]``."""
    gpu = kernels()
    out = DeviceArray.empty((len(x),), np.float32)
    workspace = gpu.rp_workspace(*mu.shape[:2])
    on_device = (DeviceArray.of(x), DeviceArray.of(mu), DeviceArray.of(log_var))
    gpu.rp_likelihood(*on_device, out, workspace=workspace)
    return out.get()


def crop_resize_grey(
    frame: NDArray[np.uint8], boxes: NDArray[np.float32], format: str = "bgr"
) -> NDArray[np.uint8]:
    """Return :func:`sealshot.kernels.reference.crop_resize_grey`."""
    gpu = kernels()
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    picture, places = DeviceArray.of(frame), DeviceArray.of(boxes)
    out = DeviceArray.empty((len(boxes), 1, CROP_PX, CROP_PX), np.uint8)
    gpu.crop_resize_grey(DeviceFrame.of(picture, format), places, out)
    return out.get()


def track_argmax(
    scores: NDArray[np.float32],
    slots: NDArray[np.int32],
    frames: NDArray[np.int64],
    best_scores: NDArray[np.float32],
    best_frames: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Update a table as :func:`sealshot.kernels.reference.track_argmax`, in place."""
    gpu = kernels()
    faces = (DeviceArray.of(scores), DeviceArray.of(slots), DeviceArray.of(frames))
    table = (DeviceArray.of(best_scores), DeviceArray.of(best_frames))
    won = DeviceArray.empty((len(scores),), np.uint8)
    gpu.track_argmax(*faces, *table, won)
    best_scores[:], best_frames[:] = table[0].get(), table[1].get()
    return won.get()
