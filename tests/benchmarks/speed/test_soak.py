"""Cameras that drop out: whole rounds are told from those that were broken off."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

from sealshot.benchmarks.speed import soak
from sealshot.benchmarks.speed.soak import Counter, Played, Round, alone


def test_people_count_for_the_round_that_shows_them():
    played = Played(Path("x.mp4"), "")
    played.rounds = [Round(0, True), Round(100), Round(140, True), Round(240)]
    counter = Counter(played)
    shots = [SimpleNamespace(track=t, frame=f) for t, f in [(1, 5), (1, 99), (2, 120), (3, 140)]]
    counter.beat(SimpleNamespace(due=shots))
    assert counter.whole() == [1, 1]  # one was broken off, the last is not over


def test_a_round_is_whole_when_the_next_begins_on_the_same_line():
    played = Played(Path("x.mp4"), "")
    for pictures, since_s in [(1, None), (1, 0.04), (3, 0.12), (1, 4.04), (1, None), (2, 5.0)]:
        played.note(pictures, since_s)
    assert [(one.first, one.whole) for one in played.rounds] == [
        (0, True),
        (5, False),
        (6, True),
        (8, False),
    ]


def test_a_camera_by_itself_shows_its_people_in_a_round(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "PAUSE_S", 3.0)
    start = time.monotonic()
    (people,) = alone(demo.clip, 25, 1, tmp_path)
    assert people >= 2  # a busy machine leaves frames out, and may see one of them twice
    assert time.monotonic() - start > 175 / 25
