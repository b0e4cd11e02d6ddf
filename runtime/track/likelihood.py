"""The default tracker: faces are expected where they were going, and sure detections go first.

The association in two stages is that of ByteTrack (Zhang et al. 2022, arXiv 2110.06864): sure
detections take their tracks first; unsure ones may go on with the tracks that are left, and never
start one. In place of the IoU of ByteTrack stands the likelihood of the box under the motion model
(:mod:`sealshot.runtime.track.kalman`): small faces that move fast do not overlap from frame to
frame, and after a cut faces overlap that should not be joined. So it shares the stages with
ByteTrack and not the measure; its name on the command line, ``bytetrack``, is from before that.

A third stage is for people who sit or stand: a face that would start a track, just where one who
kept still was seen last, is taken for the same one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.track import kalman
from sealshot.runtime.track.assign import assign
from sealshot.runtime.track.tracker import LOST_STEPS, BoxTracker, Open, Pairs, boxes_of
from sealshot.runtime.types import Face

LEAST_PATIENCE_S = 0.2
NEAR = 1.0
"""Squared Mahalanobis distance at which a face is near where it was expected."""
STILL_HITS, STILL_SPEED = 3, 0.5
"""Who was seen so often, and moves by no more face sizes a second, keeps still."""
SAME_PLACE = np.array([0.3, 0.3, 0.25, 0.25])
"""How far off one who kept still may be: centre, in face sizes, and logarithm of the size."""


class LikelihoodTracker(BoxTracker[kalman.State]):
    """Motion model, likelihood, two stages.

    Args:
        lost_s: seconds that a person may go undetected; one who was followed for a shorter time is
            only remembered for as long, since little is known of where it went. After that, one
            who kept still is known again in the same place: detectors flicker on turned faces.
        sure_score: detection score from which on a face may start a track.
        max_surprise: :func:`kalman.surprise` above which a face is somebody else's. At the default
            a face that was in the last frame may be 0.3 sizes off its path, one that was away for
            half a second 1.1 sizes, if its size is as expected.
    """

    def __init__(
        self, *, lost_s: float = 1.0, sure_score: float = 0.7, max_surprise: float = -4.0
    ) -> None:
        super().__init__(lost_s)
        self._sure_score, self._max_surprise = sure_score, max_surprise

    def _match(
        self, time_s: float, tracks: Sequence[Open[kalman.State]], faces: Sequence[Face]
    ) -> Pairs:
        expected, boxes = _expected(time_s, tracks), boxes_of(faces)
        surprise = kalman.surprise(expected, boxes) - self._limits(time_s, tracks, expected)
        sure = np.array([self._may_start(face) for face in faces])
        recent_s = LOST_STEPS * self._step_s
        known = np.array([time_s - t.seen_s <= max(_memory_s(t), recent_s) for t in tracks])
        pairs = self._assign(surprise, known, sure)
        left, new = known.copy(), sure.copy()
        left[[track for track, _ in pairs]] = False
        pairs += self._assign(surprise, left, ~sure)
        new[[face for _, face in pairs]] = False
        if known.all() or not new.any():
            return pairs
        off = np.abs(kalman.offsets(expected, boxes)) / SAME_PLACE
        return pairs + self._assign(off.max(axis=2) - 1, ~known, new)

    def _limits(
        self, time_s: float, tracks: Sequence[Open[kalman.State]], expected: kalman.State
    ) -> kalman.Array:
        """Return the surprise from which on a face is not a track's, ``[n, 1]``.

        Where the frames are a second apart a face could be anywhere, so that nothing would be
        likely enough; who was in one of the last two frames and is found near enough goes on.
        """
        recent = np.array([time_s - t.seen_s <= LOST_STEPS * self._step_s for t in tracks])
        near = np.where(recent, kalman.volume(expected) + NEAR, -np.inf)
        return np.asarray(np.maximum(self._max_surprise, near)[:, None], np.float64)

    def _assign(
        self, surprise: kalman.Array, of_tracks: NDArray[np.bool_], of_faces: NDArray[np.bool_]
    ) -> Pairs:
        if not (of_tracks.any() and of_faces.any()):
            return []
        tracks, faces = np.flatnonzero(of_tracks).tolist(), np.flatnonzero(of_faces).tolist()
        pairs = assign(surprise[np.ix_(tracks, faces)], 0.0)
        return [(tracks[row], faces[column]) for row, column in pairs]

    def _start(self, face: Face) -> kalman.State:
        return kalman.start(boxes_of([face])[0])

    def _move(
        self, time_s: float, tracks: Sequence[Open[kalman.State]], faces: Sequence[Face]
    ) -> Sequence[kalman.State]:
        return kalman.unstack(kalman.correct(_expected(time_s, tracks), boxes_of(faces)))

    def _patience_s(self, track: Open[kalman.State]) -> float:
        return self._lost_s if _is_still(track) else _memory_s(track)

    def _may_start(self, face: Face) -> bool:
        return face.score >= self._sure_score


def _memory_s(track: Open[kalman.State]) -> float:
    """Return for how long it is known where a track may have gone."""
    return max(LEAST_PATIENCE_S, track.seen_s - track.first_s)


def _is_still(track: Open[kalman.State]) -> bool:
    speed = np.hypot(*track.motion.speed[:2]) / kalman.unit(track.motion.at)[0]
    return track.hits >= STILL_HITS and bool(speed <= STILL_SPEED)


def _expected(time_s: float, tracks: Sequence[Open[kalman.State]]) -> kalman.State:
    """Return where the faces of tracks should be now."""
    away_s = np.array([time_s - track.seen_s for track in tracks])
    return kalman.predict(kalman.stack([track.motion for track in tracks]), away_s)
