"""How far the kernels are from the float64 reference, on the device, on fresh random inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sealshot.kernels import reference
from sealshot.kernels.device import DeviceFrame, DeviceKernels
from sealshot.kernels.memory import DeviceArray

SHAPES = ((1, 1, 4096), (1, 10, 4096), (16, 10, 4096), (17, 33, 4097), (64, 10, 4095), (2, 4, 63))
RANKED = 256


@dataclass(frozen=True)
class ErrorRow:
    """One kernel on one kind of input."""

    kernel: str
    types: str
    items: int
    shape: tuple[int, ...]
    relative_error: float
    """Largest difference to the reference, relative to it; of crops, in grey levels."""
    spearman: float | None
    """Between the ranks of the result and those of the reference on inputs before rounding."""


def random_gaussians(n: int, samples: int, pixels: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Return pixels and Gaussians near them, as a decoder gives them: sigma from 0.02 to 1.

    Items differ in how sure the decoder is of them, so that they have ranks, as faces do.

    Returns:
        ``uint8 [n, pixels]``, ``float32 [n, samples, pixels]`` twice.
    """
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (n, pixels), np.uint8)
    sure = random.uniform(-6, -2, (n, 1, 1))
    log_var = (sure + random.uniform(-1.8, 1.8, (n, samples, pixels))).astype(np.float32)
    noise = random.standard_normal(log_var.shape, np.float32)
    return x, x[:, None] / np.float32(255) + np.exp(log_var / 2) * noise, log_var


def measure_errors(kernels: DeviceKernels) -> tuple[ErrorRow, ...]:
    """Compare every kernel with the reference."""
    rows = [
        _likelihood(kernels, x_type, type, shape, seed)
        for seed, shape in enumerate(SHAPES)
        for x_type, type in (("uint8", "float16"), ("uint8", "float32"), ("float32", "float32"))
    ]
    rows.append(_likelihood(kernels, "uint8", "float16", (RANKED, 10, 4096), 99))
    return (*rows, *(_latents(kernels, type) for type in ("float16", "float32")), _crops(kernels))


def _likelihood(
    kernels: DeviceKernels, x_type: str, type: str, shape: tuple[int, int, int], seed: int
) -> ErrorRow:
    x, mu, log_var = random_gaussians(*shape, seed)
    before = (x, mu, log_var)
    arrays = (
        x if x_type == "uint8" else (x / np.float32(255)).astype(x_type),
        mu.astype(type),
        log_var.astype(type),
    )
    out = DeviceArray.empty((shape[0],), np.float32)
    on_device = [DeviceArray.of(a) for a in arrays]
    kernels.rp_likelihood(*on_device, out, workspace=kernels.rp_workspace(*shape[:2]))  # type: ignore[misc]
    got, want = out.get(), reference.rp_likelihood(*arrays)
    ranked = shape[0] == RANKED
    return ErrorRow(
        kernel="rp_likelihood",
        types=f"{x_type}, {type}",
        items=shape[0],
        shape=shape,
        relative_error=float(np.max(np.abs(got / want - 1))),
        spearman=float(spearmanr(got, reference.rp_likelihood(*before)).statistic)
        if ranked
        else None,
    )


def _latents(kernels: DeviceKernels, type: str) -> ErrorRow:
    random = np.random.default_rng(5)
    mu, log_var = random.standard_normal((2, 16, 128)).astype(type)
    noise = random.standard_normal((10, 128), np.float32)
    out = DeviceArray.empty((16, 10, 128), type)
    on_device = (DeviceArray.of(mu), DeviceArray.of(log_var), DeviceArray.of(noise))
    kernels.sample_latents(*on_device, out)
    want = reference.sample_latents(mu, log_var, noise)
    error = float(np.abs(out.get() - want).max() / np.abs(want).max())
    return ErrorRow("sample_latents", type, 16, (16, 10, 128), error, None)


def _crops(kernels: DeviceKernels) -> ErrorRow:
    random = np.random.default_rng(6)
    frame = random.integers(0, 256, (360, 640, 3), np.uint8)
    corners = random.uniform(-40, 500, (32, 2))
    boxes = np.hstack([corners, corners + random.uniform(8, 300, (32, 1))]).astype(np.float32)
    picture, places = DeviceArray.of(frame), DeviceArray.of(boxes)
    out = DeviceArray.empty((32, 1, 64, 64), np.uint8)
    kernels.crop_resize_grey(DeviceFrame.of(picture), places, out)
    error = np.abs(out.get() - reference.crop_resize_grey(frame, boxes).astype(int)).max()
    return ErrorRow("crop_resize_grey", "BGR", 32, (360, 640, 3), float(error), None)
