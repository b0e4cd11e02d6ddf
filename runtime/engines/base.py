"""What every engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines.manifest import Manifest
from sealshot.runtime.types import Floats, Tracks


class Engine(ABC):
    """A score graph, ready to run."""

    manifest: Manifest
    description: str
    """The engine, the device and the precision in a few words, for people."""
    why: str = ""
    """What decided for this engine, where there was a choice."""

    @abstractmethod
    def score(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the quality of each crop, higher is better.

        Args:
            crops: ``uint8 [n, 1, 64, 64]``; n may be 0.

        Returns:
            ``float32 [n]``.
        """

    def score_tracks(self, crops: NDArray[np.uint8], tracks: Tracks) -> Floats:
        """Return the quality of one frame's faces, of which selection keeps each track's best.

        Args:
            crops: ``uint8 [n, 1, 64, 64]``, one for each of ``tracks.seen``.
            tracks: of one frame; those of a source come in its order.

        Returns:
            ``float32 [n]``; exact for all that may be the best of their track so far.
        """
        return self.score(crops)
