"""What a run keeps, deletes and says: retention, quota, holds, uploads, healing, full disks."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import RawIOBase
from pathlib import Path

import pytest

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.vault import caretaker as keep
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG, Record
from sealshot.runtime.vault.store import Vault, VaultObject, list_objects
from sealshot.runtime.vault.targets import UploadError
from sealshot.runtime.vault.upload import SPOOL, Delivery, waiting

D, H = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


class Sink:
    """A server in memory; of what it gets, the shots."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.is_down = False

    def deliver(self, name: str, data: bytes) -> None:
        if self.is_down:
            raise UploadError("it is down")
        if not name.startswith("checkpoints/"):
            self.stored[name] = data


@pytest.fixture(autouse=True)
def each_tick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "TICK_EVERY_S", 0.0)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def sealing(identity) -> Sealing:
    return Sealing(recipients=(identity.recipient,))


def fill(vault: Path, *epochs: str, size: int = 100) -> list[str]:
    """Put an object into each epoch, each a second older than the next."""
    ids = []
    with Vault(vault) as store:
        for number, epoch in enumerate(epochs):
            name = f"{epoch}/{secrets.token_hex(16)}.age"
            ids.append(store.store(secrets.token_bytes(size), name=name))
            os.utime(vault / name, (1_700_000_000 + number,) * 2)
    return ids


def there(vault: Path) -> set[str]:
    return {found.id for found in list_objects(vault)}


def logged(vault: Path, parties) -> dict[str, str]:
    """What the verified log has as purged, with the reasons; a log that was altered fails."""
    return read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")]).purged


# epoch, retention, time, gone?
TIMES = [
    ("2026-03-10", 30 * D, "2026-04-09T23:59:59Z", False),
    ("2026-03-10", 30 * D, "2026-04-10T00:00:00Z", True),
    ("2026-03-10", 30 * D, "2027-01-01T00:00:00Z", True),
    ("2026-03-10", 12 * H, "2026-03-11T11:59:59Z", False),
    ("2026-03-10", 12 * H, "2026-03-11T12:00:00Z", True),
    ("2026-03-10T09", 1 * H, "2026-03-10T10:59:59Z", False),
    ("2026-03-10T09", 1 * H, "2026-03-10T11:00:00Z", True),
    ("2026-02-28", 1 * D, "2026-03-01T23:59:59Z", False),
    ("2028-02-29", 1 * D, "2028-03-02T00:00:00Z", True),
    ("2026-03-12", 1 * D, "2026-03-10T00:00:00Z", False),  # to come: a wrong clock sealed it
]


@pytest.mark.parametrize(("epoch", "retention", "now", "is_gone"), TIMES)
def test_retention_is_counted_from_the_end_of_the_epoch(
    vault: Path,
    sealing: Sealing,
    reports: list[str],
    epoch: str,
    retention: timedelta,
    now: str,
    is_gone: bool,
    steady_clock,
) -> None:
    [name] = fill(vault, epoch)
    (vault / epoch / "mine.txt").write_text("not ours")
    clock = steady_clock(datetime.strptime(now, "%Y-%m-%dT%H:%M:%S%z"))
    Keeper(vault, replace(sealing, retention=retention), clock).close()
    assert (name not in there(vault)) == is_gone
    assert (vault / epoch / "mine.txt").exists()
    assert [report for report in reports if "to come" in report] == (
        [reports[0]] if epoch == "2026-03-12" else []
    )


def test_nothing_is_forgotten_without_a_retention_time(
    vault: Path, sealing, reports, steady_clock
) -> None:
    names = fill(vault, "2001-01-01", "2026-03-10")
    Keeper(vault, sealing, steady_clock(START)).close()
    assert there(vault) == set(names)


@pytest.mark.parametrize("jump", [400 * D, 2 * H, -2 * H, -400 * D])
def test_a_clock_that_jumps_deletes_nothing_early_and_is_told(
    vault: Path, sealing: Sealing, reports: list[str], jump: timedelta, steady_clock
) -> None:
    sealing = replace(sealing, retention=30 * D)
    days = [f"{START - days * D:%Y-%m-%d}" for days in range(0, 31)]
    names = dict(zip(days, fill(vault, *days), strict=True))
    clock = steady_clock(START)
    with Keeper(vault, sealing, clock) as keeper:
        clock.offset = jump
        for _ in range(3):
            clock.true += H
            keeper.tick()
        assert there(vault) == set(names.values())
        assert len(reports) == 1
        assert "--clock-is-right" in reports[0]
        clock.true += D  # the oldest is over now, by the time that really passed
        keeper.tick()
        assert there(vault) == set(names.values()) - {names[days[-1]]}
        clock.offset = timedelta()
        keeper.tick()
        assert len(reports) == 1
        clock.offset = jump
        keeper.tick()
        assert len(reports) == 2  # it is told again when it comes again
    with Keeper(vault, replace(sealing, clock_is_right=True), clock):
        assert there(vault) == {
            name
            for day, name in list(names.items())[:-1]
            if datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc) + 31 * D
            > clock.wall()
        }


def test_what_goes_is_logged_with_its_reason(
    vault: Path, parties, shot, origin, reports: list[str], steady_clock
) -> None:
    with Keeper(vault, parties.sealing()) as keeper:
        first = keeper.put(shot, origin)
        better = keeper.put(shot, origin, replaces=first)
        other = keeper.put(shot, origin)
    assert logged(vault, parties) == {first: "a better shot of the person"}
    short = replace(parties.sealing(), retention=1 * D, clock_is_right=True)
    Keeper(vault, short, steady_clock(utc_now() + 3 * D)).close()
    assert there(vault) == set()
    assert logged(vault, parties) == {
        first: "a better shot of the person",
        better: "retention",
        other: "retention",
    }
    assert not [path for path in vault.iterdir() if path.name.startswith("20")]


class Killed(BaseException):
    """What a SIGKILL would end."""


def _killed(*_: object, **__: object) -> None:
    raise Killed


def test_a_kill_before_deletion_is_finished_by_the_next_run(
    vault: Path, parties, shot, origin, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(vault, parties.sealing())
    first = keeper.put(shot, origin)
    monkeypatch.setattr(Vault, "delete", _killed)
    with pytest.raises(Killed):
        keeper.put(shot, origin, replaces=first)
    monkeypatch.undo()
    keeper.close()
    assert len(there(vault)) == 2
    assert first in logged(vault, parties)
    Keeper(vault, parties.sealing()).close()
    assert len(there(vault)) == 1
    assert first not in there(vault)
    assert reports == []


def test_a_kill_leaves_nothing_that_the_next_run_does_not_heal(
    vault: Path, parties, shot, origin, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored and not logged; half a log line; a `.part`; an empty epoch; a stranger's object."""
    keeper = Keeper(vault, parties.sealing())
    kept = keeper.put(shot, origin)
    monkeypatch.setattr(Record, "_append", _killed)
    with pytest.raises(Killed):
        keeper.put(shot, origin)
    monkeypatch.undo()
    keeper.close()
    [unlogged] = there(vault) - {kept}
    entries = (vault / LOG).read_bytes()
    (vault / LOG).write_bytes(entries + entries.splitlines()[0][:40])
    (vault / f"{kept}.part").write_bytes(b"half")
    (vault / "2026-01-01").mkdir()
    [foreign] = fill(vault, kept[:10])
    stranger = f"{kept[:10]}/{'0' * 32}.sealed"
    (vault / stranger).write_bytes((vault / kept).read_bytes())  # under another name

    Keeper(vault, parties.sealing()).close()
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.sealed.keys() == {kept, unlogged}
    assert there(vault) == {kept, unlogged, foreign, stranger}
    assert [path.name for path in vault.rglob("*.part")] == []
    assert not (vault / "2026-01-01").exists()
    assert reports == [
        "2 objects in the vault were not sealed by this camera: `sealshot vault verify` names them"
    ]


def test_a_quota_is_kept_to_logged_and_told(
    vault: Path, parties, shot, origin, reports: list[str]
) -> None:
    with Keeper(vault, parties.sealing()) as keeper:
        first = keeper.put(shot, origin)
    size = list_objects(vault)[0].bytes
    sealing = replace(parties.sealing(), quota_bytes=int(3.5 * size))
    names = [first]
    with Keeper(vault, sealing) as keeper:
        for _ in range(9):
            names.append(keeper.put(shot, origin))
            os.utime(vault / names[-1])
            assert sum(found.bytes for found in list_objects(vault)) <= sealing.quota_bytes
    assert there(vault) == {first, *names[-2:]}  # the minute of the nine gives, and not that before
    assert logged(vault, parties) == dict.fromkeys(names[1:-2], "quota")
    told = [report for report in reports if "quota" in report]
    assert told == reports
    assert sum(int(report.split(" bytes: ")[1].split()[0]) for report in told) == 7


def test_what_waits_for_its_upload_goes_last_and_is_told(
    vault: Path, sealing: Sealing, shot, origin, reports: list[str], steady_clock
) -> None:
    sink = Sink()
    sink.is_down = True
    delivery = Delivery(sink, first_wait_s=60, longest_wait_s=60)
    old = fill(vault, *["2026-03-09"] * 4, size=20_000)
    sealing = replace(sealing, delivery=delivery, quota_bytes=100_000)
    with Keeper(vault, sealing, steady_clock(START)) as keeper:
        new = [keeper.put(shot, origin) for _ in range(2)]
        size = next(found.bytes for found in list_objects(vault) if found.id == new[0])
        while set(old) & there(vault):
            new.append(keeper.put(shot, origin))
        assert set(new) == there(vault)
        assert not [report for report in reports if "not uploaded" in report and "quota" in report]
        while new[0] in there(vault):
            new.append(keeper.put(shot, origin))
    assert size * len(there(vault)) <= 100_000
    assert "1 of them not uploaded" in "".join(reports)


def test_deletion_after_upload_is_a_choice_and_survives_a_kill(
    vault: Path, parties, shot, origin, reports: list[str]
) -> None:
    sink = Sink()
    delivery = Delivery(sink, delete=True)
    with Keeper(vault, replace(parties.sealing(), delivery=delivery)) as keeper:
        names = {keeper.put(shot, origin) for _ in range(3)}
    assert there(vault) == set()
    assert sink.stored.keys() == names
    assert logged(vault, parties) == dict.fromkeys(names, "uploaded")
    assert '"event":"uploaded"' in (vault / LOG).read_text()

    delivery = Delivery(sink, delete=True)
    keeper = Keeper(vault, replace(parties.sealing(), delivery=delivery))
    name = keeper.put(shot, origin)
    wait_for(lambda: keeper.standing().sent == 1)
    keeper.close()  # killed: acknowledged, and neither logged nor deleted
    assert there(vault) == {name}
    with Keeper(vault, replace(parties.sealing(), delivery=Delivery(sink, delete=True))):
        assert there(vault) == set()
    assert logged(vault, parties)[name] == "uploaded"
    assert len(sink.stored) == 4
    assert reports == []


def test_shots_that_are_over_before_they_were_uploaded_are_told(
    vault: Path, sealing: Sealing, shot, origin, reports: list[str], steady_clock
) -> None:
    sink = Sink()
    sink.is_down = True
    clock = steady_clock(START)
    sealing = replace(sealing, retention=1 * D, delivery=Delivery(sink, first_wait_s=60))
    with Keeper(vault, sealing, clock) as keeper:
        keeper.put(shot, origin)
        clock.true += 3 * D
        keeper.tick()
        assert there(vault) == set()
        assert any("1 shots were deleted on time that no server had taken" in r for r in reports)


def test_what_is_over_when_a_run_begins_is_told_and_not_sent(
    vault: Path,
    sealing: Sealing,
    reports: list[str],
    steady_clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(path: Path) -> list[VaultObject]:
        time.sleep(0.2)  # there would be time to send it
        return list_objects(path)

    monkeypatch.setattr(keep, "list_objects", slow)
    sink = Sink()
    over, later = fill(vault, "2026-03-08", "2026-03-09")
    (vault / SPOOL).mkdir()
    for name in (over, later):
        (vault / SPOOL / name.replace("/", "_")).touch()
    sealing = replace(sealing, retention=1 * D, delivery=Delivery(sink))
    with Keeper(vault, sealing, steady_clock(START)):
        pass
    assert sink.stored.keys() == there(vault) == {later}
    assert waiting(vault) == []
    assert reports == ["1 shots were deleted on time that no server had taken"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _takes(file: RawIOBase) -> bool:
    try:
        return bool(file.write(bytes(512)))
    except OSError:
        return False


def test_a_full_disk_frees_itself_of_what_is_over(
    small_disk: Path, parties, shot, origin, reports: list[str], steady_clock
) -> None:
    """The log has no room to say what goes until something is gone."""
    vault = small_disk / "vault"
    clock = steady_clock(utc_now())
    with Keeper(vault, parties.sealing(), clock) as keeper:
        kept = [keeper.put(shot, origin) for _ in range(2)]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while _takes(file):
            pass
    short = replace(parties.sealing(), retention=1 * D)
    clock.true += 3 * D
    with Keeper(vault, short, clock) as keeper:
        assert there(vault) == set()
        new = keeper.put(shot, origin)
    assert logged(vault, parties) == dict.fromkeys(kept, "retention")
    assert there(vault) == {new}


def test_a_shot_that_finds_no_room_leaves_vault_and_log_in_step(
    small_disk: Path, parties, shot, origin, reports: list[str]
) -> None:
    vault = small_disk / "vault"
    names = []
    with (  # noqa: PT012
        Keeper(vault, parties.sealing()) as keeper,
        pytest.raises(SealshotError, match="No space"),
    ):
        for _ in range(99):
            names.append(keeper.put(shot, origin))
    assert len(names) > 3
    assert set(names) <= there(vault)
    assert list(vault.rglob("*.part")) == []
    assert read_logged(
        vault / LOG, [read_party(parties.camera_pub, "camera")]
    ).sealed.keys() >= set(names)
    assert waiting(vault) == []
    (vault / names[0]).unlink()
    Keeper(vault, parties.sealing()).close()
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.sealed.keys() == there(vault) | {names[0]}
