"""Who was just far from their best rests for a frame.

From a frame to the next a face changes little. So where one is rated far below the best of its
track, the next frame, if it follows at once, is not rated, and what was told of the face stands for
it too: it does not win. The frame after it is rated in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sealshot.runtime.types import Floats, Ratings, Tracks

FAR = 2.0
"""Below the best of its track, in units of the score. Of 29 tracks of eight clips no frame behind
such a one was the best; at 1.5 of two, which lost 1.2 at most."""
AT_ONCE_S = 0.05
"""Frames that are further apart do not follow at once."""


@dataclass(eq=False, slots=True)
class _Rated:
    """How a track was rated last, and its best."""

    best: np.float32
    quality: np.float32
    components: Floats
    """``[c]``"""
    at_s: float
    far: bool


class Resting:
    """Says of the faces of one source who is to be rated, and what is told of who is not."""

    def __init__(self) -> None:
        """Start with no track."""
        self._tracks = dict[int, _Rated]()

    def awake(self, time_s: float, tracks: Tracks) -> Tracks:
        """Return who of a frame is to be rated; frames come in their order."""
        seen = tuple(track for track in tracks.seen if not self._may_rest(track.id, time_s))
        return Tracks(seen, tracks.ended)

    def complete(self, time_s: float, tracks: Tracks, awake: Tracks, rated: Ratings) -> Ratings:
        """Return ratings of all of ``tracks.seen``.

        Args:
            time_s: of the frame.
            tracks: of it.
            awake: what :meth:`awake` returned of them.
            rated: of each of those.
        """
        self.forget(tracks.ended)
        for track, order, quality, components in zip(
            awake.seen, rated.order, rated.quality, rated.components, strict=True
        ):
            known = self._tracks.get(track.id)
            best = order if known is None else max(order, known.best)
            far = bool(order < best - FAR)
            self._tracks[track.id] = _Rated(best, quality, components, time_s, far)
        if len(awake.seen) == len(tracks.seen):
            return rated
        told = [self._tracks[track.id] for track in tracks.seen]
        return Ratings(
            np.array([one.quality for one in told], np.float32),
            np.array([one.components for one in told], np.float32),
        )

    def forget(self, ended: tuple[int, ...]) -> None:
        """Take that tracks have ended."""
        for id in ended:
            self._tracks.pop(id, None)

    def _may_rest(self, id: int, now_s: float) -> bool:
        """Say so; who rests does so once."""
        rated = self._tracks.get(id)
        if rated is None or not rated.far or now_s - rated.at_s > AT_ONCE_S:
            return False
        rated.far = False
        return True
