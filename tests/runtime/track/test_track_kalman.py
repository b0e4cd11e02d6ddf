"""The motion model: exact in time, alike at every size, and no less sure than it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from sealshot.runtime.track import kalman

BOX = np.array([100.0, 80.0, 140.0, 130.0])


def moving(box: np.ndarray = BOX, speed: float = 3.0) -> kalman.State:
    state = kalman.start(box)
    for _ in range(5):
        box = box + np.array([speed, 0, speed, 0])
        state = kalman.correct(kalman.predict(state, 0.04), box)
    return state


def parts(state: kalman.State) -> list[np.ndarray]:
    return [state.at, state.speed, state.cov]


@given(st.floats(1e-3, 2), st.floats(1e-3, 2))
def test_two_steps_are_one(a: float, b: float) -> None:
    state = kalman.State(moving().at, np.array([50.0, -20, 0, 0]), moving().cov)
    two = kalman.predict(kalman.predict(state, a), b)
    for x, y in zip(parts(two), parts(kalman.predict(state, a + b)), strict=True):
        assert np.allclose(x, y, rtol=1e-9, atol=1e-12)


def test_no_time_changes_nothing() -> None:
    for x, y in zip(parts(kalman.predict(moving(), 0.0)), parts(moving()), strict=True):
        assert (x == y).all()


@pytest.mark.parametrize("dt", [0.01, 0.08, 1.0])
def test_the_prediction_solves_the_equation(dt: float) -> None:
    """Against the matrix exponential of Van Loan (1978) for dp = v, dv = -v / tau + noise."""
    state = moving()
    drift = np.array([[0, 1], [0, -1 / kalman.FADES_S]])
    got = kalman.predict(state, dt)
    for k in range(4):
        spread = (kalman.ACCELERATION_STD * kalman.unit(state.at))[k] ** 2
        block = np.zeros((4, 4))
        block[:2, :2], block[2:, 2:], block[1, 3] = -drift, drift.T, spread
        solved = expm(block * dt)
        step = solved[2:, 2:].T
        noise = step @ solved[:2, 2:]
        var, cross, speed_var = state.cov[k]
        cov = step @ np.array([[var, cross], [cross, speed_var]]) @ step.T + noise
        mean = step @ np.array([state.at[k], state.speed[k]])
        assert np.allclose([got.at[k], got.speed[k]], mean)
        assert np.allclose(got.cov[k], [cov[0, 0], cov[0, 1], cov[1, 1]], rtol=1e-9)


def test_the_speed_is_learnt_and_followed() -> None:
    state = moving(speed=10.0)  # 250 px/s
    assert 120 < state.speed[0] < 260
    assert abs(state.speed[1]) < 1e-9
    ahead = kalman.predict(state, 0.04).at[0] - state.at[0]
    assert 4 < ahead < 10


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_a_face_ten_times_as_large_is_followed_alike(scale: float) -> None:
    box = BOX + np.array([3, 2, 5, 4])
    small = kalman.surprise(kalman.stack([kalman.predict(moving(), 0.1)]), box[None])
    large = kalman.predict(moving(BOX * scale, 3.0 * scale), 0.1)
    assert np.allclose(small, kalman.surprise(kalman.stack([large]), box[None] * scale))


def test_surprise_is_the_gaussian_density() -> None:
    from scipy.stats import multivariate_normal

    state = kalman.predict(moving(), 0.2)
    boxes = BOX + np.array([[0, 0, 0, 0], [9, 3, 4, 5], [30, 0, 30, 0]])
    got = kalman.surprise(kalman.stack([state]), boxes)[0]
    scale = kalman.unit(state.at)
    cov = np.diag(state.cov[:, 0] / scale**2 + kalman.MEASURED_STD**2)
    for value, box in zip(got, boxes, strict=True):
        residual = (kalman.measure(box) - state.at) / scale
        density = multivariate_normal(np.zeros(4), cov).logpdf(residual)
        assert value == pytest.approx(-2 * density - 4 * np.log(2 * np.pi))


def test_the_face_goes_to_the_track_that_knew_better() -> None:
    fresh, old = kalman.predict(moving(), 0.04), kalman.predict(moving(), 0.8)
    box = np.tile(fresh.at[:2], 2) + np.array([-17, -25, 23, 25])  # 3 px off
    surprise = kalman.surprise(kalman.stack([fresh, old]), box[None])
    assert surprise[0, 0] < surprise[1, 0]


def test_variances_stay_positive_and_finite() -> None:
    state = kalman.start(BOX)
    rng = np.random.default_rng(0)
    for dt in rng.choice([0, 1e-6, 0.04, 1.0], 3000):
        state = kalman.correct(kalman.predict(state, dt), BOX + rng.normal(0, 3, 4))
        var, cross, speed_var = state.cov.T
        assert (var > 0).all()
        assert (speed_var > 0).all()
        assert (var * speed_var >= cross**2).all()
        assert np.isfinite(state.cov).all()
