"""The rate of a vault: so many people a minute, of whom those with the best scores stay.

A screen that flashes made-up faces must fill neither the disk nor the line of uploads. To keep the
first ones and no more would let it hide who walks by meanwhile; the best views of real faces stay.
"""

from __future__ import annotations

import logging

from sealshot.runtime.errors import InputError

logger = logging.getLogger(__name__)

WINDOW_S = 60.0


class Rate:
    """Knows the shots of the last minute.

    Args:
        limit: shots a minute.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise InputError(f"a rate of {limit} keeps nobody", hint="give 1 or more a minute")
        self._limit = limit
        self._recent: list[tuple[float, str, float]] = []  # seconds, object, score
        self._gone, self._told = 0, False

    def over(self, object_id: str, score: float, replaces: str | None, now_s: float) -> list[str]:
        """Count a shot that was stored, and return those that are too many: it may be one.

        Args:
            object_id: the shot.
            score: higher is better.
            replaces: an earlier shot of the person, which is gone.
            now_s: a clock that never goes back.
        """
        kept = [one for one in self._recent if now_s - one[0] < WINDOW_S and one[1] != replaces]
        kept.append((now_s, object_id, score))
        kept.sort(key=lambda one: one[2])
        many = max(len(kept) - self._limit, 0)
        self._recent = kept[many:]
        return [one[1] for one in kept[:many]]

    def note_gone(self, shots: int) -> None:
        """Count what the rate took; tell of the first at once."""
        self._gone += shots
        if not self._told:
            self.tell()

    def tell(self) -> None:
        """Tell what the rate took since it was told last."""
        if self._gone:
            self._told = True
            logger.warning(
                "more than %d people came in a minute: the %d shots with the lowest scores were "
                "deleted",
                self._limit,
                self._gone,
            )
        self._gone = 0
