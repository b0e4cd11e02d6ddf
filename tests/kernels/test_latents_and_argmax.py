"""Sampling latents, and each track's best so far."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealshot.kernels import reference
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.memory import DeviceArray

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("d", [1, 7, 128, 257])
@pytest.mark.parametrize(("n", "samples"), [(0, 10), (1, 1), (3, 10), (17, 33)])
def test_latents_are_the_reference(
    functions: ModuleType, dtype: str, d: int, n: int, samples: int
) -> None:
    random = np.random.default_rng(d)
    mu, log_var = random.standard_normal((2, n, d)).astype(dtype)
    noise = random.standard_normal((samples, d)).astype(np.float32)
    got = functions.sample_latents(mu, log_var, noise)
    want = reference.sample_latents(mu, log_var, noise)
    assert (got.dtype, got.shape) == (mu.dtype, want.shape)
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    assert np.abs(got - want).max(initial=0) <= tolerance * np.abs(want).max(initial=0)


@pytest.mark.parametrize(
    ("mu", "log_var", "want"),
    [
        (NAN, 0.0, NAN),
        (0.0, NAN, NAN),
        (1.0, -INF, 1.0),
        (1.0, INF, INF),
        (1.0, -1e4, 1.0),
        (INF, 0.0, INF),
        (-6e4, 1e4, INF),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_latents_of_extreme_values(
    functions: ModuleType, mu: float, log_var: float, want: float, dtype: str
) -> None:
    args = (np.full((1, 3), v, dtype) for v in (mu, log_var))
    got = functions.sample_latents(*args, np.ones((2, 3), np.float32))
    assert np.array_equal(got, np.full((1, 2, 3), want, dtype), equal_nan=True)


def test_latents_in_a_flat_batch(device: DeviceKernels) -> None:
    mu, log_var, noise = (
        np.random.default_rng(2).random(s, np.float32) for s in ((3, 5), (3, 5), (4, 5))
    )
    out = DeviceArray.empty((12, 5), np.float32)
    device.sample_latents(*(DeviceArray.of(a) for a in (mu, log_var, noise)), out)
    want = reference.sample_latents(mu, log_var, noise).reshape(12, 5)
    assert np.allclose(out.get(), want, rtol=1e-6)
    with pytest.raises(ValueError, match="fit"):
        device.sample_latents(
            *(DeviceArray.of(a) for a in (mu, log_var, noise)),
            DeviceArray.empty((3, 5), np.float32),
        )


def table(size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return np.full(size, -INF, np.float32), np.full(size, -1, np.int64)


def update(module: Any, state: Any, scores: Any, slots: Any, frames: Any) -> list[int]:
    won: NDArray[np.uint8] = module.track_argmax(
        np.array(scores, np.float32), np.array(slots, np.int32), np.array(frames, np.int64), *state
    )
    assert won.dtype == np.uint8
    return won.tolist()


@pytest.mark.parametrize(
    ("scores", "slots", "won", "best"),
    [
        ([], [], [], [-INF, -INF]),
        ([5], [1], [1], [-INF, 5]),
        ([5, 7], [0, 0], [0, 1], [7, -INF]),
        ([7, 7], [0, 0], [1, 0], [7, -INF]),
        ([7, NAN, 6], [0, 0, 0], [1, 0, 0], [7, -INF]),
        ([NAN], [0], [0], [-INF, -INF]),
        ([INF, -INF], [0, 1], [1, 0], [INF, -INF]),
        ([1, 2], [-1, 2], [0, 0], [-INF, -INF]),
        ([0.0, -0.0], [0, 0], [1, 0], [0, -INF]),
    ],
)
def test_the_best_of_each_track(
    functions: ModuleType, scores: Any, slots: Any, won: list[int], best: list[float]
) -> None:
    state = table(2)
    assert update(functions, state, scores, slots, range(100, 100 + len(scores))) == won
    assert state[0].tolist() == best


def test_only_a_higher_score_takes_over_in_later_frames(functions: ModuleType) -> None:
    state = table(3)
    assert update(functions, state, [1, 2, 3], [0, 1, 2], [10, 10, 10]) == [1, 1, 1]
    assert update(functions, state, [1, 3, 2], [0, 1, 2], [11, 11, 11]) == [0, 1, 0]
    assert state[1].tolist() == [10, 11, 10]


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_batches_are_the_reference(functions: ModuleType, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 5))
    ours, wanted = table(size), table(size)
    for frame in range(data.draw(st.integers(1, 3))):
        faces = data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from([-INF, -2.0, 0.0, 1.0, 1.5, INF, NAN]),
                    st.integers(-1, size),
                ),
                max_size=12,
            )
        )
        args = ([f[0] for f in faces], [f[1] for f in faces], [frame] * len(faces))
        assert update(functions, ours, *args) == update(reference, wanted, *args)
        assert ours[0].tolist() == wanted[0].tolist()
        assert ours[1].tolist() == wanted[1].tolist()


def test_more_faces_than_a_block_has_threads(functions: ModuleType) -> None:
    random = np.random.default_rng(3)
    scores, slots = random.integers(0, 50, 700), random.integers(0, 20, 700)
    ours, wanted = table(20), table(20)
    got = update(functions, ours, scores, slots, range(700))
    assert got == update(reference, wanted, scores, slots, range(700))
    assert (ours[1] == wanted[1]).all()


def test_argmax_arrays_must_fit(device: DeviceKernels) -> None:
    faces = [DeviceArray.zeros((3,), d) for d in ("f4", "i4", "i8")]
    best = [DeviceArray.zeros((2,), d) for d in ("f4", "i8")]
    for won in (DeviceArray.empty((2,), "u1"), DeviceArray.empty((3,), "f4")):
        with pytest.raises(ValueError, match=r"fit|not"):
            device.track_argmax(*faces, *best, won)
