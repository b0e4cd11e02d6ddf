"""The files of a camera with a key a day: what is damaged or missing is told."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.day_keys import DAYS, KEY, DayKeys, enrol
from sealshot.runtime.seal.signing import SigningKey

FIRST, DAYS_OF_LIFE = datetime(2026, 11, 21, 10, tzinfo=timezone.utc), 9


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camera")
    enrol(folder, SigningKey.generate(), FIRST, days=DAYS_OF_LIFE)
    keys = DayKeys(folder)
    keys.turn("2026-11-26")
    keys.destroy()
    return folder


DAMAGES = {
    "no certificates": lambda folder: (folder / DAYS).unlink(),
    "those of another": lambda folder: enrol_over(folder),
    "a certificate that is damaged": lambda folder: swap(
        folder / DAYS, b"2026-11-26 ", b"2026-11-2x "
    ),
    "certificates that end within one": lambda folder: (folder / DAYS).write_bytes(
        (folder / DAYS).read_bytes()[:-2]
    ),
    "certificates that end with one": lambda folder: without(folder / DAYS, -1),
    "certificates that end with the first": lambda folder: without(folder / DAYS, slice(4, None)),
    "certificates without one in between": lambda folder: without(folder / DAYS, -3),
    "certificates that do not say where they end": lambda folder: without(folder / DAYS, 2),
    "no seed": lambda folder: swap(folder / KEY, b"SEALSHOT-DAY-KEY-1Q", b"SEALSHOT-DAY-KEY-1P"),
    "cut": lambda folder: (folder / KEY).write_bytes((folder / KEY).read_bytes()[:-200]),
}


def enrol_over(folder: Path) -> None:
    key = (folder / KEY).read_bytes()
    for name in (DAYS, KEY):
        (folder / name).unlink()
    enrol(folder, SigningKey.generate(), FIRST, days=DAYS_OF_LIFE)
    (folder / KEY).write_bytes(key)


def without(path: Path, lines: int | slice) -> None:
    kept = path.read_bytes().splitlines(keepends=True)
    del kept[lines]
    path.write_bytes(b"".join(kept))


def swap(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_files_that_are_damaged_are_told(damage: Any, enrolled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (DAYS, KEY):
        shutil.copy(enrolled / name, folder)
    damage(folder)
    with pytest.raises(SealError):
        DayKeys(folder)


def test_files_of_development_versions_are_told(enrolled: Path, tmp_path: Path) -> None:
    shutil.copytree(enrolled, tmp_path / "camera")
    without(tmp_path / "camera" / DAYS, 2)
    with pytest.raises(SealError, match="a development version before") as caught:
        DayKeys(tmp_path / "camera")
    assert "--again" in caught.value.hint
