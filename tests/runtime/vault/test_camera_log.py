"""What a camera's log tells beside its shots: when it watched, and what it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.entries import (
    Alive,
    Entry,
    KeyChanged,
    Purged,
    Sealed,
    Started,
    Stopped,
)
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.times import format_hour, utc_now
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG

H = timedelta(hours=1)


@pytest.fixture(autouse=True)
def each_tick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)


def entries(vault: Path) -> list[Entry]:
    return list(entries_of(lines_in(vault / LOG)))


def test_nobody_came_is_not_switched_off(
    tmp_path: Path, parties, shot, origin, steady_clock
) -> None:
    """It starts, an hour passes in which nobody comes, it stops; the next one is killed."""
    vault, clock = tmp_path / "vault", steady_clock(utc_now().replace(minute=10))
    with Keeper(vault, parties.sealing(), clock) as keeper:
        keeper.tick()
        clock.true += H
        keeper.tick()
        keeper.tick()
        keeper.put(shot, origin)
    Keeper(vault, parties.sealing(), clock).close()
    found = entries(vault)
    assert isinstance(found.pop(0), KeyChanged)
    assert [type(entry) for entry in found] == [Started, Alive, Sealed, Stopped, Started]
    assert isinstance(found[0], Started)
    assert found[0].policy == parties.sealing().camera.policy.digest
    assert found[1].time == format_hour(clock.true)


def test_a_better_shot_names_the_one_it_gave_way_to(tmp_path: Path, parties, shot, origin) -> None:
    with Keeper(tmp_path / "vault", parties.sealing()) as keeper:
        first = keeper.put(shot, origin)
        better = keeper.put(shot, origin, replaces=first)
    [purged] = [entry for entry in entries(tmp_path / "vault") if isinstance(entry, Purged)]
    assert (purged.id, purged.successor) == (first, better)


def test_a_clock_that_goes_back_writes_no_earlier_hour(
    tmp_path: Path, parties, shot, origin, steady_clock
) -> None:
    vault, now = tmp_path / "vault", utc_now()
    with Keeper(vault, parties.sealing(), steady_clock(now + 2 * H)) as keeper:
        keeper.put(shot, origin)
    (vault / ".clock").unlink()  # whoever has the machine
    with Keeper(vault, parties.sealing(), steady_clock(now)) as keeper:
        keeper.put(shot, origin)
    assert {entry.time for entry in entries(vault)} == {format_hour(now + 2 * H)}


@pytest.mark.parametrize(
    "rules", [{"quota_bytes": 1000}, {"retention": 24 * H}], ids=["quota", "retention"]
)
def test_a_run_to_recipients_deletes_nothing_of_a_camera_that_logs(
    tmp_path: Path, parties, shot, origin, identity, rules
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        kept = keeper.put(shot, origin)
    alone = Sealing(recipients=(identity.recipient,))
    with pytest.raises(InputError, match="has the log of a camera"):
        Keeper(vault, replace(alone, **rules))
    with Keeper(vault, alone) as keeper:
        keeper.put(shot, origin)
    assert (vault / kept).exists()
