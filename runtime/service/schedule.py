"""When a camera watches: hours of days of the week, by the clock of the place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _HOUR = f"(?:{'|'.join(DAYS)})", "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
PATTERN = f"^(?:({_DAY})(?:-({_DAY}))? )?({_HOUR})-({_HOUR}|24:00)$"
"""``Mon-Fri 07:00-19:30``, ``Sat 22:00-02:00`` (until Sunday), or ``07:00-19:30`` on each day."""


def is_on(windows: Sequence[str], now: datetime) -> bool:
    """Say whether a camera watches at a time.

    Args:
        windows: each as ``PATTERN`` has it; none means always.
        now: local time.
    """
    return not windows or any(_holds(window, now) for window in windows)


def _holds(window: str, now: datetime) -> bool:
    match = re.match(PATTERN, window)
    assert match is not None, "the configuration was checked"
    first, last, start, end = match.groups()
    days = _days(first, last)
    at, begins, ends = now.hour * 60 + now.minute, _minutes(start), _minutes(end)
    if begins < ends:
        return now.weekday() in days and begins <= at < ends
    before = (now - timedelta(days=1)).weekday()  # it goes over midnight
    return (now.weekday() in days and at >= begins) or (before in days and at < ends)


def _days(first: str | None, last: str | None) -> set[int]:
    if first is None:
        return set(range(7))
    begin = DAYS.index(first)
    count = (DAYS.index(last or first) - begin) % 7 + 1
    return {(begin + number) % 7 for number in range(count)}


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
