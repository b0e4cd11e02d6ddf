"""Ten years of logs: how large they get, and what it takes to open, verify and prove from them.

    python -m sealshot.benchmarks.speed.sealing.decade [--days 3650] [--shots 1000] [--cameras 20]
        [-o JSON]

Writes the log of one camera as it would be after so many days: each shot is sealed, uploaded, and
deleted after 30 days; and has a custodian publish and destroy a key for each of the days. Each step
runs in a process of its own, whose seconds of processor and peak of memory are told. Cameras share
the custodian and no more: what 20 take is one's log times 20. 3650 days of 1000 shots take 2.9 GB
of disk and 40 minutes; of fewer days, the last column says what is scaled to 3650 and what does not
grow.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.cli.terminal import note, table
from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.entries import (
    Destroyed,
    Entry,
    Published,
    Purged,
    Sealed,
    Started,
    Uploaded,
)
from sealshot.runtime.seal.epochs import KEY_SUFFIX, destroy_file, expired, publish
from sealshot.runtime.seal.log import Log, tiles_path
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import Record
from sealshot.runtime.vault.store import Vault, list_objects

DECADE, RETENTION = 3650, 30
AHEAD = timedelta(days=7)
KEY, NAME = SigningKey(bytes(range(32))), "cam1"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step took."""

    what: str
    seconds: float
    """Of processor."""
    peak_mib: float
    """Of memory, of which the program by itself takes 66."""
    grows: bool
    """Whether the seconds grow with the days."""


class _OneForAll(SigningKey):
    """Signs checkpoints, and gives all entries one signature: it is not the writing that is asked.

    Three quarters of the time to write an entry is its signature, and nobody reads it in what is
    measured here: what a checkpoint covers is verified by the root that it signs.
    """

    @cached_property
    def _of_entries(self) -> bytes:
        return super().sign(b"")

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a checkpoint; another one of the same length for an entry."""
        return self._of_entries if message.startswith(b"sealshot/log/1") else super().sign(message)


def write(folder: Path, days: int, shots: int) -> None:
    """Write the log, a day at a time."""
    entries: list[Entry] = []
    with Log(folder / "log", NAME, _OneForAll(KEY.seed)) as log:
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


def account(folder: Path) -> None:
    """What `vault verify` makes of the log, with all reasons for deletions checked."""
    there = {found.id for found in list_objects(folder)}
    camera, retention = Party("camera", NAME, KEY.verify_key), timedelta(days=RETENTION)
    read_logged(folder / "log", [camera], retention=retention, there=there)


def prove(folder: Path) -> None:
    """What `log verify` does, and evidence of one shot: the hashes are kept meanwhile."""
    path, tiles = folder / "log", Tiles()
    notes = [checkpoint_path(path).read_bytes()]
    for line, _ in verified_entries(path, NAME, KEY.verify_key, notes):
        tiles.add(hash_leaf(line))
    tiles.proof(tiles.size // 2, tiles.size)


def rotate(folder: Path, days: int) -> None:
    """What `custodian rotate` does once a day: keys a week ahead, destroyed on their day."""
    custodian = Party("custodian", "custodian", KEY.verify_key)
    identity, signs = HybridIdentity.generate(), SigningKey.generate().verify_key
    judge = Party("authority", "judge", signs, identity.recipient)
    policy = make_policy(1, f"{RETENTION}d", "day", "public", custodian, (judge,))
    secrets, public = folder / "secrets", folder / "public"
    for made in (secrets, public):
        made.mkdir(parents=True)
    for day in range(days):
        now = BEGIN + timedelta(days=day, hours=1)
        text = format_time(now)
        with Log(folder / "log", custodian.name, KEY) as log:
            for epoch, recipient in publish(KEY, policy, secrets, public, now, AHEAD).made:
                digest = hashlib.sha256(str(recipient).encode()).hexdigest()
                log.append(Published(text, epoch, digest))
            for epoch in expired(secrets, policy, now):
                log.append(Destroyed(text, epoch=epoch))
                destroy_file(secrets / (epoch + KEY_SUFFIX))


def measured(what: str, grows: bool, work: Callable[..., None], *arguments: object) -> Step:
    """Do work in a process of its own, and return what it took."""
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    process = context.Process(target=_child, args=(end, work, *arguments))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} failed")
    seconds, mib = pipe.recv()
    step = Step(what, float(seconds), float(mib), grows)
    note(f"{what}: {step.seconds:.1f} s, {step.peak_mib:.0f} MiB")
    return step


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DECADE)
    parser.add_argument("--shots", type=int, default=1000, help="a day")
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    where = environment(["cryptography"])
    with tempfile.TemporaryDirectory() as name:
        folder, custodian = Path(name, "camera"), Path(name, "custodian")
        folder.mkdir()
        steps = [
            measured("write, unsigned", True, write, folder, given.days, given.shots),
            measured("start", False, start, folder),
            measured("verify the log, prove one shot", True, prove, folder),
            measured("verify the vault by it", True, account, folder),
            measured("publish and destroy keys", True, rotate, custodian, given.days),
            measured("start without tiles", True, rebuild, folder),
        ]
        log = folder / "log"
        sizes = {
            "log": log.stat().st_size,
            "tiles": _bytes_in(tiles_path(log)),
            "the custodian's log and keys": _bytes_in(custodian) - _bytes_in(custodian / "public"),
            "published keys": _bytes_in(custodian / "public"),
        }
        with log.open("rb") as file:
            entries = sum(1 for _ in file)
    scale = DECADE / given.days
    rows = [("entries", f"{entries:,}", "", f"{entries * scale:,.0f}")]
    for what, size in sizes.items():
        rows.append((f"bytes of {what}", f"{size:,}", "", f"{size * scale:,.0f}"))
    for step in steps:
        scaled = f"{step.seconds * (scale if step.grows else 1):,.1f} s"
        rows.append((step.what, f"{step.seconds:.1f} s", f"{step.peak_mib:.0f} MiB", scaled))
    total = (sizes["log"] + sizes["tiles"]) * given.cameras
    rows.append((f"bytes, {given.cameras} cameras", f"{total:,}", "", f"{total * scale:,.0f}"))
    table(("of a camera", f">{given.days} days", ">peak memory", f">{DECADE} days, scaled"), rows)
    if given.output:
        asked = {name: getattr(given, name) for name in ("days", "shots", "cameras")}
        taken = {"entries": entries, "bytes": sizes, "steps": [asdict(step) for step in steps]}
        write_result(given.output, asdict(where) | asked | taken)


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


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
