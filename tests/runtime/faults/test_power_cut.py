"""A power cut at the flushes of a run: what it acknowledged is on the disk, and nothing plain is.

The disk is an ext4 whose every write and flush is recorded (see `recorded_disk.py`). Each cut gives
an image, is mounted, so that ext4 replays its journal, and healed by the next run. By default one
cut before each flush, with the disk's cache kept, lost and torn in turn; with SEALSHOT_ALL_FAULTS=1
all three at each entry of the record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import recorded_disk as disks

DISK_BYTES = 8 * 1024 * 1024


@pytest.fixture
def base(tmp_path: Path, yard: Any) -> bytes:
    """The image of a disk with a vault on it that a killed run left."""
    image, folder = tmp_path / "base", tmp_path / "base-mount"
    folder.mkdir()
    try:
        disks.make_file_system(image, DISK_BYTES)
        with disks.mounted(image, folder):
            shutil.copytree(yard.template, folder / "vault")
    except OSError as error:
        pytest.skip(f"a disk image needs root and loop devices: {error}")
    return image.read_bytes()


def _record(yard: Any, base: bytes, folder: Path, flaw: str = "") -> Any:
    """Have a writer write to a recorded disk; each thing it tells is a mark in the record."""
    disk = disks.RecordedDisk(base)
    try:
        with disk.mounted(folder) as mount:
            yard.start(yard.order(mount / "vault", flaw=flaw, waits=True))
            yard.say("go")
            while "ended" not in (event := yard.hear()):
                disk.mark(json.dumps(event))
                if "begun" in event or "stored" in event or event.get("failed"):
                    yard.say("ok")
            disk.mark(json.dumps(event))
    except OSError as error:
        pytest.skip(f"a recorded disk needs root, FUSE and loop devices: {error}")
    return disk


def _cut(yard: Any, disk: Any, folder: Path, cuts: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Cut the power at each place and return the verdict on each."""
    image, mount = folder / "cut", folder / "cut-mount"
    mount.mkdir()
    verdicts = {}
    for place, cache in cuts:
        image.write_bytes(disk.after_power_cut(place, cache, seed=place))
        with disks.mounted(image, mount):
            order, told = yard.order(mount / "vault"), yard.told(disk.marks(place))
            verdicts[f"{place} {cache}"] = yard.judge(order, told)
    return verdicts


def test_a_power_cut_loses_nothing_and_shows_nothing(yard, base, tmp_path, tell) -> None:
    disk = _record(yard, base, tmp_path)
    end = len(disk.record)
    if yard.every:
        cuts = [(place, cache) for place in range(end + 1) for cache in disks.CACHES]
    else:
        places = [*disk.flushes(), end]
        cuts = [(place, disks.CACHES[n % 3]) for n, place in enumerate(places)]
    verdicts = _cut(yard, disk, tmp_path, cuts)
    plain = yard.is_plain(disk.written()) or yard.is_plain(base)
    tell(
        f"power cut: {yard.count(verdicts.values())}; {len(disk.flushes())} flushes, "
        f"{len(disk.written()):,} bytes written, plain: {plain}"
    )
    assert {cut: v.faults for cut, v in verdicts.items() if v.faults} == {}
    assert not plain
    assert len(yard.told(disk.marks(end)).frames("stored")) == 4
    assert len(verdicts) > 30


def test_the_power_cut_finds_a_run_without_fsync(yard, base, tmp_path) -> None:
    """Control: without fsync, what was acknowledged last is not on the disk."""
    disk = _record(yard, base, tmp_path, flaw="no fsync")
    verdict = _cut(yard, disk, tmp_path, [(len(disk.record), "kept")])
    assert all(v.lost for v in verdict.values())


def test_the_scan_finds_a_plain_temporary_file(yard, base, tmp_path) -> None:
    """Control: a plain file that was deleted at once is still on the disk."""
    disk = _record(yard, base, tmp_path, flaw="plain file")
    assert yard.is_plain(disk.written())
    assert yard.is_plain(disk.after_power_cut(len(disk.record), "kept", seed=0))
