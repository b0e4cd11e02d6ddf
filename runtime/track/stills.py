"""No tracking at all: pictures that have nothing to do with each other."""

from __future__ import annotations

from collections.abc import Sequence

from sealshot.runtime.types import Face, Track, Tracks


class Stills:
    """Takes each face of each picture for a person of its own."""

    def __init__(self) -> None:
        self._next_id = 1
        self._open: tuple[int, ...] = ()

    def update(self, time_s: float, faces: Sequence[Face]) -> Tracks:
        """End the tracks of the last picture, and begin one for each face of this one."""
        ended = self.flush()
        seen = tuple(Track(id, face, hits=1) for id, face in enumerate(faces, self._next_id))
        self._next_id += len(seen)
        self._open = tuple(track.id for track in seen)
        return Tracks(seen, ended)

    def advance(self, time_s: float) -> tuple[int, ...]:
        """End nothing: a picture lasts until the next."""
        return ()

    def flush(self) -> tuple[int, ...]:
        """End all tracks and return their identifiers."""
        ended, self._open = self._open, ()
        return ended
