"""The writer: it alone holds the camera's key, seals what workers found, and logs it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.footage.journal import Journal
from sealshot.runtime.footage.recordings import Recording
from sealshot.runtime.footage.work import Done, StartTimes, Work
from sealshot.runtime.footage.workers import Workers
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.payload import PictureType
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of footage."""

    recordings: int
    """That were watched now."""
    before: int
    """That an earlier run had sealed."""
    people: int
    """Who have got a sealed shot now."""
    frames: int
    failed: Sequence[Done]
    """Recordings that could not be watched, or not to their end."""
    left: int
    """Recordings that the end came before."""
    failure: SealshotError | None
    """What ended it early: the vault."""


def seal_footage(
    recordings: Iterable[Recording],
    settings: Settings,
    workers: Workers,
    sealing: Sealing,
    vault: Path,
    stop: Stop,
    *,
    start_times: StartTimes = "known",
    picture: PictureType = "jpg",
    told: Callable[[int, int], None] = lambda done, people: None,
) -> Summary:
    """Watch recordings, and seal one shot of each person on each.

    Args:
        recordings: which; those that the vault has are left out.
        settings: of the watch; the source is that of each recording.
        workers: who watch.
        sealing: whom to seal to.
        vault: its folder.
        stop: ends it; what is in hand then is done by the next run.
        start_times: see :class:`Work`.
        picture: how shots are encoded.
        told: called after each recording, with how many are done, and people so far.

    Raises:
        SealshotError: the vault cannot be used, or there is no key to seal to.
    """
    identity = X25519Identity.generate()
    work = Work(settings, identity.recipient, start_times)
    done = people = frames = 0
    failed: list[Done] = []
    failure: SealshotError | None = None
    every = list(recordings)
    with closing(Journal(vault)) as journal, Keeper(vault, sealing) as keeper, stop.heeded():
        todo = [one for one in every if not journal.is_done(one)]
        results = workers.each(todo, work, stop.is_set)
        try:
            for result in results:
                if result.sealed:
                    people += _seal(result, identity, journal, keeper, vault, picture)
                    journal.finish(result.recording)
                if result.fact:
                    failed.append(result)
                keeper.tick()
                done, frames = done + 1, frames + result.frames
                told(done, people)
        except SealshotError as error:
            failure = error
        finally:
            results.close()
    return Summary(done, len(every) - len(todo), people, frames, failed, len(todo) - done, failure)


def _seal(
    result: Done,
    identity: X25519Identity,
    journal: Journal,
    keeper: Keeper,
    vault: Path,
    picture: PictureType,
) -> int:
    origin, shots = result.shots(identity)
    count = 0
    for number, shot in enumerate(shots):
        name = secrets.token_hex(16)
        if journal.seal(result.recording, number, name, lambda one: _was_sealed(vault, one)):
            keeper.put(shot, origin, picture, name=name)
            count += 1
    return count


def _was_sealed(vault: Path, name: str) -> bool:
    """Whether a vault has an object of a name, or its log had it."""
    if any(vault.glob(f"*/{name}.*")):
        return True
    log = vault / LOG
    return log.exists() and name.encode() in log.read_bytes()
