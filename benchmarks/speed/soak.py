"""`python -m sealshot.benchmarks.speed.soak`: cameras for hours; one drops out each minute.

Each camera plays a clip, then shows nothing for a moment, so that all whom it showed have left; and
again. That is a round. All is real: decoding in a sandbox, nets, tracks, sealing. Every minute
one of them breaks off for some seconds, and its round does not count. Before that each camera plays
by itself, undisturbed: so many people a round shows at least.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path
from statistics import median

from sealshot.benchmarks.conditions.process import resident_mb, tree
from sealshot.benchmarks.speed.throughput.players import Player, playing
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments, positive_int, run_module, seconds
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.many import Camera, watch_many
from sealshot.runtime.pipeline.sealing import VaultSink
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Beat, End, Seen, Sink
from sealshot.runtime.pipeline.stages import open_many
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.sources.live import Live
from sealshot.runtime.sources.reader import Coming, NoVideoError, Picture
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Keeper, Sealing

AWAY_S, EVERY_S = 10.0, 60.0
PAUSE_S = 4.0
"""Between two rounds; tracks end meanwhile."""
QUOTA = 20_000_000
GROWTH = 1.05

USAGE = f"""\
usage: python -m sealshot.benchmarks.speed.soak CLIP... [options]

Watch cameras that play CLIPs again and again, one each, for hours in one process, with all that
belongs to it. Every minute one of them, in turn, is away for {AWAY_S:.0f} s. Prints memory and whom
the rounds showed, minute by minute. Exits 1 where a whole round has fewer people than any round
of that camera alone, or where memory of the last third is {GROWTH - 1:.0%} above that of the first.

  --minutes N        with all cameras (default 120)
  --alone N          rounds of each camera by itself before (default 3)
  --fps RATE         frames a second of each (default 15)

example:
  python -m sealshot.benchmarks.speed.soak crowd.mp4 views/views-1080p-{{0,1,2}}.mp4 --minutes 120
"""


@dataclass
class Round:
    """One showing of a clip."""

    first: int
    """Index of its first frame."""
    whole: bool = False


class Played:
    """What a camera plays, over all its connections."""

    def __init__(self, clip: Path, address: str) -> None:
        self.clip, self._address = clip, address
        self.rounds: list[Round] = []
        self._count = 0
        self._away = False
        self._connection: Connection | None = None

    def connect(self) -> Connection:
        """Open a connection.

        Raises:
            NoVideoError: the camera is away.
        """
        if self._away:
            raise NoVideoError("it is away")
        self._connection = Connection(self._address, self)
        return self._connection

    def leave(self) -> None:
        """Cut the line, and take no connection until it is back."""
        self._away = True
        if self._connection is not None:
            self._connection.interrupt()

    def come_back(self) -> None:
        """Take connections again."""
        self._away = False

    def note(self, pictures: int, since_s: float | None) -> None:
        """Note what came.

        Args:
            pictures: how many, of which the last can be had.
            since_s: how long after the one before it that was due; None of a new connection.
        """
        self._count += pictures
        if since_s is None or since_s > PAUSE_S / 2:
            if since_s is not None:
                self.rounds[-1].whole = True
            self.rounds.append(Round(self._count - 1))


class Connection(Player):
    """Tells whose it is of what comes."""

    def __init__(self, address: str, played: Played) -> None:
        self._played = played
        super().__init__(address)

    def read(self) -> Picture | Coming | None:
        """Return what is next."""
        had = len(self.due_s)
        read = super().read()
        if len(self.due_s) > had:
            since_s = self.due_s[-1] - self.due_s[had - 1] if had else None
            self._played.note(len(self.due_s) - had, since_s)
        return read


class Counter(Sink):
    """Counts who got a shot, by the round in which it was taken."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._people: dict[int, set[int]] = defaultdict(set)

    def seen(self, seen: Seen) -> None:
        """See :class:`Sink`."""
        self._take(seen.due)

    def beat(self, beat: Beat) -> None:
        """See :class:`Sink`."""
        self._take(beat.due)

    def end(self, end: End) -> None:
        """See :class:`Sink`."""
        self._take(end.due)

    def _take(self, due: Sequence[Shot]) -> None:
        for shot in due:
            of = sum(one.first <= shot.frame for one in self._played.rounds) - 1
            self._people[of].add(shot.track)

    def whole(self) -> list[int]:
        """Return how many people each whole round has shown, but for the last, not yet told."""
        rounds = list(self._played.rounds)
        return [len(self._people[i]) for i, one in enumerate(rounds[:-1]) if one.whole]


class _Director(threading.Thread):
    """Sends one camera after the other away, and notes memory."""

    def __init__(
        self, players: Sequence[Played], counters: Sequence[Counter], end_s: float
    ) -> None:
        super().__init__(name="director", daemon=True)
        self._players, self._counters, self._end_s = players, counters, end_s
        self.stop = Stop()
        self.memory_mb: list[float] = []

    def run(self) -> None:
        minute = 0
        while (left_s := self._end_s - time.monotonic()) > 0 and not self.stop.is_set():
            time.sleep(min(left_s, EVERY_S - AWAY_S))
            who = self._players[minute % len(self._players)]
            who.leave()
            time.sleep(AWAY_S)
            who.come_back()
            minute += 1
            self.memory_mb.append(_memory_mb())
            people = ", ".join(f"{len(c.whole())} of {sum(c.whole())}" for c in self._counters)
            say(f"{minute:4} min  {self.memory_mb[-1]:6.0f} MB  rounds and people: {people}")
        self.stop.set()


def _memory_mb() -> float:
    """Return the memory of this process and all that it started, but for what plays the clips."""
    players = [one for child in active_children() for one in tree(child.pid or 0)]
    return resident_mb(set(tree(os.getpid())) - set(players))


class _Rounds(threading.Thread):
    """Stops when a camera has shown so many whole rounds and one is behind them."""

    def __init__(self, counter: Counter, wanted: int) -> None:
        super().__init__(name="rounds", daemon=True)
        self._counter, self._wanted = counter, wanted
        self.stop = Stop()

    def run(self) -> None:
        while len(self._counter.whole()) < self._wanted and not self.stop.is_set():
            time.sleep(0.2)
        self.stop.set()


@contextmanager
def cameras(
    players: Sequence[Played], folder: Path
) -> Iterator[tuple[list[Camera], list[Counter]]]:
    """Open what watches players, each with a vault of its own."""
    to = X25519Identity.generate().recipient
    stages = open_many([Settings(source=str(one.clip)) for one in players])
    made, counters = [], []
    with ExitStack() as open_now:
        for i, (played, of) in enumerate(zip(players, stages, strict=True), start=1):
            source = open_now.enter_context(Live(played.connect, f"camera {i}"))
            origin = Origin(source.name, of.engine.manifest.name, of.engine.manifest.sha256)
            sealing = Sealing((to,), quota_bytes=QUOTA)
            keeper = open_now.enter_context(Keeper(folder / str(i), sealing, waits=True))
            counters.append(Counter(played))
            vault = VaultSink(keeper, origin, "jpg", of.stopwatch)
            made.append(Camera(source, of, [vault, counters[-1]]))
        yield made, counters


def alone(clip: Path, fps: float, rounds: int, folder: Path) -> list[int]:
    """Return whom each of so many rounds shows of a camera that has all for itself."""
    with (
        playing([clip], fps, pause_s=PAUSE_S) as (address,),
        cameras([Played(clip, address)], folder) as (made, (counter,)),
    ):
        counting = _Rounds(counter, rounds)
        counting.start()
        for done in watch_many(made, counting.stop):
            if done.failure:
                raise done.failure
        return counter.whole()


def soak(
    clips: Sequence[Path], fps: float, minutes: float, least: Sequence[int], folder: Path
) -> int:
    """Watch all, and return 0 where nobody was lost and memory is flat."""
    with ExitStack() as open_now:
        addresses = open_now.enter_context(playing(clips, fps, pause_s=PAUSE_S))
        players = list(map(Played, clips, addresses))
        made, counters = open_now.enter_context(cameras(players, folder))
        director = _Director(players, counters, time.monotonic() + 60 * minutes)
        director.start()
        done = watch_many(made, director.stop)
    lost = 0
    for clip, counter, want, one, camera in zip(clips, counters, least, done, made, strict=True):
        if one.failure:
            raise one.failure
        people = counter.whole()
        short = sum(max(0, want - count) for count in people)
        lost += short
        say(
            f"{clip.name}: {len(people)} whole rounds, {min(people, default=0)} to "
            f"{max(people, default=0)} people in each, alone {want} at least; lost: {short}; "
            f"{one.frames} frames, {camera.source.dropped} dropped"
        )
    third = max(1, len(director.memory_mb) // 3)
    before, after = median(director.memory_mb[:third]), median(director.memory_mb[-third:])
    say(f"memory: {before:.0f} MB in the first third, {after:.0f} MB in the last; lost: {lost}")
    return int(lost > 0 or after > GROWTH * before)


def main(argv: list[str]) -> int:
    """Run what ``argv`` asks for."""
    arguments = Arguments("bench", USAGE)
    arguments.prog = "python -m sealshot.benchmarks.speed.soak"
    arguments.add_argument("clips", metavar="CLIP", nargs="+", type=Path)
    arguments.add_argument("--minutes", type=seconds, default=120.0)
    arguments.add_argument("--alone", type=positive_int, default=3)
    arguments.add_argument("--fps", type=positive_int, default=15)
    given = arguments.parse_args(argv)
    for clip in given.clips:
        if not clip.is_file():
            raise InputError(f"{clip} is not a file", hint="name a video file")
    with tempfile.TemporaryDirectory(prefix="sealshot-soak-") as name:
        least = []
        for i, clip in enumerate(given.clips):
            shown = alone(clip, given.fps, given.alone, Path(name) / f"alone-{i}")
            note(f"{clip.name} alone: {', '.join(map(str, shown))} people a round")
            least.append(min(shown, default=0))
        return soak(given.clips, given.fps, given.minutes, least, Path(name))


if __name__ == "__main__":
    run_module(main)
