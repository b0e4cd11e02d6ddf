"""Noticing that a source shows nothing: every frame black, or every one the same."""

from __future__ import annotations

import numpy as np

from sealshot.runtime.types import Image, Pixels

ENOUGH = 100
"""Frames after which a source that does not end is judged."""
LEAST = 5
"""Frames below which a recording is not judged."""
BLACK = 24
"""Brightest value of a black frame: the black of limited range, and some noise."""
SAMPLED = 8
"""Every so many pixels in both directions are looked at."""


class Sameness:
    """Looks at frames until one is neither black nor like the first."""

    def __init__(self) -> None:
        self._frames = 0
        self._black = self._same = True
        self._first: Image | None = None

    def add(self, pixels: Pixels) -> bool:
        """Look at a frame; return True once, when there are enough to judge by."""
        if not (self._black or self._same) or self._frames == ENOUGH:
            return False
        self._frames += 1
        sample = pixels[::SAMPLED, ::SAMPLED]
        if self._first is None:
            self._first = sample.copy()
        self._black = self._black and int(sample.max()) <= BLACK
        self._same = self._same and np.array_equal(sample, self._first)
        return self._frames == ENOUGH

    def finding(self, *, moves: bool) -> str | None:
        """Return what is wrong with the frames so far, as a clause; None where nothing is.

        Args:
            moves: whether the stream itself says that its pictures differ.
        """
        if self._frames < LEAST:
            return None
        if self._black:
            return f"all {self._frames} frames so far are black"
        if self._same and moves:
            return f"all {self._frames} frames so far are the same, and the stream says they differ"
        return None
