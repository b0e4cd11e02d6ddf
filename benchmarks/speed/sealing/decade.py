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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.cli.terminal import note, table
from sealshot.runtime.seal.certificates import Today
from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.day_keys import DayKeys, enrol
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
from sealshot.runtime.seal.log_lines import changes_key, verified_entries
from sealshot.runtime.seal.merkle import hash_leaf
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles
from sealshot.runtime.seal.times import epoch_of, format_hour, format_time
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import Record
from sealshot.runtime.vault.store import Vault, list_objects

DECADE, RETENTION = 3650, 30
AHEAD = timedelta(days=7)
CUSTODIAN, NAME = SigningKey(bytes(range(32))), "cam1"
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
    """Gives entries one signature, but those that change keys: it is not the writing that is asked.

    Three quarters of the time to write an entry is its signature, and nobody reads it in what is
    measured here: what a day's key signed is verified by the root that it signed last.
    """

    @cached_property
    def _of_entries(self) -> bytes:
        return super().sign(b"")

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a change of keys; another one of the same length else."""
        return super().sign(message) if changes_key(message) else self._of_entries


def write(folder: Path, days: int, shots: int) -> None:
    """Write the log, each day under its key; the entries of the last one have their signatures."""
    enrol(folder, SigningKey.generate(), BEGIN, days)
    keys = DayKeys(folder)
    with Log(folder / "log", NAME, keys) as log:
        for day in range(days):
            begin = BEGIN + timedelta(day)
            keys.turn(epoch_of(begin, "day"))
            if day < days - 1:
                key = _OneForAll(keys.today.key.seed)
                log.turn(Today(key, keys.today.certificate), format_hour(begin))
            else:
                log.turn(keys.today, format_hour(begin))
            log.append(*_entries(day, shots))
            for number in range(shots if day >= days - RETENTION else 0):
                place = folder / _place(day, number)
                place.parent.mkdir(exist_ok=True)
                place.touch()
    keys.destroy()


def _entries(day: int, shots: int) -> Iterator[Entry]:
    if day % RETENTION == 0:  # it is set up anew once a month
        yield Started(format_hour(BEGIN + timedelta(day)), 2, "0" * 64, holds=0)
    for number in range(shots):
        hour = format_hour(BEGIN + timedelta(day, hours=24 * number // shots))
        place = _place(day, number)
        yield Sealed(hour, place, f"{day:032x}{number:032x}")
        yield Uploaded(hour, place)
        if day > RETENTION:  # counted from the end of its day
            yield Purged(hour, _place(day - RETENTION - 1, number), "retention")


def start(folder: Path) -> None:
    """What each start of a camera does with its log."""
    keys = DayKeys(folder)
    with Vault(folder) as vault, Log(folder / "log", NAME, keys) as log:
        Record(vault, log, keys.verify_key).finish()


def account(folder: Path) -> None:
    """What `vault verify` makes of the log, with all reasons for deletions checked."""
    there = {found.id for found in list_objects(folder)}
    camera = Party("camera", NAME, DayKeys(folder).verify_key)
    read_logged(folder / "log", [camera], retention=timedelta(days=RETENTION), there=there)


def prove(folder: Path) -> None:
    """What `log verify` does, and evidence of one shot."""
    path, key = folder / "log", DayKeys(folder).verify_key
    note = checkpoint_path(path).read_bytes()
    size = parse_checkpoint(note, key).size
    tiles = Tiles(proving=[size])
    for line, _ in verified_entries(path, NAME, key, [note]):
        if tiles.size == size // 2:
            tiles.keep()
        tiles.add(hash_leaf(line))
    tiles.proof(size // 2, size)


def rebuild(folder: Path) -> None:
    """What the first start does where the tiles are missing: all is read, and they are made."""
    tiles = tiles_path(folder / "log")
    tiles.rename(tiles.with_name("kept"))
    Log(folder / "log", NAME, DayKeys(folder)).close()


def rotate(folder: Path, days: int) -> None:
    """What `custodian rotate` does once a day: keys a week ahead, destroyed on their day."""
    custodian = Party("custodian", "custodian", CUSTODIAN.verify_key)
    identity, signs = HybridIdentity.generate(), SigningKey.generate().verify_key
    judge = Party("authority", "judge", signs, identity.recipient)
    policy = make_policy(1, f"{RETENTION}d", "day", "public", custodian, (judge,))
    secrets, public = folder / "secrets", folder / "public"
    for made in (secrets, public):
        made.mkdir(parents=True)
    for day in range(days):
        now = BEGIN + timedelta(days=day, hours=1)
        text = format_time(now)
        with Log(folder / "log", custodian.name, CUSTODIAN) as log:
            for epoch, recipient in publish(CUSTODIAN, policy, secrets, public, now, AHEAD).made:
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


def _place(day: int, number: int) -> str:
    return f"{epoch_of(BEGIN + timedelta(day), 'day')}/{day:016x}{number:016x}.sealed"


def _child(pipe: object, work: Callable[..., None], *arguments: object) -> None:
    before = time.process_time()
    work(*arguments)
    seconds = time.process_time() - before
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((seconds, mib))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
