"""Seconds in view, by the times of the frames: who is a person in fast, slow and odd sources."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.runtime.pipeline.presence import Presence

VARIABLE = np.cumsum([0, 0.02, 0.05, 0.03, 0.04, 0.06, 0.02, 0.05]).tolist()


def seen(times: list[float], *frames: int) -> Presence:
    """Return the presence of track 7, detected in these frames."""
    presence = Presence()
    for index, time_s in enumerate(times):
        presence.add(time_s, {7} if index in frames else {1})
    presence.finish()
    return presence


CASES = {
    "five frames at 25 a second": ([i / 25 for i in range(30)], range(5, 10), True),
    "four frames at 25 a second": ([i / 25 for i in range(30)], range(5, 9), False),
    "six frames at 30, in whole ms": ([round(i / 30, 3) for i in range(30)], range(5, 11), True),
    "five frames at 30, in whole ms": ([round(i / 30, 3) for i in range(30)], range(5, 10), False),
    "two frames at 12.5 a second": ([i / 12.5 for i in range(30)], [5, 6], True),
    "one frame at 12.5 a second": ([i / 12.5 for i in range(30)], [5], False),
    "with gaps between": ([i / 25 for i in range(30)], range(0, 30, 6), True),
    "the last frames": ([i / 25 for i in range(30)], range(25, 30), True),
    "the first frames": ([i / 25 for i in range(30)], range(5), True),
    "a variable rate": (VARIABLE, range(6), True),
    "a variable rate, too short": (VARIABLE, range(4), False),
    "two pictures a second": ([i / 2 for i in range(9)], [4], True),
    "the first of two pictures a second": ([i / 2 for i in range(9)], [0], True),
    "a photograph": ([0.0], [0], True),
    "all of three frames": ([0, 0.04, 0.08], range(3), True),
    "all of three frames at a variable rate": (VARIABLE[:3], range(3), True),
    "two of three frames": ([0, 0.04, 0.08], [0, 1], False),
    "the last two of three frames": ([0, 0.04, 0.08], [1, 2], False),
    "one frame before an outage": ([0, 0.04, 0.08, 60, 60.04, 60.08], [2], False),
    "one frame after an outage": ([0, 0.04, 0.08, 60, 60.04, 60.08], [3], False),
    "one frame after an outage at the end": ([0, 0.04, 0.08, 60], [3], False),
    "one frame at 25 a second": ([i / 25 for i in range(30)], [12], False),
}


@pytest.mark.parametrize(("times", "frames", "person"), CASES.values(), ids=CASES)
def test_who_is_in_view_for_a_fifth_of_a_second_by_the_times_is_a_person(
    times, frames, person
) -> None:
    assert seen(times, *frames).reached(7, 0.2) is person


def test_the_newest_frame_counts_at_once() -> None:
    presence = Presence()
    for index in range(5):
        presence.add(index / 25, {7})
        assert presence.reached(7, 0.2) is (index == 4)


def test_nobody_is_a_person_before_a_short_source_ends() -> None:
    presence = Presence()
    for index in range(3):
        presence.add(index / 25, {7})
        assert not presence.reached(7, 0.2)
    presence.finish()
    assert presence.reached(7, 0.2)


def test_who_has_ended_is_forgotten() -> None:
    presence = seen([0, 0.5, 1.0], 0, 1)
    assert presence.reached(7, 0.9)
    presence.forget(7)
    assert not presence.reached(7, 0.9)


def test_who_ends_while_nothing_comes_stays_forgotten() -> None:
    presence = seen([0, 0.5], 1)
    presence.forget(7)
    presence.add(9.0, {1})
    assert not presence.reached(7, 0.1)
