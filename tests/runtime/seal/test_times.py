"""Times, durations and epochs, at the edges where one becomes the next."""

from datetime import datetime, timedelta, timezone

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.times import (
    epoch_end,
    epoch_of,
    epoch_start,
    format_hour,
    format_time,
    is_epoch,
    is_time,
    next_epochs,
    parse_duration,
    parse_time,
)

D, H, S = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=timezone.utc)
WEST = timezone(-5 * H)


@pytest.mark.parametrize(
    ("time", "day", "hour"),
    [
        (MIDNIGHT, "2026-11-21", "2026-11-21T00"),
        (MIDNIGHT - S, "2026-11-20", "2026-11-20T23"),
        (MIDNIGHT + D - S, "2026-11-21", "2026-11-21T23"),
        (datetime(2026, 11, 20, 20, tzinfo=WEST), "2026-11-21", "2026-11-21T01"),
    ],
)
def test_an_epoch_begins_with_its_first_second_of_utc(time, day, hour):
    assert (epoch_of(time, "day"), epoch_of(time, "hour"), format_hour(time)) == (day, hour, hour)


@pytest.mark.parametrize(
    ("epoch", "start", "length"),
    [
        ("2026-11-21", MIDNIGHT, D),
        ("2026-11-21T00", MIDNIGHT, H),
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=timezone.utc), D),
        ("2028-02-29T23", datetime(2028, 2, 29, 23, tzinfo=timezone.utc), H),
    ],
)
def test_an_epoch_ends_where_the_next_begins(epoch, start, length):
    assert (epoch_start(epoch), epoch_end(epoch)) == (start, start + length)
    kind = "hour" if "T" in epoch else "day"
    assert epoch_of(epoch_end(epoch) - S, kind) == epoch
    assert epoch_start(epoch_of(epoch_end(epoch), kind)) == epoch_end(epoch)


@pytest.mark.parametrize(
    ("time", "length", "ahead", "expected"),
    [
        (MIDNIGHT, "day", 0 * D, ["2026-11-21"]),
        (MIDNIGHT, "day", D - S, ["2026-11-21"]),
        (MIDNIGHT, "day", D, ["2026-11-21", "2026-11-22"]),  # begins just then
        (MIDNIGHT - S, "day", S, ["2026-11-20", "2026-11-21"]),
        (MIDNIGHT - S, "day", 0 * S, ["2026-11-20"]),
        (MIDNIGHT + D - S, "hour", S, ["2026-11-21T23", "2026-11-22T00"]),
        (MIDNIGHT + 30 * 60 * S, "hour", H, ["2026-11-21T00", "2026-11-21T01"]),
    ],
)
def test_keys_ahead_include_the_epoch_that_begins_at_the_very_end(time, length, ahead, expected):
    assert next_epochs(time, length, ahead) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("30d", 30 * D), ("12h", 12 * H), ("90m", 90 * 60 * S), ("1m", 60 * S)]
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "0d", "d", "1", "1s", "-1d", "1.5d", "123456d", "1d "])
def test_what_is_no_duration(text):
    with pytest.raises(InputError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21", MIDNIGHT),
        ("2026-11-21T10", MIDNIGHT + 10 * H),
        ("2026-11-21T10:20Z", MIDNIGHT + 10 * H + 20 * 60 * S),
        ("2026-11-21T10:20:30Z", MIDNIGHT + 10 * H + 20 * 60 * S + 30 * S),
    ],
)
def test_times(text, expected):
    assert parse_time(text) == expected
    assert parse_time(format_time(expected)) == expected


@pytest.mark.parametrize("text", ["", "now", "2026-13-01", "2026-11-21T25", "21.11.2026"])
def test_what_is_no_time(text):
    with pytest.raises(InputError):
        parse_time(text)


def test_what_stands_in_files_has_one_form():
    assert is_time("2026-11-21T10:20:30Z")
    assert not is_time("2026-11-21T10:20:30")
    assert not is_time("2026-11-21")
    assert not is_time(20261121)
    assert is_epoch("2026-11-21T10")
    assert not is_epoch("2026-11-21T10:20:30Z")
    assert not is_epoch("1999-12-31")
