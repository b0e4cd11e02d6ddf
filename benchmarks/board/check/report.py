"""What a run of `sealshot board check` found."""

from __future__ import annotations

from dataclasses import dataclass

from sealshot.benchmarks.board.check.steps import Outcome
from sealshot.benchmarks.conditions.environment import Environment

NOT_RUN, INTERRUPTED = "not run", "interrupted"


@dataclass(frozen=True)
class Step:
    """A step, done or not."""

    name: str
    seconds: float
    outcome: Outcome


@dataclass(frozen=True)
class Report:
    """All that one run found so far."""

    kind: str
    board: str
    title: str
    verdict: str
    steps: tuple[Step, ...]
    command: str
    environment: Environment
