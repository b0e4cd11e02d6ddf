"""What a vault shows from outside: how full it is, what waits, for how long there are keys."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.service.look import look_at
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.upload import SPOOL, Delivery, Uploads


class Nowhere:
    """A server that takes nothing."""

    def deliver(self, name: str, data: bytes) -> None:
        raise SealshotError("it takes nothing")


@pytest.fixture
def vault(tmp_path):
    return tmp_path / "vault"


def test_a_vault_shows_what_is_in_it_and_for_how_long_there_are_keys(
    vault, parties, shot, origin
) -> None:
    sealing = replace(parties.sealing(), quota_bytes=10**6)
    with Keeper(vault, sealing) as keeper:
        keeper.put(shot, origin)
    seen = look_at(vault, sealing)
    assert (seen.objects, seen.quota_bytes, seen.waiting, seen.clock) == (1, 10**6, 0, "")
    assert seen.bytes > 1000
    assert seen.free_bytes > 0
    assert seen.checkpoint is not None
    assert seen.keys_days is not None
    assert 0 < seen.keys_days <= 8


def test_keys_that_end_are_seen_to_end(vault, fresh_parties) -> None:
    public = fresh_parties.policy.parent / "epochs"
    _, *later = sorted(public.glob("*.json"))
    assert later
    for key in later:
        key.unlink()
    sealing = fresh_parties.sealing()
    Keeper(vault, sealing).close()
    days = look_at(vault, sealing).keys_days
    assert days is not None
    assert 0 < days <= 1


def test_a_shot_that_waits_is_told_with_its_age(vault, parties, shot, origin, monkeypatch) -> None:
    monkeypatch.setattr(Uploads, "drain", lambda _: 0)  # it waits for half a minute
    sealing = replace(parties.sealing(), delivery=Delivery(Nowhere(), first_wait_s=60.0))
    with Keeper(vault, sealing) as keeper:
        keeper.put(shot, origin)
        [mark] = (vault / SPOOL).iterdir()
        past = mark.stat().st_mtime - timedelta(hours=5).total_seconds()
        os.utime(mark, (past, past))
        seen = look_at(vault, sealing)
    assert seen.waiting == 1
    assert seen.oldest_waiting_s == pytest.approx(5 * 3600, abs=60)
