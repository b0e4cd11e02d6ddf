"""The fused likelihood against the float64 reference: shapes, types, alignment, hostile values."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sealshot.kernels import gpu, reference
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.memory import DeviceArray

TYPES = [(x, m) for x in ("uint8", "float16", "float32") for m in ("float16", "float32")]
Inputs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def inputs(n: int, samples: int, pixels: int, x: str, m: str, seed: int = 0) -> Inputs:
    """Pixels, and Gaussians around them as a decoder gives them: sigma from 0.02 to 1."""
    random = np.random.default_rng(seed + 1000 * n + 100 * samples + pixels)
    grey = random.integers(0, 256, (n, pixels), np.uint8)
    log_var = random.uniform(-7.8, 0, (n, samples, pixels))
    mu = grey[:, None] / 255 + np.exp(log_var / 2) * random.standard_normal(log_var.shape)
    xs = grey if x == "uint8" else (grey / 255).astype(x)
    return xs, mu.astype(m), log_var.astype(m)


def error(got: NDArray[Any], arrays: Inputs) -> float:
    """Largest error, relative to the reference."""
    want = reference.rp_likelihood(*arrays)
    assert (got.dtype, got.shape) == (np.float32, want.shape)
    return float(np.max(np.abs(got - want) / np.maximum(np.abs(want), 1), initial=0))


@pytest.mark.parametrize("pixels", [1, 3, 63, 4095, 4096, 4097])
@pytest.mark.parametrize("samples", [1, 2, 10, 33])
@pytest.mark.parametrize("n", [0, 1, 2, 17])
def test_any_shape_is_within_1e_minus_5(
    functions: ModuleType, n: int, samples: int, pixels: int
) -> None:
    x, m = TYPES[(n + samples + pixels) % len(TYPES)]
    arrays = inputs(n, samples, pixels, x, m)
    assert error(functions.rp_likelihood(*arrays), arrays) < 1e-5


@pytest.mark.parametrize(("x", "m"), TYPES)
@pytest.mark.parametrize("pixels", [0, 4095, 4096, 12_296])
def test_any_types_are_within_1e_minus_5(
    functions: ModuleType, x: str, m: str, pixels: int
) -> None:
    arrays = inputs(3, 4, pixels, x, m)
    assert error(functions.rp_likelihood(*arrays), arrays) < 1e-5


def test_long_rows_are_within_1e_minus_5(functions: ModuleType) -> None:
    arrays = inputs(1, 2, 1_000_001, "uint8", "float32")
    assert error(functions.rp_likelihood(*arrays), arrays) < 1e-5


def test_half_keeps_the_ranks(functions: ModuleType) -> None:
    exact = inputs(200, 4, 512, "float32", "float32")
    half = tuple(a.astype(np.float16) for a in exact)
    got = functions.rp_likelihood(*half)
    assert spearmanr(got, reference.rp_likelihood(*exact)).statistic >= 0.9999


@pytest.mark.parametrize("m", ["float16", "float32"])
@pytest.mark.parametrize("offsets", [(1, 0, 0), (0, 3, 3), (0, 1, 2), (5, 7, 0)])
@pytest.mark.parametrize("pixels", [1, 9, 4096, 4101])
def test_views_that_are_not_aligned(
    device: DeviceKernels, m: str, offsets: tuple[int, int, int], pixels: int
) -> None:
    arrays = inputs(3, 2, pixels, "uint8", m)
    views = []
    for array, offset in zip(arrays, offsets, strict=True):
        # the last element ends the allocation: one too many is seen by a sanitizer
        flat = np.concatenate([np.zeros(offset, array.dtype), array.ravel()])
        views.append(DeviceArray.of(flat).view(array.shape, offset))
    out = DeviceArray.empty((3,), np.float32)
    device.rp_likelihood(*views, out)
    assert error(out.get(), arrays) < 1e-5


@pytest.mark.parametrize(("n", "samples"), [(1, 1), (1, 10), (5, 33), (2, 100)])
def test_a_split_gives_the_same_in_any_number_of_parts_again_and_again(
    device: DeviceKernels, n: int, samples: int
) -> None:
    arrays = inputs(n, samples, 200, "uint8", "float16")
    views = [DeviceArray.of(a) for a in arrays]
    workspace = device.rp_workspace(n, samples)
    for split in (None, 1, 2, 3, samples, samples + 5):
        out = DeviceArray.of(np.full(n, 7, np.float32))
        device.rp_likelihood(*views, out, workspace=workspace, split=split)
        assert error(out.get(), arrays) < 1e-5


@pytest.mark.parametrize(("samples", "split"), [(3, 1), (40, 1), (40, 7)])
def test_the_order_of_threads_and_blocks_changes_no_bit(
    emulation: ctypes.CDLL,
    any_order: Callable[[], Iterator[int]],
    samples: int,
    split: int,
) -> None:
    arrays = inputs(3, samples, 777, "uint8", "float16")
    device = gpu.kernels()
    views = [DeviceArray.of(a) for a in arrays]
    workspace, results = device.rp_workspace(3, samples), []
    for _ in any_order():
        out = DeviceArray.empty((3,), np.float32)
        device.rp_likelihood(*views, out, workspace=workspace, split=split)
        results.append(out.get())
    assert all((got == results[0]).all() for got in results)
    assert error(results[0], arrays) < 1e-5


def test_the_emulation_sees_a_missing_barrier(emulation: ctypes.CDLL) -> None:
    arrays = inputs(3, 40, 777, "uint8", "float32")
    emulation.emulation_barriers(0)
    assert not error(gpu.rp_likelihood(*arrays), arrays) < 1e-5


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("pixels", [63, 4096, 4097])
def test_nan_in_gives_nan_out_for_its_item_alone(
    functions: ModuleType, which: int, at: int, pixels: int
) -> None:
    arrays = inputs(3, 3, pixels, "float16", "float16")
    arrays[which][1].reshape(-1)[at] = np.nan
    got = functions.rp_likelihood(*arrays)
    assert np.isnan(got).tolist() == [False, True, False]


ONE = {"x": 0.5, "mu": 0.25, "log_var": -2.0}


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"x": np.inf}, -np.inf),
        ({"mu": -np.inf}, -np.inf),
        ({"log_var": np.inf}, -np.inf),  # so wide that no value has a density
        ({"log_var": -np.inf}, np.nan),  # so narrow that there is no density
        ({"log_var": -np.inf, "mu": 0.5}, np.nan),
        ({"mu": 0.5, "log_var": -200.0}, None),
        ({"mu": 0.5, "log_var": -1000.0}, None),
        ({"log_var": 3000.0}, None),
        ({"log_var": -80.0}, None),
        ({"mu": 60_000.0}, None),
        ({"x": 1e-4, "mu": 0.0, "log_var": -60.0}, None),
    ],
)
@pytest.mark.parametrize("m", ["float16", "float32"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_extreme_values(
    functions: ModuleType, change: dict[str, float], want: float | None, m: str, everywhere: bool
) -> None:
    x, mu, log_var = (
        np.full(s, v, m)
        for s, v in zip(((1, 40), (1, 3, 40), (1, 3, 40)), ONE.values(), strict=True)
    )
    part = slice(None) if everywhere else slice(20, 21)
    for array, name in ((x, "x"), (mu, "mu"), (log_var, "log_var")):
        if name in change:
            array[..., part] = change[name]
    got = float(functions.rp_likelihood(x, mu, log_var)[0])
    expected = want if want is not None else float(reference.rp_likelihood(x, mu, log_var)[0])
    if np.isfinite(expected):
        assert got == pytest.approx(expected, rel=1e-5)
    else:
        assert str(got) == str(expected)


def test_one_impossible_sample_does_not_spoil_the_others(functions: ModuleType) -> None:
    x, mu, log_var = inputs(1, 34, 100, "float32", "float32")
    mu[0, [0, 33]] = np.inf
    arrays = (x, mu, log_var)
    assert np.isfinite(reference.rp_likelihood(*arrays)).all()
    assert error(functions.rp_likelihood(*arrays), arrays) < 1e-5


def test_workspace_is_ready_again_after_each_launch(device: DeviceKernels) -> None:
    views = [DeviceArray.of(a) for a in inputs(2, 6, 50, "uint8", "float32")]
    workspace = device.rp_workspace(2, 6)
    device.rp_likelihood(*views, DeviceArray.empty((2,), np.float32), workspace=workspace, split=3)
    assert (workspace.get()[[0, 7]] == 0).all()


def test_a_workspace_serves_fewer_items_and_then_more(device: DeviceKernels) -> None:
    workspace = device.rp_workspace(5, 6)
    for n in (5, 1, 3, 5, 2):
        arrays = inputs(n, 6, 50, "uint8", "float32")
        out = DeviceArray.empty((n,), np.float32)
        views = [DeviceArray.of(a) for a in arrays]
        device.rp_likelihood(*views, out, workspace=workspace, split=3)
        assert error(out.get(), arrays) < 1e-5


@pytest.mark.parametrize(
    ("shapes", "dtypes"),
    [
        (((2, 8), (2, 3, 8), (2, 3, 9), (2,)), "u1 f4 f4 f4"),
        (((2, 8), (2, 3, 8), (2, 3, 8), (3,)), "u1 f4 f4 f4"),
        (((1, 8), (2, 3, 8), (2, 3, 8), (2,)), "u1 f4 f4 f4"),
        (((2, 8), (2, 0, 8), (2, 0, 8), (2,)), "u1 f4 f4 f4"),
        (((2, 8), (2, 3, 8), (2, 3, 8), (2,)), "u1 f4 f2 f4"),
        (((2, 8), (2, 3, 8), (2, 3, 8), (2,)), "i4 f4 f4 f4"),
        (((2, 8), (2, 3, 8), (2, 3, 8), (2,)), "u1 f8 f8 f4"),
        (((2, 8), (2, 24), (2, 24), (2,)), "u1 f4 f4 f4"),
        (((2, 8), (2, 3, 8), (2, 3, 8), (2,)), "u1 f4 f4 f2"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_launch(
    device: DeviceKernels, shapes: tuple[tuple[int, ...], ...], dtypes: str
) -> None:
    arrays = [DeviceArray.empty(s, d) for s, d in zip(shapes, dtypes.split(), strict=True)]
    with pytest.raises(ValueError, match=r"fit|not|sample"):
        device.rp_likelihood(*arrays)


def test_a_workspace_that_is_too_small_is_refused(device: DeviceKernels) -> None:
    views = [DeviceArray.of(a) for a in inputs(2, 6, 50, "uint8", "float32")]
    with pytest.raises(ValueError, match="too small"):
        device.rp_likelihood(
            *views, DeviceArray.empty((2,), np.float32), workspace=device.rp_workspace(2, 5)
        )
