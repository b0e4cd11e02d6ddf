"""One process, from its start to its end: time, processor time, memory, with all that it starts.

Resident pages that its processes share, such as those of a library, count once, and what strangers
share with them counts too: it is what would be free if all of them were gone. (The kernel's PSS
would be less the more others on the machine use the same libraries; a sum of resident sizes counts
a page for each process.)
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.errors import SealshotError

LOOK_S = 0.02
"""Between two looks at whether a process has ended, and at its peak."""
COUNT_SHARE = 0.02
"""Of a processor's time is spent to count pages, which takes some 10 ms a process."""


@dataclass(frozen=True)
class Ran:
    """What a process did."""

    seconds: float
    cpu_s: float
    """Of all its processes."""
    peak_mb: float
    """Likewise: the peaks of all, as if they were at one time; what they share counts for each."""
    once_mb: float
    """Most of all looks: of all its processes, each page counted once."""
    started_s: float
    """By the monotonic clock, which is that of all processes."""
    said: str
    """To standard output."""


def ran(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], hint: str
) -> Ran:
    """Run a command to its end.

    Args:
        name: of what runs, for the message where it fails.
        command: and its arguments.
        folder: to run in; it exists.
        environment: all its variables.
        hint: what to do where it fails.

    Raises:
        SealshotError: it failed.
    """
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
        started_s = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder, env=environment)
        peaks_mb: dict[int, float] = {}
        once_mb, count_s = 0.0, started_s
        try:
            while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                all_of_it = tree(process.pid)
                for one in all_of_it:
                    peaks_mb[one] = max(peaks_mb.get(one, 0.0), _peak_mb(one))
                if time.monotonic() > count_s:
                    begun_s = time.thread_time()
                    once_mb = max(once_mb, resident_mb(all_of_it))
                    rest_s = (time.thread_time() - begun_s) / COUNT_SHARE
                    count_s = time.monotonic() + rest_s
                time.sleep(LOOK_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - started_s
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out.seek(0)
        err.seek(0)
        if process.returncode:
            last = (err.read().strip().splitlines() or ["it says nothing"])[-1]
            raise SealshotError(f"{name} ended with {process.returncode}: {last}", hint=hint)
        return Ran(
            seconds=seconds,
            cpu_s=ended[2].ru_utime + ended[2].ru_stime,
            peak_mb=sum(peaks_mb.values()),
            once_mb=once_mb,
            started_s=started_s,
            said=out.read(),
        )


def tree(process: int) -> list[int]:
    """Return a process and all that it started, and those that they did, as far as they live."""
    found = [process]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:  # it has just ended
            continue
    return found


def resident_mb(processes: Iterable[int]) -> float:
    """Return the memory of processes, each page counted once.

    Of a file that several have mapped, the one that has most of it in memory counts: that they use
    other parts of it is left out. What is of no file and shared by a fork alone counts for each. A
    process that has just ended has none.
    """
    own_kb, shared_kb = 0, Counter[str]()
    for process in processes:
        of_file, file = Counter[str](), ""
        try:
            lines = Path(f"/proc/{process}/smaps").read_text(errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, rest = line.partition(" ")
            if key[-1] != ":":  # addresses, rights, offset, device, inode, path
                _, _, device, inode, *_ = rest.split(maxsplit=4)
                file = f"{device} {inode}" if inode != "0" else f"of {process}"
            elif key.startswith("Private_") and key != "Private_Hugetlb:":
                own_kb += int(rest.split()[0])
            elif key in ("Shared_Clean:", "Shared_Dirty:"):
                of_file[file] += int(rest.split()[0])
        shared_kb |= of_file  # the larger of both
    return (own_kb + shared_kb.total()) * 1024 / 1e6


class Most:
    """Counts the memory of this process and all that it started, now and then, from a thread."""

    def __init__(self) -> None:
        self.mb = 0.0
        """The most of all counts."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, name="memory", daemon=True)

    def _count(self) -> None:
        took_s = 0.0
        while not self._over.wait(took_s / COUNT_SHARE):
            start_s = time.thread_time()
            self.mb = max(self.mb, resident_mb(tree(os.getpid())))
            took_s = time.thread_time() - start_s

    def __enter__(self) -> Most:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def cpu_s(processes: Iterable[int]) -> float:
    """Return the processor time of living processes, and of what they started and saw end."""
    ticks = 0
    for process in processes:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return ticks / os.sysconf("SC_CLK_TCK")


def own_peak_mb() -> float:
    """Return the largest resident memory of this process so far.

    Raises:
        SealshotError: the kernel does not tell it.
    """
    peak = _peak_mb(os.getpid())
    if not peak:
        raise SealshotError("this kernel does not tell the peak memory of a process (VmHWM)")
    return peak


def _peak_mb(process: int) -> float:
    """Not what ``wait4`` or ``getrusage`` give: that outlives exec(2), from a parent to its child.

    One that has ended has none.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(x.split()[1]) * 1024 / 1e6 for x in lines if x.startswith("VmHWM:")), 0.0)
