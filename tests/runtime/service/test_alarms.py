"""Each alarm comes when it must, not before, and goes when its cause has gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from states import NOW, a_camera, a_vault

from sealshot.runtime.service.alarms import Watchman
from sealshot.runtime.service.config import Alarms

STANDING = {
    "camera-failing": a_camera(phase="waiting", problem="no such policy"),
    "camera-silent": a_camera(last_frame=NOW - timedelta(seconds=61)),
    "clock-wrong": a_camera(vault=a_vault(clock="the clock says 1970")),
    "no-key": a_camera(vault=a_vault(keys_days=0.9)),
    "upload-stuck": a_camera(vault=a_vault(waiting=3, oldest_waiting_s=3601.0)),
    "disk-full": a_camera(vault=a_vault(free_bytes=499_000_000)),
    "public-failing": a_camera(public_problem="no space"),
}


class Watch:
    """A watchman and the clocks that he looks at."""

    def __init__(self) -> None:
        self.watchman = Watchman(Alarms())
        self.now, self.running_s = NOW, 1000.0

    def look(self, *cameras, after_s: float = 2.0, set_by_s: float = 0.0, outlets=()) -> list[str]:
        self.running_s += after_s
        self.now += timedelta(seconds=after_s + set_by_s)
        return [a.name for a in self.watchman.look(cameras, self.now, self.running_s, outlets)]


def well(watch: Watch, **more):
    return a_camera(last_frame=watch.now + timedelta(days=1), **more)


@pytest.mark.parametrize("name", STANDING)
def test_what_is_wrong_alarms_and_what_is_mended_does_not(name) -> None:
    watchman = Watchman(Alarms())
    assert watchman.look([a_camera()], NOW, 0.0) == ()
    [alarm] = watchman.look([STANDING[name]], NOW, 2.0)
    assert (alarm.name, alarm.camera, alarm.since) == (name, "north", NOW)
    [again] = watchman.look([STANDING[name]], NOW + timedelta(seconds=0.1), 4.0)
    assert again.since == NOW
    assert watchman.look([a_camera()], NOW, 6.0) == ()


def test_a_camera_that_never_gave_a_picture_is_silent_from_its_start_on() -> None:
    watch = Watch()
    camera = a_camera(last_frame=None)
    assert watch.look(camera, after_s=59) == []
    assert watch.look(camera, after_s=2) == ["camera-silent"]


@pytest.mark.parametrize("seconds", [-3600.0, 90.0])
def test_a_clock_that_jumps_alarms_for_an_hour(seconds) -> None:
    watch = Watch()
    assert watch.look() == []
    assert watch.look(after_s=86400.0) == []  # time that passes is no jump
    assert watch.look(set_by_s=seconds) == ["clock-jumped"]
    assert watch.look(after_s=3500.0) == ["clock-jumped"]
    assert watch.look(after_s=200.0) == []


def test_a_disk_that_fills_alarms_days_before() -> None:
    watch, free = Watch(), 10**11
    for hour in range(30):
        names = watch.look(well(watch, vault=a_vault(free_bytes=free)), after_s=3600.0)
        free -= 10**9  # full in four days
        assert ("disk-full" in names) == (hour >= 1), hour
    for _ in range(30):  # and no more: the last day counts
        names = watch.look(well(watch, vault=a_vault(free_bytes=free)), after_s=3600.0)
    assert names == []


def test_a_burst_of_people_alarms_and_a_busy_day_does_not() -> None:
    watch, people = Watch(), 0
    for _ in range(600):
        people += 3  # ninety a minute
        assert watch.look(well(watch, people=people, mean_score=None)) == []
    assert watch.look(well(watch, people=people + 224, mean_score=None), after_s=12.0) == ["burst"]


def test_a_score_that_falls_sharply_alarms_until_it_is_as_before() -> None:
    watch, people = Watch(), 0

    def group(score: float) -> list[str]:
        nonlocal people
        people += 20
        return watch.look(well(watch, people=people, mean_score=score), after_s=3600.0)

    usual = [0.30, 0.33, 0.28, 0.31, 0.29, 0.34, 0.30, 0.27, 0.32, 0.30]
    assert [group(score) for score in usual] == [[]] * 10
    assert group(0.05) == ["score-fell"]
    assert group(0.04) == ["score-fell"]
    assert group(0.29) == []


def test_events_that_do_not_get_through_alarm_after_a_minute() -> None:
    watch = Watch()
    assert watch.look(outlets=["the broker is away"]) == []
    assert watch.look(after_s=61, outlets=["the broker is away"]) == ["events-stuck"]
    assert watch.look() == []
    assert watch.look(outlets=["the broker is away"]) == []


@pytest.mark.parametrize(
    ("taken_fps", "dropped_fps", "alarms"),
    [(4, 21, ["too-slow"]), (12, 13, []), (5, 0, []), (4, 3, [])],
    ids=["slow", "fast enough", "a slow camera", "drops a few"],
)
def test_a_machine_that_is_too_slow_for_a_camera_alarms(taken_fps, dropped_fps, alarms) -> None:
    watch = Watch()

    def after(seconds: int):
        return well(watch, frames=taken_fps * seconds, dropped=dropped_fps * seconds)

    assert all(watch.look(after(s), after_s=1.0) == [] for s in range(1, 61))
    assert watch.look(after(61), after_s=1.0) == alarms
    assert watch.look(well(watch, frames=9000, dropped=0), after_s=1.0) == []  # another watch
