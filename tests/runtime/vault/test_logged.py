"""What of a log is kept in memory: what is asked about, what is there, and what does not hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.seal.entries import Entry, Purged, Sealed, Started, Uploaded
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.vault.logged import Logged, read_logged
from sealshot.runtime.vault.record import BETTER, ERASED

KEY = SigningKey(bytes(range(32)))
DAY = timedelta(days=1)


def _id(number: int, day: int = 1) -> str:
    return f"2026-11-{day:02}/{number:032x}.sealed"


def _read(path: Path, *entries: Entry, there: set[str] | None) -> Logged:
    if entries:
        with Log(path / "log", "cam1", KEY) as log:
            log.append(Started("2026-11-01T00", 2, "0" * 64), *entries)
    camera = Party("camera", "cam1", KEY.verify_key)
    return read_logged(path / "log", [camera], retention=DAY, erasures={}, there=there)


def test_what_went_as_it_should_is_only_counted(tmp_path: Path) -> None:
    a, b, c, d, e = (_id(number) for number in range(5))
    entries = [
        *(Sealed("2026-11-01T10", one, "f" * 64) for one in (a, b, c, d, e)),
        Uploaded("2026-11-01T10", c),
        Purged("2026-11-01T11", a, BETTER, successor=b),
        Purged("2026-11-01T11", c, "uploaded"),
        Purged("2026-11-03T00", d, "retention"),
    ]
    found = _read(tmp_path, *entries, there={c})
    assert set(found.sealed) == {b, c, e}
    assert found.purged == {c: "uploaded"}
    assert (found.gone, found.unexplained) == (2, {})
    assert found.uploaded == {c}
    everything = _read(tmp_path, there=None)
    assert set(everything.sealed) == {a, b, c, d, e}
    assert everything.purged == {a: BETTER, c: "uploaded", d: "retention"}
    assert everything.gone == 0


def test_what_does_not_hold_is_kept_whoever_asks(tmp_path: Path) -> None:
    a, b, c, d, e = (_id(number) for number in range(5))
    entries = [
        *(Sealed("2026-11-01T10", one, "f" * 64) for one in (a, b, c, d)),
        Purged("2026-11-01T11", a, BETTER, successor=_id(9)),
        Purged("2026-11-01T11", b, "uploaded"),
        Purged("2026-11-02T10", c, "retention"),
        Purged("2026-11-02T10", d, ERASED, warrant="0" * 64),
        Purged("2026-11-02T10", e, "quota"),  # that was never sealed
    ]
    found = _read(tmp_path, *entries, there=set())
    assert set(found.unexplained) == {a, b, c, d}
    assert set(found.purged) == {a, b, c, d, e}
    assert found.gone == 0


@pytest.mark.parametrize("reason", ["uploaded", "quota"])
def test_a_deletion_that_a_full_disk_had_logged_twice_is_one(reason: str, tmp_path: Path) -> None:
    objects = [_id(number) for number in range(3)]
    sealed = [Sealed("2026-11-01T10", one) for one in objects]
    uploaded = [Uploaded("2026-11-01T10", one) for one in objects]
    purged = [Purged("2026-11-01T11", one, reason) for one in objects]
    found = _read(tmp_path, *sealed, *uploaded, *purged, *purged, there=set())
    assert (found.gone, found.purged, found.unexplained) == (3, {}, {})
