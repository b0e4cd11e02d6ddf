"""What is over its time, to the very moment."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.seal.times import epoch_end
from sealshot.runtime.vault.retention import ahead_of, has_ended, overdue
from sealshot.runtime.vault.store import VaultObject

D, H, MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def an_object(epoch: str) -> VaultObject:
    name = f"{epoch}/{'a' * 32}.sealed"
    return VaultObject(name, Path(name), 100, NOON)


@pytest.mark.parametrize("epoch", ["2026-11-21", "2026-11-21T10", "2028-02-29"])
@pytest.mark.parametrize("retention", [30 * D, 12 * H])
def test_an_object_is_over_at_the_very_end_and_not_before(epoch, retention):
    found, end = an_object(epoch), epoch_end(epoch) + retention
    assert overdue([found], retention, end - MOMENT) == []
    assert overdue([found], retention, end) == [found]
    assert overdue([found], retention, end + MOMENT) == [found]


@pytest.mark.parametrize("epoch", ["2026-11-21", "2026-11-21T23"])
def test_an_epoch_has_ended_when_the_next_begins(epoch):
    end = datetime(2026, 11, 22, tzinfo=timezone.utc)
    assert not has_ended(epoch, end - MOMENT)
    assert has_ended(epoch, end)


def test_an_epoch_is_to_come_until_it_begins():
    begins = datetime(2026, 11, 22, tzinfo=timezone.utc)
    assert "1 shot is of an epoch to come" in ahead_of([an_object("2026-11-22")], begins - MOMENT)
    assert ahead_of([an_object("2026-11-22")], begins) == ""
