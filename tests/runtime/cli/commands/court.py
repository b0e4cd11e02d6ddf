"""Four shots and a warrant for them, as `conftest.py` makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.cli.main import main


@dataclass(frozen=True)
class World:
    """Four logged shots, and a warrant that a quorum signed."""

    folder: Path
    vault: Path
    shots: tuple[Path, ...]
    policy: Path
    camera: Path
    under: tuple[str, ...]
    answers: Callable[..., list[str]]
    identity: str

    def export(self, output: Path, *shots: Path, answers: list[str], options: tuple = ()) -> int:
        ask = ["evidence", "export", *map(str, shots), *self.under, "--identity", self.identity]
        return main([*ask, *answers, *options, "-o", str(output)])
