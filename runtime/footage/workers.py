"""Workers: processes of this machine, or tasks of a Ray cluster. One that dies is replaced.

What a dead worker had in hand is done again, alone at first, so that a recording that kills is
known from those that were beside it; after two deaths it is given up, and told.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import io
import logging
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.footage.recordings import Recording
from sealshot.runtime.footage.work import Done, Work, watch_recording

logger = logging.getLogger(__name__)

DEATHS = 2
PR_SET_PDEATHSIG = 1
"""See prctl(2): the signal that a process gets when its parent dies."""
PROCESSORS = Path("/sys/devices/system/cpu")
LOOK_EVERY_S = 0.5
KILLED = "it ended its worker, twice: out of memory, or a file that breaks the decoder"
KILLED_HINT = "watch it alone: `sealshot run FILE ...`"


class Workers(Protocol):
    """Those who watch recordings."""

    def each(
        self, recordings: Iterable[Recording], work: Work, stopped: Callable[[], bool]
    ) -> Generator[Done]:
        """Give what came of each recording, as it comes; what is in hand when stopped is left."""


class Processes:
    """Processes of this machine, which share its processors."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._context = multiprocessing.get_context("spawn")  # threads and fork do not go together

    def each(
        self, recordings: Iterable[Recording], work: Work, stopped: Callable[[], bool]
    ) -> Generator[Done]:
        """Give what came of each recording."""
        left, suspects = deque(recordings), deque[Recording]()
        deaths = Counter[Recording]()
        while (left or suspects) and not stopped():
            pool = self._pool()
            hand: dict[Future[Done], Recording] = {}
            try:
                while not stopped():
                    while suspects and not hand:
                        self._submit(pool, hand, suspects.popleft(), work)
                    while not suspects and left and len(hand) < self._count:
                        self._submit(pool, hand, left.popleft(), work)
                    if not hand:
                        break
                    ready, _ = wait(hand, LOOK_EVERY_S, FIRST_COMPLETED)
                    for future in ready:
                        done = future.result()
                        del hand[future]
                        yield done
            except BrokenProcessPool:
                alone = len(hand) == 1
                for future, recording in list(hand.items()):
                    if future.done() and not future.exception():
                        yield future.result()
                        continue
                    deaths[recording] += alone
                    if deaths[recording] < DEATHS:
                        suspects.append(recording)
                    else:
                        yield Done(recording, fact=KILLED, hint=KILLED_HINT)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()

    def _pool(self) -> ProcessPoolExecutor:
        turn = self._context.Value("i", 0)
        return ProcessPoolExecutor(
            self._count, self._context, initializer=_begin, initargs=(turn, self._count)
        )

    def _submit(
        self,
        pool: ProcessPoolExecutor,
        hand: dict[Future[Done], Recording],
        recording: Recording,
        work: Work,
    ) -> None:
        hand[pool.submit(watch_recording, recording, work)] = recording


class Ray:
    """Tasks of the Ray cluster that ``RAY_ADDRESS`` names, or of one that is started here.

    Each task takes one processor, and finds recordings at the same paths, or in a bucket.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError as error:
            raise InputError(
                "--workers ray needs Ray, which is not installed", "pip install 'sealshot[ray]'"
            ) from error
        try:
            self._ray.init(
                ignore_reinit_error=True,
                include_dashboard=False,  # of a cluster that is started here
                log_to_driver=False,
                logging_level="error",
            )
        except (ConnectionError, ValueError) as error:
            raise InputError(
                "there is no Ray cluster where RAY_ADDRESS says", "`ray status` shows it"
            ) from error

    def each(
        self, recordings: Iterable[Recording], work: Work, stopped: Callable[[], bool]
    ) -> Generator[Done]:
        """Give what came of each recording; the connection to the cluster ends with it."""
        with (
            contextlib.redirect_stdout(_RaySays()),
            contextlib.closing(self._each(recordings, work, stopped)) as results,
        ):
            try:
                yield from results
            finally:
                self._ray.shutdown()

    def _each(
        self, recordings: Iterable[Recording], work: Work, stopped: Callable[[], bool]
    ) -> Generator[Done]:
        ray, died = self._ray, importlib.import_module("ray.exceptions")
        task = ray.remote(num_cpus=1, max_retries=DEATHS - 1)(_on_one_processor)
        shared, left = ray.put(work), deque(recordings)
        hand: dict[Any, Recording] = {}
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        while (left or hand) and not stopped():
            while left and len(hand) < most:
                recording = left.popleft()
                hand[task.remote(recording, shared)] = recording
            ready, _ = ray.wait(list(hand), timeout=LOOK_EVERY_S)
            for one in ready:
                recording = hand.pop(one)
                try:
                    yield ray.get(one)
                except (died.WorkerCrashedError, died.OutOfMemoryError, died.NodeDiedError):
                    yield Done(recording, fact=KILLED, hint=KILLED_HINT)
                except died.RayTaskError:
                    raise  # a defect of ours
                except died.RayError as error:
                    raise SealshotError(
                        f"the Ray cluster failed: {type(error).__name__}",
                        hint="`ray status` shows it; the same command goes on",
                    ) from error
        for one in hand:
            ray.cancel(one, force=True)


class _RaySays(io.TextIOBase):
    """Takes what Ray tells on standard output, where the summary goes; passes deaths on."""

    def write(self, text: str) -> int:
        """Take a text."""
        if "died" in text:
            logger.warning("a worker of the cluster died; what it had in hand is done again")
        return len(text)


def open_workers(spec: str) -> Workers:
    """Return the workers that ``--workers`` names: a count, or ``ray``.

    Raises:
        InputError: it names none.
    """
    if spec == "ray":
        return Ray()
    if not spec.isascii() or not spec.isdecimal() or not 1 <= int(spec) <= 1024:
        raise InputError(f"'{spec}' are no workers", hint="give a number from 1 on, or ray")
    return Processes(int(spec))


def _begin(turn: Any, count: int) -> None:
    """Bind a worker to its share of the processors; it ends when the writer says so, or is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with turn.get_lock():
        number, turn.value = turn.value, turn.value + 1
    processors = sorted(os.sched_getaffinity(0))
    if share := processors[number % count :: count]:
        os.sched_setaffinity(0, share)


def _on_one_processor(recording: Recording, work: Work) -> Done:
    """Watch with the threads of one processor: that is what a task is given."""
    with _own_processor():
        return watch_recording(recording, work)


@contextlib.contextmanager
def _own_processor() -> Iterator[None]:
    """Bind the caller, and what it starts, to a processor that no other worker is bound to.

    Whose it is says a lock on the processor's folder, which ends with its worker however that ends.
    Where all are taken the caller runs on any.
    """
    allowed = os.sched_getaffinity(0)
    with contextlib.ExitStack() as opened:
        for processor in sorted(allowed):
            folder = os.open(PROCESSORS / f"cpu{processor}", os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, folder)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.sched_setaffinity(0, {processor})
                break
        try:
            yield
        finally:
            os.sched_setaffinity(0, allowed)
