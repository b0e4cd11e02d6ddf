"""The likelihood unit: the RTL is its integer model, and that is near float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from sealshot.kernels.reference import rp_likelihood
from sealshot.kernels.rtl.likelihood.reference import (
    LOG_BITS,
    MEAN_BITS,
    Likelihood,
    likelihood,
    quantise,
)
from sealshot.kernels.rtl.likelihood.unit import LikelihoodUnit

NATS = 0.3
"""What rounding of inputs and of z may cost, of some thousands."""


def draw(samples: int, pixels: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, pixels, np.uint8)
    mu = x / 255 + rng.normal(0, 0.05, (samples, pixels))
    log_var = rng.normal(-5, 1, (samples, pixels))
    return x, mu, log_var


def simulate(faces: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[Likelihood]:
    unit = LikelihoodUnit()
    found = []

    async def drive(ctx: Any) -> None:
        for x, mu, v in faces:
            for sample in range(len(mu)):
                ctx.set(unit.last_sample, sample == len(mu) - 1)
                for i in range(len(x)):
                    ctx.set(unit.x, int(x[i]))
                    ctx.set(unit.mu, int(mu[sample, i]))
                    ctx.set(unit.v, int(v[sample, i]))
                    ctx.set(unit.valid, 1)
                    ctx.set(unit.last, i == len(x) - 1)
                    await ctx.tick().until(unit.ready)
            ctx.set(unit.valid, 0)
            while not ctx.get(unit.done):
                await ctx.tick()
            found.append(Likelihood(ctx.get(unit.least), ctx.get(unit.mass)))

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def test_the_integer_model_is_near_float64() -> None:
    for samples, seed in ((1, 0), (10, 1)):
        x, mu, log_var = draw(samples, 4096, seed)
        exact = rp_likelihood(x[None], mu[None], log_var[None])[0]
        found = likelihood(x, *quantise(mu, log_var)).log_rp(samples)
        assert found == pytest.approx(exact, abs=NATS)


def test_the_rtl_is_the_integer_model() -> None:
    rng = np.random.default_rng(2)
    faces = []
    for samples, pixels in ((1, 1), (3, 40), (16, 7), (2, 60)):
        x, mu, log_var = draw(samples, pixels, samples)
        faces.append((x, *quantise(mu, log_var)))
    ends = (2 ** (MEAN_BITS - 1), 2 ** (LOG_BITS - 1))  # all that can come, at both ends too
    x = rng.integers(0, 256, 50, np.uint8)
    mu, v = (rng.choice((-end, end - 1, 0, -1, 17), (4, 50)) for end in ends)
    faces += [(x, mu, v), (x, rng.integers(-ends[0], ends[0], (4, 50)), v)]
    assert simulate(faces) == [likelihood(*face) for face in faces]
