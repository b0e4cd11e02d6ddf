"""The edges of a warrant's times: of its validity, and of the hours that it is for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.times import CLOCK_TOLERANCE, parse_time
from sealshot.runtime.seal.warrant import RefusedError, check_warrant

H, MOMENT = timedelta(hours=1), timedelta(microseconds=1)


def reason(check, *arguments) -> str:
    try:
        check(*arguments)
    except RefusedError as error:
        return error.reason
    return ""


def test_a_warrant_is_in_force_until_just_before_its_end(world) -> None:
    warrant = world.warrant("judge", "police")
    cases = {
        warrant.expires - MOMENT: "",
        warrant.expires: "expired",
        warrant.issued - CLOCK_TOLERANCE: "",
        warrant.issued - CLOCK_TOLERANCE - MOMENT: "not-yet-valid",
    }
    for now, expected in cases.items():
        assert reason(check_warrant, warrant, world.policy, now) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0 * H, H, ""),  # the hour itself
        (H, 2 * H, "outside-time"),  # begins as the hour ends
        (H - timedelta(seconds=1), 2 * H, ""),  # its last second
        (-H, 0 * H, "outside-time"),  # ends as the hour begins
        (-H, timedelta(seconds=1), ""),  # its first second
    ],
)
def test_the_hour_of_a_shot_must_overlap_the_warrant(
    world, container, start: timedelta, end: timedelta, expected: str
) -> None:
    hour = parse_time(container.header.taken)
    warrant = world.warrant("judge", "police", period=(hour + start, hour + end))
    assert reason(check_scope, warrant, container, world.policy) == expected
