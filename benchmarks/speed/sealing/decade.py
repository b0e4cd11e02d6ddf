"""Ten years of logs: how large they get, and what it takes to open, verify and prove from them.

    python -m sealshot.benchmarks.speed.sealing.decade [--days 3650] [--shots 300] [--cameras 20]

Writes the log of one camera as it would be after so many days: each shot is sealed, uploaded, and
deleted after 30 days. Each step runs in a process of its own, whose seconds of processor and peak
of memory are told. What 20 cameras take is one camera's times 20: their logs are separate. 3650
days of 300 shots take 0.8 GB of disk and ten minutes; of fewer days, the last column says what is
scaled to 3650 and what does not grow.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sealshot.runtime.cli.terminal import table
from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.entries import Entry, Purged, Sealed, Started, Uploaded
from sealshot.runtime.seal.log import Log, tiles_path
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import Record
from sealshot.runtime.vault.store import Vault, list_objects

DECADE, RETENTION = 3650, 30
KEY, NAME = SigningKey(bytes(range(32))), "cam1"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def write(folder: Path, days: int, shots: int) -> None:
    """Write the log, a day at a time, for it is not the writing that is asked about."""
    entries: list[Entry] = []
    with Log(folder / "log", NAME, KEY) as log:
        for hour in range(24 * days):
            now = BEGIN + timedelta(hours=hour)
            text, count = f"{now:%Y-%m-%dT%H}", shots // 24 + (hour % 24 < shots % 24)
            if hour % (24 * RETENTION) == 0:  # it is set up anew once a month
                entries.append(Started(text, 2, "0" * 64, holds=0))
            for number in range(count):
                place = _place(now, number)
                entries += [Sealed(text, place, f"{hour:032x}{number:032x}"), Uploaded(text, place)]
                if hour >= 24 * (RETENTION + 1):  # counted from the end of its day
                    old = _place(now - timedelta(days=RETENTION + 1), number)
                    entries.append(Purged(text, old, "retention"))
                if hour >= 24 * (days - RETENTION):
                    (folder / place).parent.mkdir(exist_ok=True)
                    (folder / place).touch()
            if hour % 24 == 23 and entries:
                log.append(*entries)
                entries = []


def start(folder: Path) -> None:
    """What each start of a camera does with its log."""
    with Vault(folder) as vault, Log(folder / "log", NAME, KEY) as log:
        Record(vault, log, KEY.verify_key).finish()


def rebuild(folder: Path) -> None:
    """What the first start does where the tiles are missing: all is read, and they are made."""
    tiles = tiles_path(folder / "log")
    tiles.rename(tiles.with_name("kept"))
    Log(folder / "log", NAME, KEY).close()


def verify(folder: Path) -> None:
    """What `log verify` does: the root over each entry, and what each says."""
    path = folder / "log"
    for _ in verified_entries(path, NAME, KEY.verify_key, [checkpoint_path(path).read_bytes()]):
        pass


def account(folder: Path) -> None:
    """What `vault verify` makes of the log, with all reasons for deletions checked."""
    there = {found.id for found in list_objects(folder)}
    camera, retention = Party("camera", NAME, KEY.verify_key), timedelta(days=RETENTION)
    read_logged(folder / "log", [camera], retention=retention, there=there)


def prove(folder: Path) -> None:
    """What evidence of one shot takes: the log is verified, and its hashes are kept meanwhile."""
    path, tiles = folder / "log", Tiles()
    notes = [checkpoint_path(path).read_bytes()]
    for line, _ in verified_entries(path, NAME, KEY.verify_key, notes):
        tiles.add(hash_leaf(line))
    tiles.proof(tiles.size // 2, tiles.size)


def measured(work: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Return the seconds of processor and the MiB at most of work in a process of its own."""
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    process = context.Process(target=_child, args=(end, work, *arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} failed")
    seconds, mib = pipe.recv()
    return float(seconds), float(mib)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DECADE)
    parser.add_argument("--shots", type=int, default=300, help="a day")
    parser.add_argument("--cameras", type=int, default=20)
    given = parser.parse_args()
    scale = DECADE / given.days
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        written = measured(write, folder, given.days, given.shots)
        tiles = sum(file.stat().st_size for file in tiles_path(log).rglob("*") if file.is_file())
        steps = {
            "write": (written, True),
            "start": (measured(start, folder), False),
            "start without tiles": (measured(rebuild, folder), True),
            "verify the log": (measured(verify, folder), True),
            "verify the vault by it": (measured(account, folder), True),
            "prove one shot": (measured(prove, folder), True),
        }
        sizes = {"log": log.stat().st_size, "tiles": tiles}
        with log.open("rb") as file:
            count = sum(1 for _ in file)
    rows = [("entries", f"{count:,}", "", f"{count * scale:,.0f}")]
    for what, size in sizes.items():
        rows.append((f"bytes of {what}", f"{size:,}", "", f"{size * scale:,.0f}"))
    for what, ((seconds, mib), grows) in steps.items():
        scaled = f"{seconds * (scale if grows else 1):,.1f} s"
        rows.append((what, f"{seconds:.1f} s", f"{mib:.0f} MiB", scaled))
    total = sum(sizes.values()) * scale * given.cameras
    rows.append((f"bytes, {given.cameras} cameras", "", "", f"{total:,.0f}"))
    table(("of a camera", f">{given.days} days", ">peak memory", f">{DECADE} days, scaled"), rows)


def _place(time: datetime, number: int) -> str:
    return f"{time:%Y-%m-%d}/{time.hour:016x}{number:016x}.sealed"


def _child(pipe: object, work: Callable[..., None], *arguments: object) -> None:
    before = time.process_time()
    work(*arguments)
    seconds = time.process_time() - before
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((seconds, mib))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
