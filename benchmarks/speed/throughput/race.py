"""The clock: closed loop, where one call follows another, and open loop, where faces arrive.

All take turns, a turn each in every round, in an order that changes with the round: what slows the
machine for a while slows all of them. Ratios are taken within a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.benchmarks.speed.throughput.contenders import Contender, Crops, Score, pinned
from sealshot.runtime.cli.terminal import progress

PERCENTILES = (50, 95, 99)
LOAD = 0.8
"""Share of the closed loop's rate at which faces arrive in the open loop."""
FEWEST_ARRIVALS, LONGEST_ARRIVALS_S = 50, 5.0


@dataclass(frozen=True)
class Entry:
    """A contender at a batch size, on a number of threads, ready to run."""

    contender: Contender
    batch: int
    threads: int
    score: Score


def same_score(entry: Entry, other: Entry) -> bool:
    """Tell whether both compute one function on as many threads."""
    same = other.contender.score == entry.contender.score
    return same and other.threads == entry.threads


@dataclass(frozen=True)
class Latency:
    """Milliseconds, 50, 95 and 99 of 100 below it."""

    p50: float
    p95: float
    p99: float
    count: int


@dataclass(frozen=True)
class Closed:
    """One call after another."""

    faces_per_s: Spread
    """Over rounds."""
    call_ms: Latency
    """Of a whole batch."""
    cpu_ms_per_face: Spread
    """Processor time, all threads; other processes do not change it much."""
    to_eager: Spread | None
    """Times as fast as PyTorch eager, one crop at a time, same score and threads; over rounds."""
    to_plain: Spread | None
    """Times as fast as the plain export at the same batch, same score and threads."""
    to_default: Spread | None
    """Times as fast as the default score, plain export, at the same batch and threads."""


@dataclass(frozen=True)
class Open:
    """Faces arrive by chance; whoever waits is taken along, up to a batch."""

    arrivals_per_s: float
    done_per_s: float
    face_ms: Latency
    """From its arrival on, waiting included."""
    most_waiting: int


def closed_loop(
    entries: Sequence[Entry],
    crops: Crops,
    rounds: int,
    seconds: float,
    references: Sequence[Callable[[Entry, Entry], bool]],
) -> list[Closed]:
    """Measure all entries.

    Args:
        entries: who races; each is called once to warm up before each turn.
        crops: ``uint8 [n, 1, 64, 64]``, repeated to the batch.
        rounds: turns of each.
        seconds: length of a turn, one call at least.
        references: for PyTorch eager, the plain export and the default score: whether the second
            entry is the one that the first is compared with.
    """
    rates, cpu = np.empty((2, rounds, len(entries)))
    calls: list[list[float]] = [[] for _ in entries]
    order = np.random.default_rng(0)
    with progress("rounds", rounds * len(entries)) as bar:
        for turn in range(rounds):
            for done, i in enumerate(order.permutation(len(entries))):
                entry = entries[i]
                batch = _batch(crops, entry.batch)
                with pinned(entry.threads):
                    entry.score(batch)
                    cpu_start, count = time.process_time(), len(calls[i])
                    marks = [time.perf_counter()]
                    while len(marks) < 2 or marks[-1] - marks[0] < seconds:
                        entry.score(batch)
                        marks.append(time.perf_counter())
                    cpu_s = time.process_time() - cpu_start
                calls[i] += [end - start for start, end in pairwise(marks)]
                faces = entry.batch * (len(calls[i]) - count)
                rates[turn, i] = faces / (marks[-1] - marks[0])
                cpu[turn, i] = 1e3 * cpu_s / faces
                bar.update(turn * len(entries) + done + 1, entry.contender.name)

    def ratio(i: int, is_reference: Callable[[Entry, Entry], bool]) -> Spread | None:
        than = [k for k, other in enumerate(entries) if is_reference(entries[i], other)]
        return spread(rates[:, i] / rates[:, than[0]]) if than else None

    return [
        Closed(
            spread(rates[:, i]),
            _latency(np.array(calls[i])),
            spread(cpu[:, i]),
            *(ratio(i, reference) for reference in references),
        )
        for i in range(len(entries))
    ]


def open_loop(entry: Entry, crops: Crops, per_s: float, seconds: float) -> Open:
    """Let faces arrive at random moments, as many a second on average.

    A face's time starts when it arrives, not when it is taken, so that a slow call is seen by all
    who wait for it (no coordinated omission).

    Args:
        entry: who serves.
        crops: ``uint8 [n, 1, 64, 64]``, repeated to the batch.
        per_s: faces a second.
        seconds: how long they arrive; longer where that gives fewer than 50, but 5 s at most.
    """
    seconds = max(seconds, min(FEWEST_ARRIVALS / per_s, LONGEST_ARRIVALS_S))
    chance = np.random.default_rng(0)
    count = max(1, round(per_s * seconds))
    arrivals = np.cumsum(chance.exponential(size=count))
    arrivals *= count / per_s / arrivals[-1]
    done = np.empty(count)
    served = most_waiting = 0
    with pinned(entry.threads):
        entry.score(_batch(crops, entry.batch))
        start = time.perf_counter()
        while served < count:
            now = time.perf_counter() - start
            waiting = int(np.searchsorted(arrivals, now, "right")) - served
            if not waiting:
                time.sleep(max(0.0, arrivals[served] - now))
                continue
            most_waiting = max(most_waiting, waiting)
            taken = min(waiting, entry.batch)
            entry.score(_batch(crops, taken))
            done[served : served + taken] = time.perf_counter() - start
            served += taken
    return Open(
        arrivals_per_s=per_s,
        done_per_s=count / float(done[-1]),
        face_ms=_latency(done - arrivals),
        most_waiting=most_waiting,
    )


def call_s(entry: Entry, crops: Crops) -> float:
    """Return how long one call takes, after one to warm up."""
    batch = _batch(crops, entry.batch)
    with pinned(entry.threads):
        entry.score(batch)
        start = time.perf_counter()
        entry.score(batch)
        return time.perf_counter() - start


def _batch(crops: Crops, count: int) -> Crops:
    return np.resize(crops, (count, *crops.shape[1:]))


def _latency(seconds: NDArray[np.float64]) -> Latency:
    p50, p95, p99 = 1e3 * np.percentile(seconds, PERCENTILES)
    return Latency(float(p50), float(p95), float(p99), len(seconds))
