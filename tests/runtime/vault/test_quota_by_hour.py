"""A burst pushes out itself: the evidence of other hours stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sealshot.runtime.seal.originals import Originals, Piece
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.quota import Quota
from sealshot.runtime.vault.store import VaultObject, list_objects

NOON, H = datetime(2026, 11, 21, 12, 20, tzinfo=timezone.utc), timedelta(hours=1)


def an_object(number: int, hours_ago: int, size: int = 10) -> VaultObject:
    return VaultObject(str(number), Path(), size, NOON - hours_ago * H)


def nothing(_: str) -> bool:
    return False


def test_two_hundred_made_up_people_in_a_moment_take_no_shot_of_the_days_before() -> None:
    quota = Quota(300)
    evidence = [an_object(number, hours_ago=20 - number) for number in range(10)]
    quota.load(evidence)
    for number in range(100, 324):
        gone = quota.over(10, None, nothing)
        quota.remove(gone)
        quota.add(str(number), 10, NOON)
        assert not {found.id for found in evidence} & set(gone)
    assert quota.over(10, None, nothing) == ["304"]  # the oldest of the burst


def test_hours_that_are_full_alike_go_oldest_first() -> None:
    quota = Quota(100)
    quota.load([an_object(number, hours_ago=9 - number) for number in range(10)])
    assert quota.over(30, None, nothing) == ["0", "1", "2"]


def test_the_fullest_hour_gives_until_it_is_like_the_others() -> None:
    quota = Quota(100)
    night = [an_object(number, hours_ago=5) for number in range(2)]
    day = [an_object(10 + number, hours_ago=1) for number in range(8)]
    quota.load([*night, *day])
    assert quota.over(60, None, nothing) == ["10", "11", "12", "13", "14", "15"]
    assert quota.over(80, None, nothing) == ["10", "11", "12", "13", "14", "15", "0", "16"]


def test_the_order_within_an_hour_is_kept_where_files_tell_the_hour_alone() -> None:
    quota = Quota(30)
    quota.load([])
    for name in ("c", "a", "b"):
        quota.add(name, 10, NOON)
    hour = NOON.replace(minute=0)
    quota.load(VaultObject(name, Path(), 10, hour) for name in ("a", "b", "c"))
    assert quota.over(10, None, nothing) == ["c"]


def test_a_burst_takes_no_shot_of_the_minutes_before() -> None:
    quota, minute = Quota(300), timedelta(minutes=1)
    quota.load([an_object(number, hours_ago=0) for number in range(5)])  # of an earlier run
    before = {str(number) for number in range(10)}
    for number in range(5, 10):
        quota.add(str(number), 10, NOON + number * minute)
    for number in range(100, 324):
        gone = quota.over(10, None, nothing)
        assert not before & set(gone)
        quota.remove(gone)
        quota.add(str(number), 10, NOON + 10 * minute + number * timedelta(milliseconds=54))
        quota.load([an_object(int(one), hours_ago=0) for one in quota._sizes])  # each ten minutes
    assert quota.over(10, None, nothing) == ["304"]
    quota.add("late", 10, NOON + 15 * minute)
    assert quota.over(10, None, nothing) == ["304", "305"]  # who comes after it stays, too


def test_what_a_public_stream_covered_goes_before_any_shot(
    tmp_path: Path, parties, shot, origin
) -> None:
    vault, pieces = tmp_path / "vault", (Piece(4, 0.2, (1, 1, 3, 2), "fc", "ab" * 32, 50_000),)
    part = Originals("5f" * 16, 2, (3,), 160, 128, "yuv420p", pieces, bytes(50_000))
    with Keeper(vault, parties.sealing()) as keeper:
        shots = [keeper.put(shot, origin)]
        covered = [
            keeper.put_originals(replace(part, part=number), origin, utc_now())
            for number in range(3)
        ]
        shots.append(keeper.put(shot, origin))
    sizes = {found.id: found.bytes for found in list_objects(vault)}
    room = sum(sizes.values()) + sizes[shots[0]] // 2  # one more shot does not fit
    with Keeper(vault, replace(parties.sealing(), quota_bytes=room)) as keeper:
        shots.append(keeper.put(shot, origin))
        left = {found.id for found in list_objects(vault)} - set(shots)
        assert len(left & set(covered)) == 2
        newest = keeper.put_originals(replace(part, part=3), origin, utc_now())
    left = {found.id for found in list_objects(vault)}
    assert set(shots) < left
    assert left - set(shots) - set(covered) == {newest}
    assert len(left) == len(shots) + 2
