"""When a camera watches."""

from __future__ import annotations

from datetime import datetime

import pytest
from cameras import config, until
from msgspec.structs import replace

from sealshot.runtime.service import station as stations
from sealshot.runtime.service.station import Station

# 2026-11-21 is a Saturday
CASES = [
    ((), "2026-11-21 03:00", True),
    (("07:00-19:30",), "2026-11-21 07:00", True),
    (("07:00-19:30",), "2026-11-21 19:30", False),
    (("00:00-24:00",), "2026-11-21 23:59", True),
    (("Mon-Fri 07:00-19:30",), "2026-11-21 12:00", False),
    (("Mon-Fri 07:00-19:30",), "2026-11-20 12:00", True),
    (("Fri-Mon 07:00-19:30",), "2026-11-21 12:00", True),
    (("Sat 22:00-02:00",), "2026-11-21 23:00", True),
    (("Sat 22:00-02:00",), "2026-11-22 01:59", True),
    (("Sat 22:00-02:00",), "2026-11-21 01:00", False),
    (("Sat 22:00-02:00",), "2026-11-22 23:00", False),
    (("Mon 08:00-09:00", "Sat 08:00-09:00"), "2026-11-21 08:30", True),
]


@pytest.mark.parametrize(("windows", "now", "on"), CASES)
def test_hours_of_days(windows, now, on) -> None:
    assert stations.is_on(windows, datetime.fromisoformat(now)) == on


def test_a_camera_rests_outside_of_its_hours_and_then_watches(cameras, monkeypatch) -> None:
    on = False
    monkeypatch.setattr(stations, "is_on", lambda *_: on)
    camera = replace(config("a").camera["a"], schedule=("07:00-19:30",))
    station = Station("a", camera, cameras.opener, lambda _: None)
    station.start()
    until(lambda: station.phase == "resting")
    assert cameras.watches == []
    on = True
    until(lambda: station.phase == "running")
    on = False
    until(lambda: station.phase == "resting")
    on = True
    until(lambda: station.phase == "running")
    assert cameras.watches == ["a", "a"]
    station.stop()
    assert station.join(20)
    assert station.phase == "stopped"
