"""A day of sixteen cameras, as fast as this machine goes: do memory and open files stay flat?

    python tests/runtime/service/simulated_day.py [--hours 24] [--cameras 16] [--people 20]

A real service with its page, real vaults with a quota, real sealing; in place of decoding and nets
each camera gives a heartbeat a second of its own time, and so many people an hour. Prints memory,
open files, threads and objects for each tenth of the time; exits 1 where memory or open files of
the last tenth are more than 5 % above those of the fourth.
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.pipeline import sealing
from sealshot.runtime.pipeline.sealing import VaultSink
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, End
from sealshot.runtime.pipeline.stages import Stopwatch
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.service import station as stations
from sealshot.runtime.service.config import Alarms, Camera, Config, Page
from sealshot.runtime.service.service import Service
from sealshot.runtime.service.station import Opened
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.store import list_objects

QUOTA = 500_000
TOGETHER_S = 60
"""How far the cameras go before they wait for each other."""
PEOPLE_KEPT = 100
"""Of each camera, for its summary: with the product's 10,000 memory would grow for three weeks."""
TENTHS = 10
FIRST, GROWTH = 4, 1.05
NOISE = np.random.default_rng(5).integers(0, 256, (96, 96, 3), dtype=np.uint8)


class Day:
    """Stands for `pipeline.run`: the time of all cameras goes on together."""

    def __init__(self, hours: float, cameras: int, people: int) -> None:
        self.seconds = int(hours * 3600)
        self._every = 3600 // people
        self.now = 0
        self._barrier = threading.Barrier(cameras, action=self._minute)
        self.rows: list[tuple[int, int]] = []

    def run(self, settings, sealing, vault, *, picture, stop, connect):
        """Watch a camera for a day."""
        origin = Origin(settings.source, "rp", "0f" * 32)
        source = SimpleNamespace(name=settings.source, dropped=0, live=True)
        stages = SimpleNamespace(engine=SimpleNamespace(description="none"))
        phase = int(settings.source) * 7
        with Keeper(vault, sealing) as keeper:
            sinks = [
                VaultSink(keeper, origin, picture, Stopwatch()),
                *connect(source, stages, None, str),
            ]
            people = 0
            for now in range(self.seconds):
                came = (now + phase) % self._every == 0
                people += came
                due = (self._shot(people, now),) if came else ()
                ended = (people,) if (now + phase) % self._every == 1 else ()
                for sink in sinks:
                    sink.beat(Beat(float(now), ended, due, people))
                if now % TOGETHER_S == TOGETHER_S - 1:
                    self._barrier.wait()
            for sink in sinks:
                sink.end(End((), (), people, interrupted=False, failure=None))
        return SimpleNamespace(failure=None)

    def _shot(self, track: int, now: int) -> Shot:
        box = (0.0, 0.0, 96.0, 96.0)
        utc = format_time(utc_now())
        return Shot(track, now, float(now), utc, box, 0.3, 50.0, 9, "best", NOISE)

    def _minute(self) -> None:
        self.now += TOGETHER_S
        if self.now * TENTHS // self.seconds > len(self.rows):
            page = resource.getpagesize()
            memory = int(Path("/proc/self/statm").read_text().split()[1]) * page
            files = len(list(Path("/proc/self/fd").iterdir()))
            self.rows.append((memory, files))
            print(
                f"{self.now / 3600:6.1f} h  {memory / 1e6:7.1f} MB  {files:4} files  "
                f"{threading.active_count():3} threads",
                flush=True,
            )


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hours", type=float, default=24)
    arguments.add_argument("--cameras", type=int, default=16)
    arguments.add_argument("--people", type=int, default=20)
    given = arguments.parse_args()
    day = Day(given.hours, given.cameras, given.people)
    logging.disable(logging.WARNING)  # of the quota
    stations.run = day.run
    sealing.PEOPLE_KEPT = PEOPLE_KEPT
    to = X25519Identity.generate().recipient
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names = [str(number) for number in range(given.cameras)]
        config = Config(
            camera={
                f"c{name}": Camera(source=name, to=(str(to),), vault=str(root / name))
                for name in names
            },
            page=Page(listen="127.0.0.1:0"),
            alarms=Alarms(burst=10**9, disk_least=0),
        )

        def opener(camera: Camera) -> Opened:
            to_one = Sealing(recipients=(to,), quota_bytes=QUOTA)
            return Opened(Settings(str(camera.source)), to_one, Path(camera.vault))

        start = time.monotonic()
        code = Service(config, opener, root / "state.json").run(Stop(), lambda: None)
        objects = sum(len(list_objects(root / name)) for name in names)
        print(
            f"exit {code}, {time.monotonic() - start:.0f} s, {time.process_time():.0f} s of "
            f"processors, {objects} objects in the vaults"
        )
    before, last = day.rows[FIRST - 1], day.rows[-1]
    flat = all(now <= GROWTH * was for was, now in zip(before, last, strict=True))
    print("flat" if flat else "it grows")
    return code or int(not flat)


if __name__ == "__main__":
    sys.exit(main())
