"""Parties that give commands; four shots and a warrant for them, as `conftest.py` makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Commands:
    """What parties do, in a folder of a test's own."""

    parties: object
    folder: Path

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    @property
    def policy(self) -> list[object]:
        return ["--policy", self.parties.policy]

    def run(self, *arguments: object) -> int:
        return main([str(argument) for argument in arguments])

    def put(self, shot: object, origin: object) -> None:
        """Seal a shot of now."""
        with Keeper(self.vault, self.parties.sealing()) as keeper:
            keeper.put(replace(shot, utc=format_time(utc_now())), origin)

    def warrant(self, name: str, *signers: str, until: timedelta | None = None) -> Path:
        """Write a warrant for what was sealed in this hour: to open it, or to hold it."""
        out = self.folder / name
        recipient = self.parties.investigator.read_text().partition("public key: ")[2].split()[0]
        new = ["warrant", "new", "--case", "7", "--camera", self.parties.camera_pub, *self.policy]
        new += ["--from", format_time(utc_now() - HOUR), "--to", format_time(utc_now() + HOUR)]
        new += ["--purpose", "hold", "--until", format_time(utc_now() + until)] if until else []
        assert self.run(*new, "--investigator", recipient, "-o", out) == 0
        for signer in signers:
            key = ["--key", self.parties.key(signer)]
            assert self.run("warrant", "sign", out, *self.policy, *key) == 0
        return out


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
