"""Times of live frames, also of those that a stalled line gives at once."""

from __future__ import annotations

import itertools
import math

import pytest

from sealshot.runtime.sources.stamps import CATCH_UP, LEAD_S, Arrivals

STEP_S = 0.04


def test_frames_in_time_stand_at_their_arrival_also_where_their_stamps_are_another_clocks() -> None:
    for stamp_s in (None, 0.0, math.nan, 7e6):
        arrivals = Arrivals()
        times = [
            arrivals.time_s(
                0.08 * i, None if stamp_s is None else stamp_s + i * STEP_S
            )  # half the rate that the stamps say
            for i in range(50)
        ]
        assert times == pytest.approx([0.08 * i for i in range(50)])


def test_what_a_stalled_line_gives_at_once_is_laid_out_by_its_stamps() -> None:
    arrivals = Arrivals()
    assert arrivals.time_s(0.0, 100.0) == 0
    burst = [arrivals.time_s(3.0 + 0.001 * i, 100 + STEP_S * (i + 1)) for i in range(10)]
    assert burst[0] == 3.0
    for before_s, now_s in itertools.pairwise(burst):
        assert now_s - before_s == pytest.approx((1 - CATCH_UP) * STEP_S)
    # and over the next frames, in time again, the lead is made up for
    later = [arrivals.time_s(3.04 + STEP_S * i, 100.44 + STEP_S * i) for i in range(300)]
    assert all(a <= b for a, b in zip(burst + later, later, strict=False))
    assert later[-1] == pytest.approx(3.04 + STEP_S * 299)


def test_pictures_a_second_apart_that_come_at_once_are_laid_out_too() -> None:
    arrivals = Arrivals()
    arrivals.time_s(0.0, 100.0)
    times = [arrivals.time_s(3.0 + 0.001 * i, 101.0 + i) for i in range(3)]
    assert times == pytest.approx([3.0, 3.9, 4.002])


def test_a_time_is_never_far_ahead_of_the_arrival_and_never_runs_back() -> None:
    arrivals = Arrivals()
    arrivals.time_s(0.0, 0.0)
    long = [arrivals.time_s(9.0 + 0.001 * i, STEP_S * (i + 1)) for i in range(200)]
    assert max(time_s - 9.0 - 0.001 * i for i, time_s in enumerate(long)) == pytest.approx(LEAD_S)
    assert all(a < b for a, b in itertools.pairwise(long))


@pytest.mark.parametrize("stamp_s", [-5.0, 0.0, 3600.0, None, math.inf])
def test_a_stamp_that_runs_back_or_jumps_says_nothing(stamp_s) -> None:
    arrivals = Arrivals()
    arrivals.time_s(0.0, 0.0)
    assert arrivals.time_s(0.04, stamp_s) == 0.04
    assert arrivals.time_s(0.05, 0.04) >= 0.05


def test_no_two_frames_have_one_time_whatever_clock_and_stamps_say() -> None:
    # a detector that follows faces divides by the time between two frames
    arrivals = Arrivals()
    burst = [arrivals.time_s(5.0, STEP_S * i) for i in range(9)]
    silent = [arrivals.time_s(5.01, None) for _ in range(9)]
    assert all(a < b for a, b in itertools.pairwise(burst + silent))
