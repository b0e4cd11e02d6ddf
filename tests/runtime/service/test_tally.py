"""People are counted by their sealed shots, each once, on the day on which it was."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from cameras import shot

from sealshot.runtime.pipeline.sinks import Beat, End, Seen
from sealshot.runtime.service import tally as tallies
from sealshot.runtime.service.tally import Tally
from sealshot.runtime.types import Frame, Ratings, Tracks


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def tally(told) -> Tally:
    return Tally(lambda: told.append(1))


def seen(*due, ended=(), people=0) -> Seen:
    frame = Frame(0, 0.0, np.zeros((4, 4, 3), np.uint8))
    return Seen(frame, Tracks((), ended), Ratings.of(np.empty(0, np.float32)), due, people)


def test_who_is_taken_for_a_person_for_a_moment_only_is_none(tally, told) -> None:
    for people in (0, 1, 0, 1, 0):  # a source whose frames come unevenly
        tally.seen(seen(people=people))
    assert (tally.people, told, tally.frames) == (0, [], 5)


def test_a_better_shot_of_somebody_is_nobody_new(tally, told) -> None:
    tally.seen(seen(shot(1, 0.1)))
    tally.seen(seen(shot(1, 0.5), shot(2, 0.3)))
    tally.beat(Beat(9.0, (1,), (), 2))
    tally.end(End((2,), (shot(2, 0.4),), 2, False, None))
    assert (tally.people, len(told), tally.people_today()) == (2, 2, 2)
    assert list(tally.scores) == [0.5, 0.4]


def test_a_new_watch_counts_its_tracks_anew(tally) -> None:
    tally.seen(seen(shot(1)))
    tally.begin()
    tally.seen(seen(shot(1)))
    assert tally.people == 2


def test_a_new_day_begins_at_nobody(tally, monkeypatch) -> None:
    tally.seen(seen(shot(1)))
    tomorrow = datetime(2099, 1, 1, tzinfo=timezone.utc)
    monkeypatch.setattr(tallies, "utc_now", lambda: tomorrow)
    assert (tally.people_today(), tally.people) == (0, 1)
    tally.seen(seen(shot(2)))
    assert (tally.people_today(), tally.people) == (1, 2)
