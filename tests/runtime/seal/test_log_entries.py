"""The entries of a log: each event written and read, those of version 0.1, and those to come."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.checkpoint import LogError
from sealshot.runtime.seal.documents import canonical
from sealshot.runtime.seal.entries import (
    FORMAT,
    Answered,
    Destroyed,
    Entry,
    HoldKept,
    HoldPlaced,
    Other,
    Purged,
    Refused,
    Sealed,
    Started,
    read_entry,
    write_entry,
)
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.signing import SigningKey

HOUR = "2026-11-21T10"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Sealed(HOUR, "a"), '{"event":"sealed","id":"a","time":"2026-11-21T10"}'),
        (
            Sealed(HOUR, "a", "0f", late=1),
            '{"event":"sealed","id":"a","late":1,"sha256":"0f","time":"2026-11-21T10"}',
        ),
        (
            Purged(HOUR, "a", "better", successor="b"),
            '{"event":"purged","id":"a","reason":"better","successor":"b","time":"2026-11-21T10"}',
        ),
        (Destroyed(HOUR, epoch="e"), '{"epoch":"e","event":"destroyed","time":"2026-11-21T10"}'),
        (
            Started(HOUR, FORMAT, "p"),
            '{"event":"started","format":2,"policy":"p","time":"2026-11-21T10"}',
        ),
        (
            Refused(HOUR, "expired", "w", "c"),
            '{"case":"c","event":"refused","reason":"expired","time":"2026-11-21T10","warrant":"w"}',
        ),
        (Other({"event": "novel", "number": 3}), '{"event":"novel","number":3}'),
    ],
)
def test_what_is_written_is_read(entry: Entry, text: str) -> None:
    assert write_entry(entry) == text.encode()
    assert read_entry(text.encode()) == entry


def test_held_of_version_0_1_was_two_things() -> None:
    camera = {"event": "held", "warrant": "w", "case": "c", "until": "u", "time": HOUR}
    assert read_entry(canonical(camera)) == HoldPlaced(HOUR, "w", "c", "u")
    assert read_entry(canonical({**camera, "id": "a"})) == HoldKept(HOUR, "a", "w", "c", "u")


@pytest.mark.parametrize("name", [field.name for field in fields(Answered)])
@pytest.mark.parametrize("value", [7, None])
def test_an_event_without_its_fields_is_another_one(name: str, value: int | None) -> None:
    values: dict[str, object] = {"event": "answered", "id": "a", "warrant": "w", "case": "c"}
    values["time"] = HOUR
    del values[name]
    if value is not None:
        values[name] = value
    entry = read_entry(canonical(values))
    assert isinstance(entry, Other)
    assert entry.values == values


def test_a_newer_log_is_told_in_one_sentence(tmp_path: Path) -> None:
    key = SigningKey.generate()
    with Log(tmp_path / "log", "cam1", key) as log:
        log.append(Started(HOUR, FORMAT + 1, "p"))
    with pytest.raises(
        SealError, match=r"log of format 3, and this sealshot reads up to 2"
    ) as told:
        Log(tmp_path / "log", "cam1", key)
    assert "update sealshot" in told.value.hint


def test_hours_never_go_back_once_a_camera_has_started(tmp_path: Path) -> None:
    key = SigningKey.generate()
    with Log(tmp_path / "log", "cam1", key) as log:
        log.append(Sealed("2026-11-21T12", "a"), Sealed(HOUR, "b"))  # as version 0.1 could
        log.append(Started("2026-11-21T12", FORMAT, "p"), Sealed("2026-11-21T12", "c"))
        assert log.latest == "2026-11-21T12"
    with Log(tmp_path / "log", "cam1", key) as log:
        assert log.latest == "2026-11-21T12"
        log.append(Sealed("2026-11-21T11", "d"))  # by whoever has the key
    with pytest.raises(LogError, match=r"the time of entry 5 .* is before that of an earlier one"):
        Log(tmp_path / "log", "cam1", key)
