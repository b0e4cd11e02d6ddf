"""What a worker does with one recording: read, detect, track, score; give the best shots back.

Shots go back encrypted to a key that the writer makes for its run, so that no network, no shared
memory and no file that workers spill to sees a face.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import Literal

from sealshot.runtime.age import age
from sealshot.runtime.age.x25519 import X25519Identity, X25519Recipient
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.footage.recordings import Recording, opened
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import open_stages, open_watched
from sealshot.runtime.pipeline.watch import watch
from sealshot.runtime.seal.payload import Clock, Origin
from sealshot.runtime.types import Shot

StartTimes = Literal["known", "now"]


@dataclass(frozen=True, slots=True)
class Work:
    """What workers need besides the recording."""

    settings: Settings
    recipient: X25519Recipient
    """Whom shots go back to."""
    start_times: StartTimes = "known"
    """``now`` takes the time of processing for recordings that do not say when they began."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one recording."""

    recording: Recording
    frames: int = 0
    people: int = 0
    sealed: bytes = b""
    """Origin and shots, for the writer's key; empty where it could not be watched."""
    fact: str = ""
    """What ended it early; the people up to then have their shots."""
    hint: str = ""
    exit_code: int = SealshotError.exit_code
    """Of what ended it: whether something broke, or it is none that can be watched."""

    def shots(self, identity: X25519Identity) -> tuple[Origin, tuple[Shot, ...]]:
        """Return origin and shots, with the writer's key."""
        origin, shots = pickle.loads(age.decrypt(self.sealed, [identity]))
        return origin, shots


def watch_recording(recording: Recording, work: Work) -> Done:
    """Watch a recording to its end; what breaks is told in what is returned."""
    path = recording.name
    try:
        with opened(recording) as path:
            return _watch(recording, path, work)
    except SealshotError as error:
        fact = error.fact.replace(path, recording.name)
        return Done(recording, fact=fact, hint=error.hint, exit_code=error.exit_code)


def _watch(recording: Recording, path: str, work: Work) -> Done:
    collected = _Collector()
    settings = replace(work.settings, source=path, rests=True)
    with open_watched(settings) as source:
        if source.live:
            raise InputError("it is no recording", hint="`sealshot run` watches a camera")
        began, clock = recording.began or source.created, _clock(recording, source.created)
        if began is None and work.start_times == "known":
            raise InputError(
                "neither its name nor its container says when it began",
                hint="name it as 2026-11-21_10-20-30.mp4, or take the time of now: "
                "--start-times now",
            )
        stages = open_stages(settings)
        watched = watch(source, stages, [collected])
    engine = stages.engine
    name = recording.name
    origin = Origin(name, engine.manifest.name, engine.manifest.sha256, started=began, clock=clock)
    plain = pickle.dumps((origin, tuple(collected.shots)))
    failure = watched.failure
    return Done(
        recording,
        frames=watched.frames,
        people=len(collected.shots),
        sealed=age.encrypt(plain, [work.recipient]),
        fact=failure.fact if failure else "",
        hint=failure.hint if failure else "",
        exit_code=failure.exit_code if failure else SealshotError.exit_code,
    )


def _clock(recording: Recording, created: object) -> Clock:
    if recording.began:
        return "given"
    return "container" if created else "processing"


class _Collector(Sink):
    """Keeps the shots of people who have left; each comes once."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []

    def seen(self, seen: Seen) -> None:
        """Keep what is due."""
        self.shots += seen.due

    def beat(self, beat: Beat) -> None:
        """Keep what is due."""
        self.shots += beat.due

    def end(self, end: End) -> None:
        """Keep the last."""
        self.shots += end.due
