"""Times as text, in UTC; durations; and epochs: the UTC day or hour that one key is for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Literal

from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.fields import Check

EpochLength = Literal["day", "hour"]

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
HOUR_FORMAT = "%Y-%m-%dT%H"
DAY_FORMAT = "%Y-%m-%d"
EPOCH_PATTERN = r"2\d{3}-\d\d-\d\d(?:T\d\d)?"  # to 2999: far from where dates end

CLOCK_TOLERANCE = timedelta(minutes=10)
"""Between the clocks of two parties."""
CLOCK_BEHIND = timedelta(days=1)
"""A camera's clock behind the key of its day: what is sealed tells the first hour of that then."""

_LENGTHS: dict[EpochLength, timedelta] = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def utc_now() -> datetime:
    """Return the time of the system's clock."""
    return datetime.now(timezone.utc)


def format_time(time: datetime) -> str:
    """Return ``2026-11-21T10:20:30Z``."""
    return time.astimezone(timezone.utc).strftime(TIME_FORMAT)


def parse_time(text: str) -> datetime:
    """Read ``2026-11-21T10:20:30Z``, or a day or an hour of UTC (its start).

    Raises:
        InputError: it is something else.
    """
    for form in (TIME_FORMAT, "%Y-%m-%dT%H:%MZ", HOUR_FORMAT, DAY_FORMAT):
        try:
            time = datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
        return time
    raise InputError(
        f"'{text}' is not a time", hint="give UTC, as 2026-11-21 or 2026-11-21T10:20:30Z"
    )


def format_hour(time: datetime) -> str:
    """Return the hour of a time: all that the outside of a sealed shot tells."""
    return time.astimezone(timezone.utc).strftime(HOUR_FORMAT)


def parse_duration(text: str) -> timedelta:
    """Read ``30d``, ``12h`` or ``90m``.

    Raises:
        InputError: it is something else, or nothing.
    """
    found = re.fullmatch(r"(\d{1,5})([dhm])", text, re.ASCII)
    if found is None or int(found[1]) == 0:
        raise InputError(f"'{text}' is not a duration", hint="give days or hours, as 30d or 12h")
    return int(found[1]) * _UNITS[found[2]]


def epoch_of(time: datetime, length: EpochLength) -> str:
    """Return the name of the epoch that a time is in."""
    return time.astimezone(timezone.utc).strftime(DAY_FORMAT if length == "day" else HOUR_FORMAT)


def epoch_start(epoch: str) -> datetime:
    """Return when an epoch begins.

    Raises:
        InputError: it is not the name of an epoch.
    """
    if not re.fullmatch(EPOCH_PATTERN, epoch, re.ASCII):
        raise InputError(f"'{epoch}' is not an epoch", hint="give a day (2026-11-21) or an hour")
    return parse_time(epoch)


def epoch_end(epoch: str) -> datetime:
    """Return when an epoch is over."""
    return epoch_start(epoch) + _LENGTHS["hour" if "T" in epoch else "day"]


def next_epochs(time: datetime, length: EpochLength, ahead: timedelta) -> list[str]:
    """Return the epoch of a time and those that begin within ``ahead`` after it."""
    epochs, at = [], epoch_start(epoch_of(time, length))
    while at <= time + ahead:
        epochs.append(epoch_of(at, length))
        at += _LENGTHS[length]
    return epochs


def _is(parse: object) -> Check:
    def check(value: object) -> bool:
        try:
            return isinstance(value, str) and callable(parse) and parse(value) is not None
        except InputError:
            return False

    return check


is_epoch = _is(epoch_start)


def is_hour(value: object) -> bool:
    """Whether it is an hour, as the outside of a sealed shot has it."""
    return is_epoch(value) and "T" in str(value)


def is_day(value: object) -> bool:
    """Whether it is a day."""
    return is_epoch(value) and "T" not in str(value)


def is_time(value: object) -> bool:
    """Whether it is a time to the second."""
    try:
        return isinstance(value, str) and format_time(parse_time(value)) == value
    except InputError:
        return False
