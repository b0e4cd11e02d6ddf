"""A power cut at any flush while a camera's key turns; and what the disk keeps of the keys before.

The disk is that of `recorded_disk.py`. Two days turn; each cut is healed by the next start.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import recorded_disk as disks

from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.day_keys import KEY, DayKeys, enrol
from sealshot.runtime.seal.entries import Alive, KeyChanged
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_in, verified_entries
from sealshot.runtime.seal.signing import SigningKey

DISK_BYTES = 8 * 1024 * 1024
FIRST, TURNS = datetime(2026, 11, 21, tzinfo=timezone.utc), 2
DAYS = [f"{FIRST + timedelta(n):%Y-%m-%d}" for n in range(TURNS + 2)]
WRITER = """
import sys
from pathlib import Path
from sealshot.runtime.seal.day_keys import DayKeys
from sealshot.runtime.seal.entries import Alive
from sealshot.runtime.seal.log import Log
folder = Path(sys.argv[1])
keys = DayKeys(folder)
with Log(folder / "log", "cam1", keys) as log:
    for day in sys.argv[2:]:
        log.turn(keys.on(day), day + "T00")
        keys.turn(day)
        keys.destroy()
        log.append(Alive(day + "T01"))
"""


def seeds(data: bytes) -> set[bytes]:
    return set(re.findall(rb"SEALSHOT-DAY-KEY-1[A-Z0-9]{64}", data))


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The record of a disk on which the key of a camera turns."""
    folder = tmp_path_factory.mktemp("turned")
    image, mount = folder / "base", folder / "base-mount"
    mount.mkdir()
    try:
        disks.make_file_system(image, DISK_BYTES)
        with disks.mounted(image, mount):
            enrol(mount, SigningKey.generate(), FIRST, days=9)
            with Log(mount / "log", "cam1", DayKeys(mount)) as log:
                log.append(Alive(f"{DAYS[0]}T01"))
        disk = disks.RecordedDisk(image.read_bytes())
        with disk.mounted(folder) as recorded:
            command = [sys.executable, "-c", WRITER, recorded, *DAYS[1 : TURNS + 1]]
            subprocess.run(command, check=True, timeout=60)
    except OSError as error:
        pytest.skip(f"a recorded disk needs root, FUSE and loop devices: {error}")
    return disk


def start(folder: Path) -> tuple[str, list[str]]:
    """Start anew as a camera does; return the day of its key, and all that its log changed to."""
    keys = DayKeys(folder)
    with Log(folder / "log", "cam1", keys) as log:
        keys.destroy()
        day = keys.day
        log.append(Alive(f"{day}T02"))
    path = folder / "log"
    note = checkpoint_path(path).read_bytes()
    for _ in verified_entries(path, "cam1", keys.verify_key, [note]):
        pass
    entries = entries_of(lines_in(path))
    return day, [entry.day for entry in entries if isinstance(entry, KeyChanged)]


def test_a_power_cut_leaves_one_key_and_no_gap(turned, tmp_path, tell) -> None:
    image, mount, found = tmp_path / "cut", tmp_path / "cut-mount", []
    mount.mkdir()
    places = [*turned.flushes(), len(turned.record)]
    for number, place in enumerate(places):
        cache = disks.CACHES[number % 3]
        image.write_bytes(turned.after_power_cut(place, cache, seed=place))
        with disks.mounted(image, mount):
            day, changes = start(mount)
            assert changes == DAYS[: DAYS.index(day) + 1], (place, cache)
            assert len(seeds((mount / KEY).read_bytes())) == 1
            found.append(day)
    tell(f"power cut while a key turns: {len(places)} cuts, 0 without a key, 0 gaps")
    assert (found[0], found[-1]) == (DAYS[0], DAYS[TURNS])
    assert len(places) > 20


def test_no_key_of_a_day_before_is_left_on_the_disk(turned) -> None:
    """Nor in the journal: ext4 has the names of files there, and what they hold in one place."""
    assert len(seeds(turned.written())) == TURNS + 1  # the control: they were there
    left = seeds(turned.after_power_cut(len(turned.record), "kept", seed=0))
    assert len(left) == 1
