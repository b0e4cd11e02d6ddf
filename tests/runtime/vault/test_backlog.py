"""A full disk under a camera: sealed shots wait in memory for room, up to 64 MB."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from full_disk import fill, kept_by_log

from sealshot.runtime.errors import VaultError
from sealshot.runtime.seal import log as log_module
from sealshot.runtime.seal.entries import Alive, Sealed
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.payload import Origin, Times
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.types import Shot
from sealshot.runtime.vault import backlog as module
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault import keeper as keeping
from sealshot.runtime.vault.backlog import Backlog, Stored
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.sealer import SealedShot
from sealshot.runtime.vault.store import list_objects


class Disk:
    """Stores names until it is full."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.error: int | None = None

    def store(self, shot: Stored) -> None:
        if self.error:
            raise VaultError("cannot write", "free some space") from OSError(self.error, "why")
        self.stored.append(shot.sealed.name)


@pytest.fixture(autouse=True)
def each_look_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY_S", 0.0)
    monkeypatch.setattr(keeping, "BEGIN_EVERY_S", 0.0)
    monkeypatch.setattr(keeping, "ROOM_S", 0.0)


def a_shot(name: str, replaces: str | None = None, size: int = 100) -> Stored:
    times = Times(utc_now(), utc_now(), "system")
    return Stored(SealedShot(name, bytes(size)), times, replaces, 0.0)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_shots_wait_in_their_order_and_are_stored_when_there_is_room(number: int) -> None:
    disk = Disk()
    backlog = Backlog(disk.store)
    backlog.put(a_shot("a"))
    disk.error = number
    for name in "bcd":
        backlog.put(a_shot(name))
    assert (disk.stored, len(backlog)) == (["a"], 3)
    assert backlog.failure is not None
    disk.error = None
    backlog.put(a_shot("e"))
    assert (disk.stored, len(backlog), backlog.failure) == (list("abcde"), 0, None)


def test_a_better_shot_takes_the_place_of_one_that_waits() -> None:
    disk = Disk()
    backlog = Backlog(disk.store)
    disk.error = errno.ENOSPC
    for name, replaces in (("first", None), ("lesser", "old"), ("better", "lesser")):
        backlog.put(a_shot(name, replaces))
    backlog.put(a_shot("best of the first", "first"))
    disk.error = None
    backlog.retry()
    assert disk.stored == ["first", "better", "best of the first"]


def test_a_better_shot_that_finds_no_room_leaves_the_lesser_one() -> None:
    disk = Disk()
    backlog = Backlog(disk.store, limit_bytes=250)
    disk.error = errno.ENOSPC
    for shot in (a_shot("first"), a_shot("lesser", "old"), a_shot("better", "lesser", size=200)):
        backlog.put(shot)
    assert backlog.lost == {"better"}
    disk.error = None
    backlog.retry()
    assert disk.stored == ["first", "lesser"]


def test_what_a_lost_shot_was_to_replace_goes_for_the_next_one() -> None:
    disk, replaced = Disk(), []

    def store(shot: Stored) -> None:
        disk.store(shot)
        replaced.append(shot.replaces)

    backlog = Backlog(store, limit_bytes=250)
    backlog.put(a_shot("old"))
    disk.error = errno.ENOSPC
    for shot in (a_shot("a"), a_shot("b"), a_shot("lost", "old"), a_shot("lost too", "lost")):
        backlog.put(shot)
    disk.error = None
    backlog.put(a_shot("best", "lost too"))
    assert disk.stored == ["old", "a", "b", "best"]
    assert replaced == [None, None, None, "old"]


def test_a_disk_that_is_broken_is_no_full_one() -> None:
    disk = Disk()
    backlog = Backlog(disk.store)
    disk.error = errno.EIO
    with pytest.raises(VaultError):
        backlog.put(a_shot("a"))
    assert len(backlog) == 0


def test_what_waits_is_bounded_and_the_oldest_stay() -> None:
    disk = Disk()
    backlog = Backlog(disk.store, limit_bytes=250)
    disk.error = errno.ENOSPC
    for name in "abc":
        backlog.put(a_shot(name))
    assert backlog.lost == {"c"}
    disk.error = None
    backlog.retry()
    assert disk.stored == ["a", "b"]


def test_a_full_disk_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY_S", 3600.0)
    disk = Disk()
    backlog = Backlog(disk.store)
    disk.error = errno.ENOSPC
    backlog.put(a_shot("a"))
    disk.error = None
    backlog.retry()
    assert len(backlog) == 1
    backlog.retry(at_once=True)
    assert disk.stored == ["a"]


def test_people_who_come_while_the_disk_is_full_are_in_the_vault_once_it_has_room(
    small_disk: Path, parties, shot: Shot, origin: Origin, reports: list[str]
) -> None:
    vault = small_disk / "vault"
    with Keeper(vault, parties.sealing(), waits=True) as keeper:
        first = keeper.put(shot, origin)
        free = fill(small_disk)
        others = [keeper.put(shot, origin) for _ in range(3)]
        better = keeper.put(shot, origin, replaces=first)
        keeper.tick()
        assert {found.id for found in list_objects(vault)} == {first}
        assert "No space left on device" in keeper.problem()
        assert "wait in memory: 4" in keeper.problem()
        free()
        keeper.tick()
        assert keeper.problem() == ""
        assert keeper.settle() == frozenset()
    assert {found.id for found in list_objects(vault)} == {*others, better}
    assert kept_by_log(vault, parties) == {*others, better}
    assert len([report for report in reports if "No space left" in report]) == 1


def test_what_finds_no_room_to_the_end_is_lost_and_named(
    small_disk: Path, parties, shot: Shot, origin: Origin, reports: list[str]
) -> None:
    vault = small_disk / "vault"
    with Keeper(vault, parties.sealing(), waits=True) as keeper:
        kept = keeper.put(shot, origin)
        free = fill(small_disk)
        lost = keeper.put(shot, origin)
        assert keeper.settle() == {lost}
    free()
    assert {found.id for found in list_objects(vault)} == {kept}
    with Keeper(vault, parties.sealing()):
        pass
    assert kept_by_log(vault, parties) == {kept}


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("failing", ["write", "sign"])
def test_the_log_says_once_what_it_had_no_room_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parties,
    shot: Shot,
    origin: Origin,
    failing: str,
) -> None:
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing(), waits=True) as keeper:
        first = keeper.put(shot, origin)
        with monkeypatch.context() as patched:
            if failing == "sign":
                patched.setattr(log_module, "write_atomic", full)
            else:
                patched.setattr(log_module.Log, "_write", full)
            better = keeper.put(replace(shot, score=shot.score + 1), origin, replaces=first)
            assert keeper.problem()
        keeper.tick()
        assert keeper.problem() == ""
    lines = (vault / LOG).read_text().splitlines()
    assert sum(f'"sealed","id":"{better}"' in line for line in lines) == 1
    assert kept_by_log(vault, parties) == {better}


@pytest.fixture
def each_tick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)


@pytest.mark.parametrize("hours", [1, 24])
def test_the_log_says_once_what_could_not_be_signed_for_hours(
    hours: int, copied_parties, steady_clock, tmp_path, monkeypatch, shot, origin, each_tick_looks
) -> None:
    vault, clock = tmp_path / "vault", steady_clock(utc_now())
    with Keeper(vault, copied_parties.sealing(), clock, waits=True) as keeper:
        first = keeper.put(shot, origin)
        with monkeypatch.context() as patched:
            patched.setattr(log_module, "write_atomic", full)
            others = [keeper.put(shot, origin) for _ in range(2)]
            for _ in range(3):
                clock.true += timedelta(hours=hours)
                keeper.tick()
        keeper.tick()
        assert keeper.problem() == ""
    entries = list(entries_of(lines_in(vault / LOG)))
    assert [e.id for e in entries if isinstance(e, Sealed)] == [first, *others]
    assert len([e for e in entries if isinstance(e, Alive)]) == 3
    assert kept_by_log(vault, copied_parties) == {first, *others}


def test_what_went_before_there_was_room_to_log_it_is_logged_then(
    copied_parties, steady_clock, tmp_path, monkeypatch, shot, origin, each_tick_looks
) -> None:
    vault, clock = tmp_path / "vault", steady_clock(utc_now())
    sealing = replace(copied_parties.sealing(), retention=timedelta(days=30))
    with Keeper(vault, sealing, clock, waits=True) as keeper:
        keeper.put(shot, origin)
        clock.true += timedelta(days=32)
        with monkeypatch.context() as patched:
            patched.setattr(log_module.Log, "_write", full)
            keeper.tick()
            assert list_objects(vault) == []
            clock.true += timedelta(days=1)
            keeper.tick()
        keeper.tick()
    assert kept_by_log(vault, copied_parties) == set()


def test_a_quota_does_not_take_the_part_of_a_shot_that_found_no_room(
    copied_parties, tmp_path, monkeypatch, shot, origin, each_tick_looks
) -> None:
    vault, sealing = tmp_path / "vault", replace(copied_parties.sealing(), quota_bytes=30_000)
    with Keeper(vault, sealing, waits=True) as keeper:
        with monkeypatch.context() as patched:
            patched.setattr(log_module.Log, "_write", full)
            kept = keeper.put(shot, origin)
            keeper.tick()
        keeper.tick()
        assert keeper.problem() == ""
    assert {found.id for found in list_objects(vault)} == {kept}
    assert kept_by_log(vault, copied_parties) == {kept}
