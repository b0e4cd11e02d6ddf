"""The clock with a memory: what a jump, a restart and a flat battery do to the time trusted."""

from __future__ import annotations

import errno
import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.vault import clock as clock_module
from sealshot.runtime.vault.clock import LONGEST_OFF, TOLERANCE, SystemClock, TrustedClock

START = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
H, D = timedelta(hours=1), timedelta(days=1)


@dataclass
class FakeClock:
    """A machine whose clock can be set, and which can be switched off."""

    true: datetime = START
    offset: timedelta = timedelta()
    booted: datetime = START - D
    boot: int = 1
    history: list[str] = field(default_factory=list)

    def wall(self) -> datetime:
        return self.true + self.offset

    def since_boot_s(self) -> float:
        return (self.true - self.booted).total_seconds()

    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def run(self, for_: timedelta) -> None:
        self.true += for_

    def jump(self, by: timedelta) -> None:
        self.offset += by

    def restart(self, off: timedelta) -> None:
        self.true += off
        self.booted = self.true
        self.boot += 1
        self.true += timedelta(seconds=30)

    def restart_in_1970(self, off: timedelta) -> None:
        self.restart(off)
        self.offset = -20000 * D


# name: (steps, trusted minus true, a word of the warning or "")
CASES: dict[str, tuple[list[tuple[str, timedelta]], timedelta, str]] = {
    "nothing happens": ([("run", 90 * D)], 0 * H, ""),
    "set by a little": ([("run", H), ("jump", 50 * timedelta(minutes=1))], H * 50 / 60, ""),
    "forward a day": ([("run", H), ("jump", D)], 0 * H, "24 hours ahead"),
    "forward 10 years": ([("run", H), ("jump", 3650 * D)], 0 * H, "ahead"),
    "back a day": ([("run", H), ("jump", -D)], 0 * H, "24 hours behind"),
    "back to 1970": ([("run", H), ("jump", -20000 * D)], 0 * H, "behind"),
    "and forth": ([("run", H), ("jump", D), ("run", H), ("jump", -D), ("run", H)], 0 * H, ""),
    "time goes on while wrong": ([("jump", 400 * D), ("run", 5 * D)], 0 * H, "ahead"),
    "little by little": ([("jump", 40 * timedelta(minutes=1)), ("run", H)] * 3, 0 * H, "ahead"),
    "restart": ([("restart", 10 * timedelta(minutes=1))], 0 * H, ""),
    "off over a weekend": ([("restart", 2.5 * D)], 0 * H, "off for 60 hours"),
    "off for a month": ([("restart", 30 * D)], -30 * D, "720 hours ahead"),
    "off for a month, then on": ([("restart", 30 * D), ("run", 3 * D)], -30 * D, "ahead"),
    "no battery": ([("restart_in_1970", H)], -H, "behind"),
    "no battery, then set": (
        [("restart_in_1970", H), ("run", H), ("jump", 20000 * D)],
        0 * H,
        "",
    ),
    "no battery, set after 3 days off": (
        [("restart_in_1970", 3 * D), ("run", H), ("jump", 20000 * D)],
        0 * H,
        "off for 72 hours",
    ),
    "no battery, set too far ahead": (
        [("restart_in_1970", H), ("run", H), ("jump", 20400 * D)],
        -H,
        "ahead",
    ),
    "restart with a clock a year ahead": ([("jump", 365 * D), ("restart", H)], -H, "ahead"),
    "restart with a clock a year behind": ([("jump", -365 * D), ("restart", H)], -H, "behind"),
    "restart twice while wrong": (
        [("jump", -365 * D), ("restart", H), ("restart", H)],
        -2 * H,
        "behind",
    ),
}


@pytest.mark.parametrize(("steps", "off", "warning"), CASES.values(), ids=CASES.keys())
def test_what_is_trusted(
    tmp_path: Path, steps: list[tuple[str, timedelta]], off: timedelta, warning: str
) -> None:
    clock = FakeClock()
    trusted = TrustedClock(tmp_path / "clock", clock).now()
    assert (trusted.time, trusted.warning) == (START, "")
    for step, by in steps:
        getattr(clock, step)(by)
        clock.true += timedelta(seconds=1)
        trusted = TrustedClock(tmp_path / "clock", clock).now()  # a run that starts anew each time
    assert abs(trusted.time - (clock.true + off)) < timedelta(seconds=70)
    assert warning in trusted.warning
    assert bool(warning) == bool(trusted.warning)


def test_a_clock_that_nobody_has_set_is_not_the_first_that_is_known(tmp_path: Path) -> None:
    clock, state = FakeClock(), tmp_path / "clock"
    clock.offset = -20000 * D
    with pytest.raises(InputError, match=r"the clock says 197\d.*nobody has set it"):
        TrustedClock(state, clock).now()
    assert not state.exists()
    clock.offset = timedelta()
    assert TrustedClock(state, clock).now().time == START


@pytest.mark.parametrize("jump", [400 * D, -400 * D])
@pytest.mark.parametrize("restart", [False, True])
def test_the_word_that_the_clock_is_right_ends_it(
    tmp_path: Path, jump: timedelta, restart: bool
) -> None:
    clock = FakeClock()
    TrustedClock(tmp_path / "clock", clock).now()
    clock.jump(jump)
    if restart:
        clock.restart(H)
    assert TrustedClock(tmp_path / "clock", clock).now().warning
    accepted = TrustedClock(tmp_path / "clock", clock, accept=True).now()
    assert (accepted.time, accepted.warning) == (clock.wall(), "")
    clock.run(D)
    later = TrustedClock(tmp_path / "clock", clock).now()
    assert (later.time, later.warning) == (clock.wall(), "")


def test_peeking_changes_nothing(tmp_path: Path) -> None:
    clock, state = FakeClock(), tmp_path / "clock"
    assert TrustedClock(state, clock).peek().time == START
    assert not state.exists()
    TrustedClock(state, clock).now()
    before = state.read_bytes()
    clock.jump(400 * D)
    assert "ahead" in TrustedClock(state, clock).peek().warning
    assert state.read_bytes() == before


@pytest.mark.parametrize("seed", range(10))
def test_no_run_of_faults_deletes_early_unsaid_or_keeps_late_unsaid(
    tmp_path: Path, seed: int
) -> None:
    """Chance: jumps, restarts, outages, for 40 steps of up to a day each."""
    rng = random.Random(seed)
    clock, state = FakeClock(), tmp_path / "clock"
    believed_at_restart = timedelta()  # what a wrong clock can gain by restarts
    TrustedClock(state, clock).now()
    for _ in range(40):
        step = rng.choice(["run", "run", "jump", "right", "restart"])
        if step == "run":
            clock.run(timedelta(seconds=rng.uniform(0, 86400)))
        elif step == "jump":
            clock.jump(timedelta(seconds=rng.uniform(-1, 1) * 10 ** rng.uniform(0, 9)))
            clock.offset = max(clock.offset, -20000 * D)
        elif step == "right":
            clock.offset = timedelta()
        else:
            clock.restart(timedelta(seconds=10 ** rng.uniform(0, 6.5)))
            believed_at_restart += LONGEST_OFF + TOLERANCE
        trusted = TrustedClock(state, clock).now()
        early = trusted.time - clock.true
        assert early <= TOLERANCE + believed_at_restart
        if not believed_at_restart:  # the machine was never off: nothing can make it early
            assert early <= TOLERANCE
        if not trusted.warning:
            assert abs(trusted.time - clock.wall()) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"time": 3}', '{"time": "2026-11-21T12:00:00Z"}', "\x00" * 50, "[" * 9999],
)
def test_a_damaged_memory_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock").write_text(text)
    with pytest.raises(VaultError, match="damaged") as caught:
        TrustedClock(tmp_path / "clock", FakeClock()).now()
    assert "delete" in caught.value.hint
    assert (tmp_path / "clock").read_text() == text


def test_a_memory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="No such file"):
        TrustedClock(tmp_path / "absent" / "clock", FakeClock()).now()
    (tmp_path / "folder").mkdir()
    with pytest.raises(VaultError, match="Is a directory"):
        TrustedClock(tmp_path / "folder", FakeClock()).now()


def test_many_runs_remember_at_once(tmp_path: Path) -> None:
    """Threads stand for processes: each has a file descriptor, and so a lock, of its own."""
    state, clock = tmp_path / "clock", FakeClock()

    def ask(_: int) -> str:
        return TrustedClock(state, clock).now().warning

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(80))) == {""}
    assert [path.name for path in tmp_path.iterdir()] == ["clock"]


def test_a_machine_that_does_not_name_its_boots(tmp_path: Path) -> None:
    """Without a name of the boot each start counts as one after a restart."""
    clock = FakeClock()
    clock.boot_id = lambda: ""  # type: ignore[method-assign]
    TrustedClock(tmp_path / "clock", clock).now()
    clock.jump(400 * D)
    assert "ahead" in TrustedClock(tmp_path / "clock", clock).now().warning


def test_the_clocks_of_this_machine(tmp_path: Path) -> None:
    system = SystemClock()
    assert system.since_boot_s() > 0
    trusted = TrustedClock(tmp_path / "clock").now()
    assert abs(trusted.time - datetime.now(timezone.utc)) < timedelta(seconds=10)
    assert json.loads((tmp_path / "clock").read_text())["boot_id"] == system.boot_id() != ""


def test_reboots_add_no_more_than_a_week_in_all(tmp_path: Path) -> None:
    """Five reboots, each 6.9 days ahead, emptied a vault of 30 days."""
    clock, state = FakeClock(), tmp_path / "clock"
    TrustedClock(state, clock).now()
    for _ in range(5):
        clock.restart(timedelta(minutes=1))
        clock.jump(6.9 * D)
        trusted = TrustedClock(state, clock).now()
        assert trusted.warning
        assert trusted.time - clock.true <= LONGEST_OFF
        assert trusted.earliest - clock.true <= TOLERANCE


@pytest.mark.parametrize("at_boot", [-59, 0, 59])
@pytest.mark.parametrize("later", [-59, 59])
def test_the_hour_of_tolerance_is_one_for_all_restarts(
    tmp_path: Path, at_boot: int, later: int
) -> None:
    """Set by less than an hour in each boot: after forty it was off by days, unsaid."""
    clock, state, minute = FakeClock(), tmp_path / "clock", timedelta(minutes=1)
    TrustedClock(state, clock).now()
    for off in range(1, 41):
        clock.restart(minute)
        clock.jump(at_boot * minute)
        TrustedClock(state, clock).now()
        clock.run(minute)
        clock.jump(later * minute)
        trusted = TrustedClock(state, clock).now()
        assert trusted.earliest - clock.true <= TOLERANCE
        assert clock.true - trusted.time <= TOLERANCE + off * 2 * minute


def test_a_clock_of_the_board_that_is_wrong_at_each_start_and_set_soon_is_no_matter(
    tmp_path: Path,
) -> None:
    clock, state = FakeClock(), tmp_path / "clock"
    TrustedClock(state, clock).now()
    for wrong in (H / 2, -H / 2) * 15:
        clock.restart(timedelta(minutes=1))
        clock.jump(wrong)
        assert TrustedClock(state, clock).now().warning == ""
        clock.jump(-wrong)
        clock.run(D)
        trusted = TrustedClock(state, clock).now()
        assert (trusted.time, trusted.earliest, trusted.warning) == (clock.wall(),) * 2 + ("",)


def test_what_was_off_in_truth_is_borne_out_by_running(tmp_path: Path) -> None:
    """Off over each weekend, on in the week: told, and right; what is deleted waits a while."""
    clock, state = FakeClock(), tmp_path / "clock"
    TrustedClock(state, clock).now()
    for _ in range(10):
        clock.restart(2.5 * D)
        monday = TrustedClock(state, clock).now()
        assert monday.time == clock.wall()
        assert timedelta() <= clock.true - monday.earliest <= 2.6 * D
        clock.run(4.5 * D)
        friday = TrustedClock(state, clock).now()
        assert (friday.time, friday.earliest, friday.warning) == (clock.wall(), clock.wall(), "")


def test_a_jump_is_found_also_while_there_is_no_room_to_remember(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    trusted = TrustedClock(tmp_path / "clock", clock)
    with monkeypatch.context() as patched:
        patched.setattr(clock_module, "write_atomic", full)
        with pytest.raises(VaultError):
            trusted.now()
        clock.jump(2 * D)
        assert "48 hours ahead" in trusted.peek().warning
        clock.jump(-2 * D)
        clock.run(H)
    assert trusted.now().warning == ""
    clock.jump(2 * D)
    assert "48 hours ahead" in TrustedClock(tmp_path / "clock", clock).peek().warning


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
