"""The sink that draws: what is remembered of each track becomes pictures when its shot is due."""

from __future__ import annotations

from collections.abc import Sequence

from sealshot.benchmarks.inspection.history import Recorder, Scene
from sealshot.benchmarks.inspection.report import Folder, Row, write_track
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.types import Shot


class Drawing(Sink):
    """Draws each track as it ends.

    Args:
        folder: to draw into.
        margin: share of the face square's side that a shot has around it.
        score_name: what the scores are called.
    """

    def __init__(self, folder: Folder, *, margin: float, score_name: str) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        """Of the tracks that are drawn, in the order in which they ended."""
        self._margin, self._score_name = margin, score_name
        self._recorder = Recorder()

    @property
    def scenes(self) -> list[Scene]:
        """Frames with faces, over the whole video."""
        return self._recorder.scenes.items

    def seen(self, seen: Seen) -> None:
        """Remember a frame, and draw who left."""
        self._recorder.add(seen)
        self._draw(seen.due, seen.tracks.ended)

    def beat(self, beat: Beat) -> None:
        """Draw who left."""
        self._draw(beat.due, beat.ended)

    def end(self, end: End) -> None:
        """Draw who is still there."""
        self._draw(end.due, end.ended)

    def _draw(self, due: Sequence[Shot], ended: Sequence[int]) -> None:
        histories = {track: self._recorder.take(track) for track in ended}
        for shot in due:
            self.rows.append(
                write_track(
                    self.folder,
                    histories[shot.track],
                    shot,
                    margin=self._margin,
                    score_name=self._score_name,
                )
            )
