"""`sealshot run` with sealing, and with no sink that takes the shots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.benchmarks.speed.sealing.quorum import Quorum
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.cli.terminal import progress
from sealshot.runtime.demo.clip import write_clip
from sealshot.runtime.pipeline.run import Summary, run
from sealshot.runtime.pipeline.settings import Emit, Settings
from sealshot.runtime.pipeline.stages import open_stages
from sealshot.runtime.pipeline.watch import Watched, watch
from sealshot.runtime.sources import open_source
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.vault.record import LOG

EMITS: tuple[Literal["end", "live"], ...] = ("end", "live")


@dataclass(frozen=True)
class Throughput:
    """What sealing takes of a run, all stages at work, in this process, in turns."""

    emit: str
    """``end`` seals a shot a person; ``live`` each improvement: the most that a run can seal."""
    frames: int
    shots: int
    """Sealed to 2 of 3 authorities with hybrid keys, signed, stored with fsync, and logged."""
    sealed_fps: Spread
    plain_fps: Spread
    ratio: Spread
    """Frames a second with sealing over those without it, in the same turn."""
    seal_ms: Spread
    """A shot: JPEG, sealing, storing, logging."""


def measure_runs(folder: Path, runs: int) -> list[Throughput]:
    """Run the clip of the demo ``runs`` times with sealing and without it, for each of EMITS.

    Raises:
        SealshotError: a run failed.
    """
    clip = folder / "clip.avi"
    write_clip(clip)
    sealing = Quorum(HybridIdentity.generate, folder / "keys").sealing()
    found = []
    with progress("running", len(EMITS) * runs) as bar:
        for number, emit in enumerate(EMITS):
            settings = Settings(source=str(clip), emit=Emit(emit))
            turns = []
            for turn in range(-1, runs):  # one turn to warm up
                vault = folder / f"vault-{emit}-{turn}"
                turns.append(_turn(settings, sealing, vault, sealed_first=turn % 2 == 0))
                bar.update(number * runs + max(turn, 0), emit)
            shots = (vault / LOG).read_bytes().count(b'"event":"sealed"')
            found.append(_sum_up(emit, turns[1:], shots))
    return found


def _turn(
    settings: Settings, sealing: Sealing, vault: Path, *, sealed_first: bool
) -> tuple[Summary, Watched]:
    """Run once with sealing and once without it."""
    if sealed_first:
        sealed = run(settings, sealing, vault)
    with open_source(settings.source) as source:
        plain = watch(source, open_stages(settings), [])
    if not sealed_first:
        sealed = run(settings, sealing, vault)
    for done in (sealed, plain):
        if done.failure:
            raise done.failure
    return sealed, plain


def _sum_up(emit: str, turns: list[tuple[Summary, Watched]], shots: int) -> Throughput:
    return Throughput(
        emit=emit,
        frames=turns[0][0].frames,
        shots=shots,
        sealed_fps=spread(sealed.fps for sealed, _ in turns),
        plain_fps=spread(plain.fps for _, plain in turns),
        ratio=spread(sealed.fps / plain.fps for sealed, plain in turns),
        seal_ms=spread(sealed.stages_ms["seal"] * sealed.frames / shots for sealed, _ in turns),
    )
