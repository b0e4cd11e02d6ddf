"""The bootstrap against one draw after the other, and against what intervals are for."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc import bootstrap as module
from sealshot.benchmarks.accuracy.erc.bootstrap import bootstrap, interval
from sealshot.benchmarks.accuracy.erc.curve import Start, error_versus_reject, pauc, start_at_fnmr


def sample(people=60, each=5, seed=0):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(people), each)
    hard = rng.random(people)[identity]  # some people are hard to match
    distance = hard + rng.random(len(identity))
    quality = np.round(-distance + rng.standard_normal(len(identity)), 1)  # with ties
    return distance, quality, identity


@pytest.mark.parametrize("asked", [0.05, None], ids=["by FNMR", "by threshold"])
@pytest.mark.parametrize("block", [2_000_000, 900])
def test_each_draw_is_the_curve_of_the_people_drawn(monkeypatch, asked, block):
    monkeypatch.setattr(module, "BLOCK", block)
    distance, quality, identity = sample()
    start = start_at_fnmr(distance, 0.05) if asked else Start("given", 1.5)
    grid = [0.0, 0.1, 0.25]
    draws = bootstrap(
        distance, quality, identity, start, limits=(0.3,), grid=grid, replicates=25, seed=7
    )
    rng = np.random.default_rng(7)
    for i in range(25):
        if i * 300 % (block // 300 * 300) == 0:  # the blocks take turns with the generator
            size = min(max(1, block // 300), 25 - i)
            counts = iter(rng.multinomial(60, np.full(60, 1 / 60), size=size))
        times = next(counts)[identity]
        d, q = np.repeat(distance, times), np.repeat(quality, times)
        threshold = start_at_fnmr(d, 0.05).threshold if asked else 1.5
        curve = error_versus_reject(d, q, threshold)
        assert draws.pauc[i, 0] == pytest.approx(curve.pauc(0.3))
        np.testing.assert_allclose(draws.fall[i], curve.at(grid) / curve.fnmr[0])


def test_same_seed_same_draws_for_every_score():
    distance, quality, identity = sample()
    start = start_at_fnmr(distance, 0.05)
    a = bootstrap(distance, quality, identity, start, replicates=50)
    b = bootstrap(distance, np.exp(quality), identity, start, replicates=50)
    np.testing.assert_array_equal(a.pauc, b.pauc)
    c = bootstrap(distance, quality, identity, start, replicates=50, seed=1)
    assert (a.pauc != c.pauc).any()


def test_people_are_drawn_not_comparisons():
    """Copies of a person's comparisons add nothing: the interval stays as wide."""
    distance, quality, identity = sample()
    start = Start("given", 1.5)
    once = bootstrap(distance, quality, identity, start, replicates=200)
    copied = bootstrap(
        *(np.tile(x, 4) for x in (distance, quality, identity)), start, replicates=200
    )
    np.testing.assert_allclose(once.pauc, copied.pauc)


def test_interval_holds_the_truth_about_as_often_as_it_says():
    truth = pauc(*sample(people=20_000, seed=99)[:2], fnmr=0.05)
    held = 0
    for seed in range(40):
        distance, quality, identity = sample(people=150, seed=seed)
        draws = bootstrap(
            distance, quality, identity, start_at_fnmr(distance, 0.05), replicates=200
        )
        low, high = interval(draws.pauc[:, 1])
        held += low <= truth <= high
    assert 31 <= held <= 40  # 0.95 of 40 is 38; below 31 has a chance of less than 1 in 10,000


def test_draws_without_an_error_are_left_out_of_the_interval():
    distance, quality, identity = [0.0] * 9 + [1.0], np.arange(10), np.arange(10)
    draws = bootstrap(distance, quality, identity, Start("given", 1.0), replicates=100)
    lost = np.isnan(draws.pauc[:, 0])
    assert 10 < lost.sum() < 60  # (9/10)^10 is 0.35
    assert np.isfinite(interval(draws.pauc)).all()
    assert np.isnan(interval(np.full((5, 1), np.nan))).all()
