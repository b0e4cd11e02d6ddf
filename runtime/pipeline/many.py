"""Many cameras in one process: a watch for each, side by side, that know nothing of each other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stages import Stages
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import Watched, watch
from sealshot.runtime.sources import Source

LOOK_EVERY_S = 0.1
"""How often it is looked whether to stop."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A source and all that is its own."""

    source: Source
    """Open; it stays open."""
    stages: Stages
    """Opened for it, by :func:`open_many` with those of the others, and used for it alone."""
    sinks: Sequence[Sink]
    """Such as its vault; its own thread calls them."""


def watch_many(cameras: Sequence[Camera], stop: Stop | None = None) -> list[Watched]:
    """Watch several sources at once, each to its end, and give what is seen to its own sinks.

    Each has a thread of its own, so one that is away or broken holds up no other, and they take
    turns at the processors, see :mod:`sealshot.runtime.pipeline.turns`. Where those cannot keep up,
    a live source gives the newest frame, then its neighbour, and drops and counts
    (``Source.dropped``) what comes in between; a face in view is followed at whatever rate its
    camera is left with.

    Args:
        cameras: at least one.
        stop: ends all after the items in hand. Without it, Ctrl-C does.

    Returns:
        How it went, for each camera. One that failed has its ``failure``; the others went on.

    Raises:
        KeyboardInterrupt: a second Ctrl-C; sinks may lack the end.
        Exception: a defect in a camera's part; raised when all have ended.
    """
    stop = stop or Stop()
    lanes = [_Lane(camera) for camera in cameras]
    with stop.heeded():
        for lane in lanes:
            lane.start()
        try:
            _wait(lanes, stop)
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
            _wait(lanes, stop)
    for lane in lanes:
        if lane.defect is not None:
            raise lane.defect
    return [lane.watched for lane in lanes if lane.watched is not None]


class _Lane(threading.Thread):
    """The thread that watches one camera."""

    def __init__(self, camera: Camera) -> None:
        super().__init__(name=f"sealshot-{camera.source.name}", daemon=True)
        self._camera = camera
        self.stop = Stop()
        self.watched: Watched | None = None
        self.defect: BaseException | None = None

    def run(self) -> None:
        camera = self._camera
        try:
            self.watched = watch(camera.source, camera.stages, camera.sinks, self.stop)
        except BaseException as error:  # raised where the cameras are watched from
            self.defect = error


def _wait(lanes: Sequence[_Lane], stop: Stop) -> None:
    for lane in lanes:
        while lane.is_alive():
            if stop.is_set():
                for each in lanes:
                    each.stop.set()
            lane.join(LOOK_EVERY_S)
