"""When a camera's key turns: as soon as a day is surely over, that day's is destroyed.

The log says first that another key signs from there on, signed by the one that ends; then the file
of the key is overwritten. A power cut between the two leaves a log that is ahead of the key, and
the next start turns that. What is over goes by the earliest time that is credible: a clock that
jumps ahead burns no keys. Until then the key of an earlier day signs, as it may.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.times import CLOCK_BEHIND, epoch_of, format_hour, format_time, parse_time
from sealshot.runtime.vault.notices import Notices

TRY_EVERY_S = 600.0
ENDS_SOON = timedelta(days=30)
"""So long before a camera has no key for the next day any more, that is told."""


class KeyTurns:
    """Turns the keys of a camera.

    Args:
        keys: of the camera.
        log: of its vault.
        notices: where warnings go.
        now: the time.

    Raises:
        InputError: the keys of ``now`` are destroyed.
    """

    def __init__(self, keys: DayKeys, log: Log, notices: Notices, now: datetime) -> None:
        self._keys, self._log, self._notices = keys, log, notices
        self._try_at = 0.0
        self._ends_soon_from = parse_time(keys.last) - ENDS_SOON
        if now + CLOCK_BEHIND < parse_time(keys.day):
            raise InputError(
                f"the clock says {format_time(now)}, and the camera's keys of days before "
                f"{keys.day} are destroyed: nobody would believe what it signs",
                hint="set the clock; if it is right, it was wrong before: enrol the camera again "
                "(`sealshot camera enrol DIR --again OLD.pub`) and give it a new vault",
            )

    def take(self, now: datetime, earliest: datetime) -> None:
        """Turn the key if a day is over, and destroy that of the day.

        Args:
            now: the time.
            earliest: the earliest that it may be.

        Raises:
            LogError: it could not be logged: the key of before signs on.
        """
        if now > self._ends_soon_from:
            self._notices.tell(
                "last key",
                f"the camera's last key is that of {self._keys.last}: it signs on after that day, "
                "and whoever steals it then signs for all days since (hint: enrol it again, "
                "`sealshot camera enrol DIR --again OLD.pub`)",
            )
        day = epoch_of(earliest, "day")
        if day > self._keys.day and self._keys.day < self._keys.last:
            today = self._keys.on(day)
            self._log.turn(today, format_hour(now))
            self._keys.turn(day)
            self._try_at = 0.0
        elif time.monotonic() < self._try_at:
            return
        self._destroy()

    def _destroy(self) -> None:
        try:
            self._keys.destroy()
        except (OSError, SealError) as error:
            why = error.strerror if isinstance(error, OSError) else error.fact
            self._try_at = time.monotonic() + TRY_EVERY_S
            self._notices.tell(
                "key",
                f"the camera's key of the day before could not be destroyed: {why}; whoever steals "
                "the camera could sign as of that day",
            )
        else:
            self._try_at = float("inf")
            self._notices.tell("key", "")
