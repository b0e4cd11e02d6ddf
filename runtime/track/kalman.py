"""Where a face will be: a Kalman filter on its box that holds for any frame rate.

The state is the centre (pixels) and the logarithms of width and height, each with its velocity. The
four coordinates are independent, so a covariance is three numbers a coordinate.

A velocity is kept, but fades: it is an Ornstein-Uhlenbeck process of time constant ``FADES_S``
driven by white noise (Li and Jilkov 2003, "Survey of maneuvering target tracking, part I", III.C,
with velocity for acceleration). From frame to frame that is constant velocity; over half a second
it is not, because heads bob and sway, and a face that was hidden comes back near where it went. The
process is solved in continuous time, so two predictions of 20 ms are one of 40 ms, and 12 frames a
second behave as 30 do. Noise of the centre is in face sizes, since near faces move further, in
pixels, than far ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# For centre x, centre y (face sizes), log width, log height. Chosen on the clips of the tracking
# benchmark; people who cross the picture move at up to 10 face sizes a second.
FADES_S = 0.4
MEASURED_STD = np.array([0.05, 0.05, 0.08, 0.08])
START_SPEED_STD = np.array([4.0, 4.0, 0.3, 0.3])  # a second
ACCELERATION_STD = np.array([2.5, 2.5, 0.4, 0.4])  # a second, for each root of a second


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One filter, or ``n`` of them: ``...`` is nothing or ``n``."""

    at: Array
    """``[..., 4]``: centre x, centre y, log width, log height."""
    speed: Array
    """``[..., 4]``: their change a second."""
    cov: Array
    """``[..., 4, 3]``: variance of ``at``, its covariance with ``speed``, variance of ``speed``."""


def measure(boxes: Array) -> Array:
    """Return boxes ``[..., 4]`` (corners) as centre and log size ``[..., 4]``."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, np.log(high - low)], axis=-1)


def unit(at: Array) -> Array:
    """Return what 1 is in pixels, ``[..., 4]``: the face size for the centre, 1 for the logs."""
    found = np.ones(at.shape)
    found[..., :2] = np.exp((at[..., 2:3] + at[..., 3:]) / 2)
    return found


def start(box: Array) -> State:
    """Return the filter of a face that was seen once, at ``box`` ``[4]``."""
    at = measure(box)
    cov = np.zeros((4, 3))
    cov[:, 0] = (MEASURED_STD * unit(at)) ** 2
    cov[:, 2] = (START_SPEED_STD * unit(at)) ** 2
    return State(at, np.zeros(4), cov)


def stack(states: Sequence[State]) -> State:
    """Return ``n`` filters as one State."""
    parts = zip(*((state.at, state.speed, state.cov) for state in states), strict=True)
    return State(*map(np.array, parts))


def unstack(state: State) -> list[State]:
    """Return ``n`` filters one by one."""
    return [State(*one) for one in zip(state.at, state.speed, state.cov, strict=True)]


def predict(state: State, dt_s: Array | float) -> State:
    """Return the state ``dt_s`` (a number, or ``[n]``) later."""
    dt = np.asarray(dt_s)[..., None]
    left = np.exp(-dt / FADES_S)  # of the velocity
    way = FADES_S * (1 - left)  # for each unit of velocity
    noise = (ACCELERATION_STD * unit(state.at)) ** 2
    at_var, cross, speed_var = _parts(state)
    cov = np.empty((*np.broadcast_shapes(at_var.shape, dt.shape), 3))
    cov[..., 0] = (
        at_var
        + 2 * way * cross
        + way**2 * speed_var
        + noise * FADES_S**2 * (dt - 2 * way + FADES_S / 2 * (1 - left**2))
    )
    cov[..., 1] = left * (cross + way * speed_var) + noise * way**2 / 2
    cov[..., 2] = left**2 * speed_var + noise * FADES_S / 2 * (1 - left**2)
    return State(state.at + way * state.speed, left * state.speed, cov)


def correct(state: State, box: Array) -> State:
    """Return a predicted state after the face was seen at ``box`` (``[4]``, or ``[n, 4]``)."""
    at_var, cross, speed_var = _parts(state)
    total = at_var + (MEASURED_STD * unit(state.at)) ** 2
    residual = measure(box) - state.at
    gain, speed_gain = at_var / total, cross / total
    cov = np.empty((*residual.shape, 3))
    cov[..., 0], cov[..., 1] = (1 - gain) * at_var, (1 - gain) * cross
    cov[..., 2] = speed_var - speed_gain * cross
    return State(state.at + gain * residual, state.speed + speed_gain * residual, cov)


def _parts(state: State) -> tuple[Array, Array, Array]:
    """Return variance, covariance and variance of the speed, ``[..., 4]`` each."""
    return state.cov[..., 0], state.cov[..., 1], state.cov[..., 2]


def volume(expected: State) -> Array:
    """Return the log volume of where the faces of predicted states ``[n]`` could be: ``[n]``.

    It is the :func:`surprise` of a box that is just where it was expected.
    """
    return np.asarray(np.log(_variance(expected)).sum(axis=1), np.float64)


def _variance(expected: State) -> Array:
    """Return the variance of the next measurement, in squared units: ``[n, 4]``."""
    return np.asarray(expected.cov[..., 0] / unit(expected.at) ** 2 + MEASURED_STD**2, np.float64)


def surprise(expected: State, boxes: Array) -> Array:
    """Return how unexpected boxes ``[m, 4]`` are to predicted states ``[n]``: ``[n, m]``.

    It is -2 log of the Gaussian density of the box (per face size squared and per unit of log size
    squared, the constant left out): the squared Mahalanobis distance and the log volume of where
    the face could be. So of two tracks that a face would fit, it goes to the one that knew better;
    and the longer a face was away, the nearer it must come to its place to be taken for the same.
    """
    variance = _variance(expected)
    distance = np.sum(offsets(expected, boxes) ** 2 / variance[:, None], axis=2)
    return np.asarray(distance + np.log(variance).sum(axis=1, keepdims=True), np.float64)


def offsets(expected: State, boxes: Array) -> Array:
    """Return how far boxes ``[m, 4]`` are off predicted states ``[n]``: ``[n, m, 4]``, units."""
    away = measure(boxes)[None] - expected.at[:, None]
    return np.asarray(away / unit(expected.at)[:, None], np.float64)
