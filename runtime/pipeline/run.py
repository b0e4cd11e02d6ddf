"""The main job: from a source to sealed shots in a vault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import SealshotError, VaultError
from sealshot.runtime.pipeline.sealing import Person, VaultSink
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stages import Stages, open_stages, open_watched
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.seal.memory import disable_core_dumps
from sealshot.runtime.seal.originals import Originals
from sealshot.runtime.seal.payload import Clock, Origin, PictureType
from sealshot.runtime.sources import Source
from sealshot.runtime.vault.keeper import Keeper, Sealing

Seal = Callable[[Originals, datetime], str]
"""Seals a part of what a public stream covered, given when it was taken by the system's clock."""
Problem = Callable[[], str]
"""Returns what keeps shots from being stored at present; nothing while nothing does."""
Connect = Callable[[Source, Stages, Seal, Problem], Sequence[Sink]]
"""Makes sinks for a source and stages that are open, before the first frame."""


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
    """Busy milliseconds a frame. Reading, looking for what is new, and the rest each run in a
    thread of their own."""
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
    stop: Stop | None = None,
    connect: Connect = lambda *_: (),
) -> Summary:
    """Watch a source and seal the best shot of each person into a vault.

    Ends with the source, after ``stop_after_s``, or when it is stopped; each person seen so far
    keeps a sealed shot. A full disk ends the watch of a recording; a camera is watched on, and what
    is sealed waits in memory for room.

    Args:
        settings: what to run on.
        sealing: who can open the shots, and what becomes of them.
        vault_path: folder of the vault; made if it is missing.
        picture: how the shots are encoded.
        stop: ends the run, see :func:`watch`.
        connect: makes more sinks; they come after the vault.

    Raises:
        InputError: the source or an option is wrong. Nothing was written.
        VaultError: the vault cannot be written to. Nothing was written.
    """
    disable_core_dumps()
    with open_watched(settings) as source:
        stages = open_stages(replace(settings, rests=True))
        engine, stopwatch = stages.engine, stages.stopwatch
        began, clock = _began(source, settings.start_time)
        origin = Origin(
            source.name, engine.manifest.name, engine.manifest.sha256, started=began, clock=clock
        )
        with (
            Keeper(vault_path, sealing, waits=source.live) as keeper,
            closing(VaultSink(keeper, origin, picture, stopwatch)) as vault,
        ):
            more = connect(source, stages, vault.put_originals, keeper.problem)
            if any(sink.wants_decoded for sink in more) and not settings.decoded:
                raise ValueError("a sink wants what was decoded: ask for it in the settings")
            done = watch(source, stages, [vault, *more], stop, stop_after_s=settings.stop_after_s)
            lost = keeper.settle()
    people = [vault.people[track] for track in sorted(vault.people)]
    kept = tuple(person for person in people if person.object_id not in lost)
    return Summary(
        people=kept,
        people_seen=vault.count - (len(people) - len(kept)),
        frames=done.frames,
        dropped=source.dropped,
        passing=stages.selector.passing,
        seconds=done.seconds,
        stages_ms={
            stage: 1e3 * busy / max(done.frames, 1) for stage, busy in stopwatch.busy_s.items()
        },
        engine=engine.description,
        interrupted=done.interrupted,
        failure=done.failure or (_loss(vault_path, len(lost)) if lost else None),
    )


def _loss(vault: Path, shots: int) -> VaultError:
    return VaultError(
        f"the vault {vault} had no room: sealed shots that are lost: {shots}",
        hint="free some space",
    )


def _began(source: Source, given: datetime | None) -> tuple[datetime | None, Clock | None]:
    """Return when the first frame was taken, and what says so; nothing of a camera: it is now."""
    if given:
        return given, "given"
    if source.live:
        return None, None
    return source.created, "container" if source.created else "processing"
