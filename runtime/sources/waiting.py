"""Which pictures of a camera may still be given, and which is next."""

from __future__ import annotations

from dataclasses import dataclass

from sealshot.runtime.sources.reader import Picture


@dataclass(slots=True, eq=False)
class Entry:
    """A picture that a camera has."""

    index: int
    """Pictures of it before this one."""
    time_s: float
    picture: Picture | None
    """None until its pixels came."""


class Waiting:
    """The newest picture, and after a gap the one behind it: those are given in pairs.

    Where a machine cannot take all, the newest one each time would leave a gap before each, and to
    look at a picture costs two to four times as much where nothing is known of the moment before.
    So one that follows a gap is followed by its neighbour, however old that is by then. Where there
    is no gap the newest one is given all the same: who took the next instead would do more, and be
    behind for as long as there is much to do.
    """

    def __init__(self) -> None:
        """Start before the first picture."""
        self._newest: Entry | None = None
        self._neighbour: Entry | None = None
        self._count = self._given = 0
        self._last = -1
        self.gap = False
        """Whether pictures are missing before the one that was given last."""

    @property
    def dropped(self) -> int:
        """How many were not given and will not be."""
        kept = {id(one) for one in (self._newest, self._neighbour) if one is not None}
        return self._count - self._given - len(kept)

    @property
    def next(self) -> Entry | None:
        """That which is to be given next."""
        return self._neighbour or self._newest

    def add(self, time_s: float, picture: Picture | None, skipped: int = 0) -> None:
        """Add a picture that came, or is to come, and count those that were skipped before it."""
        self._count += skipped
        self._newest = Entry(self._count, time_s, picture)
        self._count += 1
        if self.gap and self._neighbour is None:
            self._neighbour = self._newest

    def take(self) -> Entry | None:
        """Give the next one, if its pixels are there."""
        entry = self.next
        if entry is None or entry.picture is None:
            return None
        # the neighbour may follow what was skipped, and is the end of a pair all the same
        self.gap = entry is not self._neighbour and entry.index > self._last + 1
        self._neighbour = None
        if entry is self._newest:
            self._newest = None
        self._last = entry.index
        self._given += 1
        return entry

    def lose(self) -> None:
        """Forget what was to come of a connection that is over."""
        if self._newest is not None and self._newest.picture is None:
            self._newest = None
        if self._neighbour is not None and self._neighbour.picture is None:
            self._neighbour = None
