"""The references against values worked out by hand."""

import math

import numpy as np
import pytest

from sealshot.kernels.reference import rp_likelihood, sample_latents


def test_one_pixel_one_sample_is_the_normal_density():
    value = rp_likelihood([[0.5]], [[[0.25]]], [[[math.log(0.04)]]])
    density = math.exp(-((0.5 - 0.25) ** 2) / (2 * 0.04)) / math.sqrt(2 * math.pi * 0.04)
    assert value == pytest.approx([math.log(density)], rel=1e-14)


def test_samples_are_averaged_as_probabilities_not_as_logarithms():
    mu = np.array([[[0.0], [1.0]]])
    value = rp_likelihood([[0.0]], mu, np.zeros((1, 2, 1)))
    each = [1 / math.sqrt(2 * math.pi), math.exp(-0.5) / math.sqrt(2 * math.pi)]
    assert value == pytest.approx([math.log(sum(each) / 2)], rel=1e-14)


def test_pixels_are_summed():
    rng = np.random.default_rng(0)
    x, mu, log_var = rng.random((3, 8)), rng.random((3, 1, 8)), rng.normal(size=(3, 1, 8))
    pixels = [slice(i, i + 1) for i in range(8)]
    parts = [rp_likelihood(x[:, p], mu[..., p], log_var[..., p]) for p in pixels]
    assert rp_likelihood(x, mu, log_var) == pytest.approx(sum(parts), rel=1e-12)


def test_far_too_small_probabilities_do_not_vanish():
    value = rp_likelihood(np.zeros((1, 4096)), np.ones((1, 10, 4096)), np.full((1, 10, 4096), -9.0))
    assert np.isfinite(value).all()
    assert value[0] < -1e6


def test_nan_stays_nan_and_stays_alone():
    x = np.zeros((2, 4))
    x[0, 0] = np.nan
    value = rp_likelihood(x, np.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    assert np.isnan(value).tolist() == [True, False]


def test_latents():
    z = sample_latents([[1.0, 2.0]], [[0.0, math.log(4.0)]], [[0.0, 0.0], [1.0, -1.0]])
    assert z.tolist() == [[[1.0, 2.0], [2.0, 0.0]]]


@pytest.mark.parametrize("n", [0, 1])
def test_empty_batches(n):
    assert rp_likelihood(np.zeros((n, 4)), np.zeros((n, 2, 4)), np.zeros((n, 2, 4))).shape == (n,)
    assert sample_latents(np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((5, 3))).shape == (n, 5, 3)
