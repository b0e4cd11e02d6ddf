"""The protocol against cases computed by hand, and what must hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sealshot.benchmarks.accuracy.erc.curve import (
    error_versus_reject,
    partial_area,
    pauc,
    perfect,
    perfect_pauc,
    start_at_fmr,
    start_at_fnmr,
)
from sealshot.runtime.errors import InputError

# ten comparisons, distances 0.0 .. 0.9: at threshold 0.8 the last two are errors
DISTANCE = np.arange(10) / 10

BY_HAND = [
    # qualities, discard fractions, errors left of what is left
    pytest.param(-DISTANCE, np.arange(10) / 10, [2 / 10, 1 / 9] + [0] * 8, id="perfect"),
    pytest.param(
        DISTANCE, np.arange(10) / 10, [2 / (10 - k) for k in range(9)] + [1], id="upside down"
    ),
    pytest.param(np.zeros(10), [0], [0.2], id="all equal: nothing can be discarded alone"),
    pytest.param(
        [1, 1, 1, 1, 1, 2, 2, 2, 2, 2], [0, 0.5], [0.2, 0.4], id="ties leave together, errors stay"
    ),
    pytest.param(
        [2, 2, 2, 2, 2, 1, 1, 1, 1, 1], [0, 0.5], [0.2, 0], id="ties leave together, errors go"
    ),
    pytest.param(
        [3, 3, 3, 3, 3, 3, 3, 2, 1, 3], [0, 0.1, 0.2], [2 / 10, 1 / 9, 1 / 8], id="one error goes"
    ),
    pytest.param(
        [-np.inf, 0, 0, 0, 0, 0, 0, 0, 0, np.inf], [0, 0.1, 0.9], [2 / 10, 2 / 9, 1], id="infinite"
    ),
]


@pytest.mark.parametrize(("quality", "discarded", "fnmr"), BY_HAND)
def test_curve_by_hand(quality, discarded, fnmr):
    curve = error_versus_reject(DISTANCE, quality, 0.8)
    np.testing.assert_allclose(curve.discarded, discarded)
    np.testing.assert_allclose(curve.fnmr, fnmr)
    assert (curve.comparisons, curve.errors) == (10, 2)


def test_one_comparison():
    for distance, fnmr in ((0.5, 0.0), (1.0, 1.0)):
        curve = error_versus_reject([distance], [3.0], 1.0)
        assert curve.discarded.tolist() == [0]
        assert curve.fnmr.tolist() == [fnmr]


def test_distance_at_the_threshold_is_an_error():
    assert error_versus_reject([0.8, 0.7], [1, 2], 0.8).errors == 1


def test_curve_keeps_the_height_of_the_point_before():
    curve = error_versus_reject(DISTANCE, -DISTANCE, 0.8)
    np.testing.assert_allclose(
        curve.at([0, 0.05, 0.1, 0.19, 0.2, 0.9, 1]), [2 / 10, 2 / 10, 1 / 9, 1 / 9, 0, 0, 0]
    )


@pytest.mark.parametrize(
    ("quality", "limit", "area"),
    [
        (-DISTANCE, 0.2, (0.2 + 1 / 9) * 0.1 / 0.2 / 0.2),
        (-DISTANCE, 0.3, (0.2 + 1 / 9) * 0.1 / 0.3 / 0.2),
        (-DISTANCE, 0.15, (0.2 * 0.1 + 1 / 9 * 0.05) / 0.15 / 0.2),
        (-DISTANCE, 0.05, 1.0),
        (np.zeros(10), 0.3, 1.0),
        ([1, 1, 1, 1, 1, 2, 2, 2, 2, 2], 0.3, 1.0),
        ([1, 1, 2, 2, 2, 2, 2, 2, 2, 2], 0.3, (0.2 * 0.2 + 0.25 * 0.1) / 0.3 / 0.2),
    ],
)
def test_partial_area_by_hand(quality, limit, area):
    assert error_versus_reject(DISTANCE, quality, 0.8).pauc(limit) == pytest.approx(area)


def test_partial_area_without_an_error_is_unknown():
    assert np.isnan(error_versus_reject(DISTANCE, DISTANCE, 2.0).pauc(0.3))


@pytest.mark.parametrize(
    ("fnmr", "errors"),
    [(0.1, 1), (0.14, 1), (0.15, 2), (0.5, 5), (0.95, 10), (0.05, 1)],
)
def test_start_at_fnmr_rounds_to_whole_errors(fnmr, errors):
    start = start_at_fnmr(DISTANCE, fnmr)
    assert int((start.threshold <= DISTANCE).sum()) == errors
    assert start.fnmr == fnmr


def test_equal_distances_at_the_start_are_errors_together():
    assert start_at_fnmr([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 0.1).threshold == 1


@pytest.mark.parametrize(("fmr", "threshold"), [(0.1, 0.1), (0.25, 0.2), (0.99, 0.9)])
def test_start_at_fmr_lets_no_more_impostors_pass(fmr, threshold):
    start = start_at_fmr(DISTANCE, fmr)
    assert start.threshold == threshold
    assert (start.threshold > DISTANCE).mean() <= fmr


@pytest.mark.parametrize(
    "broken",
    [
        lambda: error_versus_reject([], [], 1),
        lambda: error_versus_reject([1, 2], [1], 1),
        lambda: error_versus_reject([[1]], [[1]], 1),
        lambda: error_versus_reject([np.nan], [1], 1),
        lambda: error_versus_reject([np.inf], [1], 1),
        lambda: error_versus_reject([1.0, 2.0], [np.nan, 1], 1),
        lambda: start_at_fnmr([1.0] * 49, 0.01),
        lambda: start_at_fnmr([1.0], 0),
        lambda: start_at_fnmr([1.0], 1),
        lambda: start_at_fnmr([1.0], float("nan")),
        lambda: start_at_fmr([1.0] * 999, 0.001),
        lambda: start_at_fmr([], 0.1),
        lambda: error_versus_reject([1.0], [1.0], 1).pauc(0),
        lambda: error_versus_reject([1.0], [1.0], 1).pauc(1.5),
    ],
)
def test_bad_input_is_refused(broken):
    with pytest.raises(InputError) as caught:
        broken()
    assert caught.value.fact


def test_nothing_moves_the_threshold():
    """The rule that other programs break: discarding the hard ones must lower the errors."""
    rng = np.random.default_rng(0)
    distance = rng.random(5000)
    start = start_at_fnmr(distance, 0.01)
    curve = error_versus_reject(distance, -distance, start.threshold)
    assert curve.at(0.02) == 0  # a threshold set again at each step would stay at 0.01


def test_random_score_stays_flat():
    rng = np.random.default_rng(1)
    distance, quality = rng.random(200_000), rng.random(200_000)
    assert pauc(distance, quality, fnmr=0.01) == pytest.approx(1, abs=0.05)


def test_perfect_score_reaches_the_perfect_line():
    distance = np.random.default_rng(2).random(10_000)
    start = start_at_fnmr(distance, 0.01)
    curve = error_versus_reject(distance, -distance, start.threshold)
    np.testing.assert_allclose(curve.fnmr, perfect(0.01, curve.discarded), atol=1e-12)
    # stepwise, so half a step above the line
    assert curve.pauc(0.3) == pytest.approx(perfect_pauc(0.01, 0.3), abs=0.5 / 100 / 0.3 * 0.02)


@pytest.mark.parametrize(("start", "limit"), [(0.01, 0.3), (0.4, 0.3), (0.05, 0.2)])
def test_perfect_area_is_the_integral_of_the_perfect_line(start, limit):
    r = np.linspace(0, limit, 200_001)
    assert perfect_pauc(start, limit) == pytest.approx(
        float(np.mean((perfect(start, r[1:]) + perfect(start, r[:-1])) / 2)) / start, rel=1e-4
    )


data = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.integers(0, 20).map(float)),
        hnp.arrays(float, n, elements=st.integers(-3, 3).map(float)),
    )
)


@given(data, st.integers(0, 20))
def test_curve_is_the_share_of_errors_above_each_quality(sample, threshold):
    distance, quality = sample
    curve = error_versus_reject(distance, quality, threshold)
    for discarded, fnmr, lowest in zip(
        curve.discarded, curve.fnmr, np.unique(quality), strict=True
    ):
        left = quality >= lowest
        assert discarded == pytest.approx(1 - left.mean())
        assert fnmr == pytest.approx((distance[left] >= threshold).mean())


@given(data, st.integers(0, 20), st.integers(0, 1000))
def test_order_and_scale_do_not_matter(sample, threshold, seed):
    distance, quality = sample
    order = np.random.default_rng(seed).permutation(len(distance))
    a = error_versus_reject(distance, quality, threshold)
    b = error_versus_reject(distance[order], np.exp(quality[order]) * 7, threshold)
    np.testing.assert_array_equal(a.discarded, b.discarded)
    np.testing.assert_allclose(a.fnmr, b.fnmr)


@given(data, st.integers(0, 20))
def test_no_score_is_below_perfect(sample, threshold):
    distance, quality = sample
    curve = error_versus_reject(distance, quality, threshold)
    assert (curve.fnmr >= perfect(curve.fnmr[0], curve.discarded) - 1e-12).all()
    if curve.errors:
        assert 0 < curve.pauc(0.3) <= 1 / (1 - 0.3) / curve.fnmr[0]


@given(data)
def test_partial_area_of_many_is_that_of_each(sample):
    distance, quality = sample
    curve = error_versus_reject(distance, quality, 10)
    two = np.stack([curve.discarded] * 2), np.stack([curve.fnmr, curve.fnmr / 2])
    each = partial_area(*two, 0.3)
    assert np.isnan(each).all() if not curve.errors else each == pytest.approx(curve.pauc(0.3))
