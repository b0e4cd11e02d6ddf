"""What tests of the commands share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from court import World

from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def court(parties, shot, origin, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("court")
    vault = folder / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        now = replace(shot, utc=format_time(utc_now()))
        names = [keeper.put(now, origin, "jpg") for _ in range(4)]
    policy, warrant = ["--policy", str(parties.policy)], str(folder / "w.json")
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "2026-117", "--camera", str(parties.camera_pub), *policy]
    new += ["--from", format_time(utc_now() - HOUR), "--to", format_time(utc_now() + HOUR)]
    assert main([*new, "--investigator", recipient, "-o", warrant]) == 0
    for name in ("judge", "police"):
        sign = ["warrant", "sign", warrant, *policy, "--key", str(parties.key(name))]
        assert main(sign) == 0
    under = ("--warrant", warrant, *policy)

    def answers(name: str, *shots: Path) -> list[str]:
        """Have the quorum and the custodian answer for shots."""
        request, found = str(folder / f"{name}.zip"), []
        assert main(["open", *map(str, shots), *under, "--request", request]) == 0
        for role, key in (
            ("authority", ["--key", str(parties.key("judge"))]),
            ("authority", ["--key", str(parties.key("police"))]),
            ("custodian", ["--keys", str(parties.custodian)]),
        ):
            file = str(folder / f"{name}-{len(found)}.answer")
            assert main([role, "answer", request, *under, *key, "--again", "-o", file]) == 0
            found += ["--answer", file]
        return found

    return World(
        folder,
        vault,
        tuple(vault / name for name in names),
        parties.policy,
        parties.camera_pub,
        under,
        answers,
        str(parties.investigator),
    )
