"""A camera whose key turns with the days: by which clock, and what kills and full disks leave."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.day_keys import DAYS, KEY, DayKeys, enrol
from sealshot.runtime.seal.entries import KeyChanged
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.vault import caretaker, key_turns
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG

D = timedelta(days=1)


@dataclass
class Camera:
    """A camera, its vault and its clock."""

    parties: Any
    vault: Path
    clock: Any

    def keeper(self) -> Keeper:
        return Keeper(self.vault, self.parties.sealing(), self.clock)

    @property
    def file(self) -> Path:
        return self.parties.camera_policy.with_name(KEY)

    @property
    def keys(self) -> DayKeys:
        return DayKeys(self.file.parent)

    @property
    def secrets(self) -> list[str]:
        """The seeds that are in the file."""
        lines = self.file.read_text().splitlines()
        return [line for line in lines if line.startswith("SEALSHOT-DAY-KEY-1")]

    def day(self, ahead: int = 0) -> str:
        return f"{self.clock.true + ahead * D:%Y-%m-%d}"

    def changes(self) -> list[str]:
        entries = entries_of(lines_in(self.vault / LOG))
        return [entry.day for entry in entries if isinstance(entry, KeyChanged)]

    def is_verified(self) -> bool:
        verify = ["vault", "verify", str(self.vault), "--policy", str(self.parties.camera_policy)]
        return main(verify) == 0


@pytest.fixture(autouse=True)
def each_tick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)


@pytest.fixture
def camera(copied_parties, tmp_path: Path, steady_clock) -> Camera:
    return Camera(copied_parties, tmp_path / "vault", steady_clock(utc_now()))


def signed_on(camera: Camera, name: str) -> str:
    return read_container((camera.vault / name).read_bytes()).signed_on


def test_a_day_that_is_over_takes_its_key_with_it(camera, shot, origin) -> None:
    first, [seed] = camera.day(), camera.secrets
    with camera.keeper() as keeper:
        before = keeper.put(shot, origin)
        camera.clock.true += D
        keeper.tick()
        after = keeper.put(shot, origin)
        assert [signed_on(camera, one) for one in (before, after)] == [first, camera.day()]
        [new] = camera.secrets
        assert new != seed
        camera.clock.true += 20 * D  # nobody looked for so long
        keeper.tick()
    assert camera.changes() == [first, camera.day(-20), camera.day()]
    assert camera.keys.day == camera.day()
    assert camera.is_verified()


def test_a_camera_that_was_off_goes_on_with_the_key_of_the_day(camera, shot, origin) -> None:
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
    camera.clock.true += D
    with camera.keeper() as keeper:
        assert signed_on(camera, keeper.put(shot, origin)) == camera.day()
    assert camera.changes() == [camera.day(-1), camera.day()]
    assert camera.is_verified()


def test_the_last_keys_are_told_while_there_is_time_to_enrol_again(camera, reports) -> None:
    with camera.keeper() as keeper:
        keeper.tick()
    assert not [line for line in reports if "last key" in line]
    folder, key = camera.file.parent, SigningKey.generate()
    for file in (DAYS, KEY):
        (folder / file).unlink()
    enrol(folder, key, camera.clock.true, days=10)
    (folder / "short.pub").write_text(Party("camera", "cam1", key.verify_key).encode(key))
    camera.vault = camera.vault.with_name("another")
    with camera.keeper() as keeper:
        keeper.tick()
    [told] = [line for line in reports if "last key" in line]
    assert camera.day(9) in told


def test_a_camera_without_its_certificates_says_what_to_do(camera) -> None:
    camera.file.with_name(DAYS).unlink()
    with pytest.raises(SealError, match="cannot read the certificates") as told:
        camera.keeper()
    assert "camera enrol DIR --again" in told.value.hint


def test_a_clock_that_jumps_ahead_burns_no_key(camera, shot, origin) -> None:
    first = camera.day()
    with camera.keeper() as keeper:
        camera.clock.offset = 400 * D
        keeper.tick()
        assert signed_on(camera, keeper.put(shot, origin)) == first
    camera.clock.offset = 6 * D  # and a restart, by which it may have been off for so long
    camera.clock.booted = camera.clock.true
    camera.clock.boot_id = lambda: "another"
    with camera.keeper() as keeper:
        name = keeper.put(shot, origin)
        assert signed_on(camera, name) == first
        assert read_container((camera.vault / name).read_bytes()).header.hour[:10] == camera.day(6)
    assert camera.keys.day == first
    assert camera.is_verified()


def test_a_clock_that_is_set_back_over_midnight_is_believed_and_nothing_is_refused(
    camera, shot, origin
) -> None:
    midnight = (camera.clock.true + D).replace(hour=0, minute=0, second=1, microsecond=0)
    camera.clock.true = midnight
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
        camera.clock.offset = -timedelta(minutes=30)
        keeper.tick()
        name = keeper.put(shot, origin)
    header = read_container((camera.vault / name).read_bytes()).header
    assert header.hour == f"{midnight:%Y-%m-%d}T00"
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
    assert camera.is_verified()


def test_a_clock_before_the_key_is_refused_and_told(camera, tmp_path, shot, origin) -> None:
    camera.clock.true += 9 * D
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
    camera.clock.true -= 9 * D
    key = camera.file.read_bytes()
    camera.vault = tmp_path / "another vault"
    with pytest.raises(InputError, match="are destroyed: nobody would believe") as caught:
        camera.keeper()
    assert "enrol the camera again" in caught.value.hint
    assert camera.file.read_bytes() == key


def test_another_vault_begins_with_the_key_of_the_day(camera, tmp_path, shot, origin) -> None:
    with camera.keeper() as keeper:
        keeper.put(shot, origin)
        first, camera.vault = camera.vault, tmp_path / "another vault"
        camera.clock.true += D
        with camera.keeper() as other:
            other.put(shot, origin)
        assert camera.is_verified()
        camera.vault = first
        keeper.tick()  # its key is destroyed in the file, and in memory signs the last entry
        keeper.put(shot, origin)
    assert camera.changes() == [camera.day(-1), camera.day()]
    camera.clock.true += D
    camera.vault = tmp_path / "another vault"
    with camera.keeper():
        pass
    camera.vault = first
    with camera.keeper() as keeper:  # its key is nowhere any more: that of today says so alone
        keeper.put(shot, origin)
    assert camera.changes() == [camera.day(-2), camera.day(-1), camera.day()]
    assert camera.is_verified()


def test_a_file_that_cannot_be_written_is_told_and_stops_nobody(
    camera, shot, origin, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if Path(os.fspath(path)).name == KEY and flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(key_turns, "TRY_EVERY_S", 0.0)
    seeds = camera.secrets
    with camera.keeper() as keeper:
        camera.clock.true += D
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refuse)
            for _ in range(3):
                keeper.tick()
                assert signed_on(camera, keeper.put(shot, origin)) == camera.day()
        assert camera.secrets == seeds
        [told] = [line for line in reports if "could not be destroyed" in line]
        assert os.strerror(errno.EROFS) in told
        keeper.tick()
        assert len(camera.secrets) == 1
        assert camera.secrets != seeds
    assert camera.is_verified()


class Killed(BaseException):
    """As a kill: nothing after it is done, and nobody mends anything."""


def killed_at(number: int, patched: pytest.MonkeyPatch) -> Callable[[], int]:
    """Kill at the call of that number that writes, flushes or renames; returns how many came."""
    count = 0

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count >= number:
                raise Killed
            return real(*given, **named)

        patched.setattr(os, name, call)

    for name in ("write", "pwrite", "fsync", "rename", "replace", "ftruncate"):
        counted(name)
    return lambda: count


def test_a_kill_at_each_step_of_a_turn_leaves_one_key_and_no_gap(
    camera, shot, origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = camera.file.read_bytes()
    for number in range(1, 100):
        camera.vault = camera.vault.with_name(f"vault {number}")
        camera.file.write_bytes(kept)
        keeper = camera.keeper()
        keeper.put(shot, origin)
        camera.clock.true += D
        with monkeypatch.context() as patched:
            calls = killed_at(number, patched)
            with suppress(Killed):
                keeper.tick()
        keeper.close()
        assert camera.keys.day in (camera.day(-1), camera.day())
        with camera.keeper() as again:
            assert signed_on(camera, again.put(shot, origin)) == camera.day()
        assert len(camera.secrets) == 1
        assert camera.keys.day == camera.day()
        assert camera.changes() == [camera.day(-1), camera.day()]
        camera.clock.true -= D
        if calls() < number:
            break
    assert number > 8
    assert camera.is_verified()
