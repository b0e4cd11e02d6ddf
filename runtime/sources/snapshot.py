"""A camera that only has its present picture to give: it is asked for it again and again."""

from __future__ import annotations

import time
from datetime import datetime
from fractions import Fraction

from sealshot.runtime.sources.media import Media
from sealshot.runtime.sources.reader import NoVideoError, Picture
from sealshot.runtime.sources.tls import SYSTEM, Tls

DEFAULT_FPS = 1.0


class Snapshots:
    """Reads one picture a period from an address."""

    frames: int | None = None
    end_s: float | None = None
    moves = False
    created: datetime | None = None

    def __init__(
        self, address: str, *, fps: float, aspect: Fraction | None = None, tls: Tls = SYSTEM
    ) -> None:
        self._address, self._aspect, self._tls = address, aspect, tls
        self.fps: float | None = fps
        self._step_s, self._next_s = 1 / fps, time.monotonic()
        self.damaged = 0

    def read(self) -> Picture | None:
        """Wait until a picture is due and fetch it; None if the camera does not give it."""
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = max(self._next_s + self._step_s, time.monotonic())
        try:
            media = Media(self._address, aspect=self._aspect, tls=self._tls)
        except NoVideoError:
            return None
        try:
            return media.read()
        finally:
            media.close()

    def close(self) -> None:
        """Do nothing: each picture has a connection of its own."""
