"""Ten years of logs: how large they get, and what it takes to open, verify and prove from them.

    python -m sealshot.benchmarks.speed.sealing.decade [--days 3650] [--shots 1000] [--cameras 20]

Writes the log of one camera as it would be after so many days: each shot is sealed, uploaded, and
deleted after 30 days. Each step runs in a process of its own, whose peak of memory is told. What
20 cameras take is one camera's times 20: their logs are separate. 3650 days take about an hour and
3 GB of disk; fewer days are scaled to 3650 in the last column, and said to be.
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

from sealshot.runtime.cli.terminal import note, table
from sealshot.runtime.seal.entries import Entry, Purged, Sealed, Started, Uploaded
from sealshot.runtime.seal.log import Log, checkpoint_path, lines_in, verify_lines
from sealshot.runtime.seal.merkle import FullTree
from sealshot.runtime.seal.signing import SigningKey

DECADE, RETENTION = 3650, 30
KEY, NAME = SigningKey(bytes(range(32))), "cam1"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def write(path: Path, days: int, shots: int) -> None:
    """Write the log, a burst of entries an hour as a busy camera does."""
    with Log(path, NAME, KEY) as log:
        log.append(Started(f"{BEGIN:%Y-%m-%dT%H}", 2, "0" * 64))
        for hour in range(24 * days):
            now = BEGIN + timedelta(hours=hour)
            text, count = f"{now:%Y-%m-%dT%H}", shots // 24 + (hour % 24 < shots % 24)
            entries: list[Entry] = []
            for number in range(count):
                place = _place(now, number)
                entries += [Sealed(text, place, f"{hour:032x}{number:032x}"), Uploaded(text, place)]
                if hour >= 24 * RETENTION:
                    old = _place(now - timedelta(days=RETENTION), number)
                    entries.append(Purged(text, old, "retention"))
            if entries:
                log.append(*entries)


def open_it(path: Path) -> None:
    """What each start of a camera does."""
    with Log(path, NAME, KEY) as log:
        assert not any(isinstance(entry, Sealed) for entry in log.entries(frozenset()))


def verify_it(path: Path) -> None:
    """What `log verify` does: each signature, and the root."""
    verify_lines(lines_in(path), NAME, KEY.verify_key, [checkpoint_path(path).read_bytes()])


def prove_it(path: Path) -> None:
    """What evidence of one shot takes, beside verifying the log."""
    lines = list(lines_in(path))
    FullTree(lines).proof(len(lines) // 2, len(lines))


def measured(work: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Return the seconds and the MiB at most of some work in a process of its own."""
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
    parser.add_argument("--shots", type=int, default=1000, help="a day")
    parser.add_argument("--cameras", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        steps = {
            "write": measured(write, path, given.days, given.shots),
            "open (each start)": measured(open_it, path),
            "verify": measured(verify_it, path),
            "prove one shot": measured(prove_it, path),
        }
        size, count = path.stat().st_size, sum(1 for _ in path.open("rb"))
    scale = DECADE / given.days
    rows = [("entries", f"{count:,}", "", f"{count * scale:,.0f}")]
    rows += [("bytes", f"{size:,}", "", f"{size * scale:,.0f}")]
    rows += [
        (name, f"{seconds:.1f} s", f"{mib:.0f} MiB", f"{seconds * scale:,.0f} s")
        for name, (seconds, mib) in steps.items()
    ]
    rows += [(f"bytes, {given.cameras} cameras", "", "", f"{size * scale * given.cameras:,.0f}")]
    table(("of a camera", f">{given.days} days", ">peak memory", f">{DECADE} days, scaled"), rows)
    note("the memory of prove grows with the log; that of the others does not")


def _place(time: datetime, number: int) -> str:
    return f"{time:%Y-%m-%d}/{time.hour:016x}{number:016x}.sealed"


def _child(pipe: object, work: Callable[..., None], *arguments: object) -> None:
    before = time.perf_counter()
    work(*arguments)
    seconds = time.perf_counter() - before
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((seconds, mib))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
