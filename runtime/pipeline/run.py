"""The main job: from a source to sealed shots in a vault."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.cli.interrupts import hold_interrupts
from sealshot.runtime.engines import Scorer
from sealshot.runtime.errors import SealshotError, VaultError
from sealshot.runtime.pipeline.stages import Settings, Stages, open_stages
from sealshot.runtime.pipeline.watch import Stopwatch, find_faces
from sealshot.runtime.seal.log import LogError
from sealshot.runtime.seal.memory import disable_core_dumps
from sealshot.runtime.seal.payload import Origin, PictureType
from sealshot.runtime.sources import Source, ahead, frames_of, open_source
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.caretaker import Keeper, Sealing

FRAMES_AHEAD = 2
PEOPLE_KEPT = 10_000


@dataclass(frozen=True)
class Person:
    """The sealed best shot of one person."""

    track: int
    frames_seen: int
    score: float
    percentile: float
    frame: int
    time_s: float
    object_id: str


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    frames: int
    total: int | None
    fps: float
    people: int
    engine: str


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    people: tuple[Person, ...]
    """At most the last ``PEOPLE_KEPT``: a camera runs for years."""
    people_seen: int
    frames: int
    dropped: int
    """Frames of a camera that came faster than they could be taken."""
    passing: int
    """Tracks too short to be a person, see ``Settings.min_seen_s``."""
    seconds: float
    """Wall time from the first frame to the last sealed shot."""
    stages_ms: dict[str, float]
    """Busy milliseconds a frame. Detection runs beside the rest, in a thread of its own."""
    engine: str
    interrupted: bool
    failure: SealshotError | None
    """What ended the run early; the people up to then have their shots."""

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds else 0.0


def run(
    settings: Settings,
    sealing: Sealing,
    vault_path: Path,
    *,
    picture: PictureType = "jpg",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_engine: Callable[[Scorer], None] = lambda _: None,
) -> Summary:
    """Watch a source and seal the best shot of each person into a vault.

    Ends with the source, after ``stop_after_s``, or on Ctrl-C; each person seen so far keeps a
    sealed shot.

    Args:
        settings: what to run on.
        sealing: who can open the shots, and what becomes of them.
        vault_path: folder of the vault; made if it is missing.
        picture: how the shots are encoded.
        on_progress: called after each frame.
        on_engine: called with the engine that was chosen, before the first frame.

    Raises:
        InputError: the source or an option is wrong. Nothing was written.
        VaultError: the vault cannot be written to. Nothing was written.
    """
    disable_core_dumps()
    with open_source(
        settings.source,
        fps=settings.fps,
        give_up_after_s=settings.give_up_after_s,
    ) as source:
        stages = open_stages(settings, source.fps)
        on_engine(stages.engine)
        origin = Origin(source.name, stages.engine.manifest.name, stages.engine.manifest.sha256)
        with Keeper(vault_path, sealing) as keeper:
            sealer = _Sealer(keeper, origin, picture, stages.stopwatch)
            return _watch(source, stages, sealer, settings.stop_after_s, on_progress)


def _watch(
    source: Source,
    stages: Stages,
    sealer: _Sealer,
    stop_after_s: float | None,
    on_progress: Callable[[Progress], None],
) -> Summary:
    """Take all frames of a source, and seal what is due."""
    frames, interrupted, failure = 0, False, None
    engine, selector, stopwatch = stages.engine, stages.selector, stages.stopwatch
    start = time.perf_counter()
    try:
        decoded = stopwatch.timed("decode", frames_of(source))
        with ahead(
            find_faces(decoded, stages.detector, stopwatch), FRAMES_AHEAD, interrupt=source.close
        ) as found:
            for frame, faces in found:
                with hold_interrupts():
                    sealer.put(stages.watcher.step(frame, faces).due)
                    frames += 1
                fps = frames / (time.perf_counter() - start)
                people = sealer.count + len(selector.people - sealer.people.keys())
                on_progress(Progress(frames, source.frames, fps, people, engine.description))
                if stop_after_s and frame.time_s >= stop_after_s:
                    break
    except KeyboardInterrupt:
        interrupted = True
    except SealshotError as error:
        failure = error
    if not isinstance(failure, VaultError | LogError):
        try:
            with hold_interrupts():
                sealer.put(stages.watcher.finish())
        except KeyboardInterrupt:
            interrupted = True
        except SealshotError as error:
            failure = error
    return Summary(
        people=tuple(sealer.people[track] for track in sorted(sealer.people)),
        people_seen=sealer.count,
        frames=frames,
        dropped=source.dropped,
        passing=selector.passing,
        seconds=time.perf_counter() - start,
        stages_ms={stage: 1e3 * busy / max(frames, 1) for stage, busy in stopwatch.busy_s.items()},
        engine=engine.description,
        interrupted=interrupted,
        failure=failure,
    )


class _Sealer:
    """Seals shots into a vault; a person's better shot takes the place of the lesser one."""

    def __init__(
        self,
        keeper: Keeper,
        origin: Origin,
        picture: PictureType,
        stopwatch: Stopwatch,
    ) -> None:
        self._keeper, self._origin = keeper, origin
        self._picture, self._stopwatch = picture, stopwatch
        self.people: dict[int, Person] = {}
        self.count = 0

    def put(self, shots: Sequence[Shot]) -> None:
        self._keeper.tick()
        for shot in shots:
            with self._stopwatch.time("seal"):
                before = self.people.pop(shot.track, None)
                object_id = self._keeper.put(
                    shot, self._origin, self._picture, before.object_id if before else None
                )
            self.count += before is None
            if len(self.people) == PEOPLE_KEPT:
                del self.people[next(iter(self.people))]
            self.people[shot.track] = Person(
                track=shot.track,
                frames_seen=shot.frames_seen,
                score=shot.score,
                percentile=shot.percentile,
                frame=shot.frame,
                time_s=shot.time_s,
                object_id=object_id,
            )
