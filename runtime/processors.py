"""How many processors this process may use: not how many the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
"""The cgroups of this process, a line each: ``hierarchy:controllers:path``; see cgroups(7)."""


def processors() -> int:
    """Return how many threads can run at once, 1 at least.

    Counts the processors that the process is bound to (a cpuset, taskset), and no more than the
    quota of time that its cgroups give it (``docker run --cpus``, a pod's limit), rounded up.
    """
    return max(1, min([len(os.sched_getaffinity(0)), *map(math.ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """Yield the processors' worth of time of each cgroup from this process's to the root."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2
            root = CGROUPS
        elif "cpu" in controllers.split(","):
            root = CGROUPS / controllers
        else:
            continue
        # in a container the path may be one of the host, of which only the root is seen
        for folder in (root / path.lstrip("/"), *(root / path.lstrip("/")).parents):
            quota = _version_2(folder) or _version_1(folder)
            if quota:
                yield quota
            if folder == root:
                break


def _version_2(folder: Path) -> float | None:
    return _ratio(_numbers(folder / "cpu.max"))


def _version_1(folder: Path) -> float | None:
    numbers = _numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us")
    return _ratio(numbers)


def _numbers(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(quota_and_period: list[str]) -> float | None:
    """Return quota over period; None where there is no limit: ``max``, or -1."""
    match quota_and_period:
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
            return int(quota) / int(period)
    return None
