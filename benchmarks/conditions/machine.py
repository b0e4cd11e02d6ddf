"""The state of the machine while it was measured: heat, clocks, who else wanted it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealshot.boards import detect


@dataclass(frozen=True)
class State:
    """One moment. What the kernel does not tell is absent."""

    temperatures_c: dict[str, float]
    """By thermal zone."""
    clocks_mhz: dict[str, float]
    """Of processor cores, and of what else scales its clock: GPU, memory."""
    load_1min: float


@dataclass(frozen=True)
class Conditions:
    """Before, after, and in between."""

    before: State
    after: State
    seconds: float
    governors: tuple[str, ...]
    """Of the processor's clock."""
    power_mode: str
    """Name and number, as the board's own configuration says."""
    cores: tuple[int, ...]
    """That the process may use."""
    stolen: float | None
    """Share of the cores' time that a hypervisor gave to others."""
    busy_otherwise: float | None
    """Cores that other processes kept busy, on average."""
    not_told: tuple[str, ...]
    """What this machine does not tell."""


class Watch:
    """Fills in once the block of :func:`conditions` has ended."""

    result: Conditions


@contextmanager
def conditions(root: Path = Path("/")) -> Iterator[Watch]:
    """Note the state of the machine before and after a block.

    Args:
        root: where ``sys`` and ``proc`` are mounted.
    """
    watch = Watch()
    before, busy, ours, start = state(root), _times(root), _own_s(), time.monotonic()
    yield watch
    seconds, after = time.monotonic() - start, state(root)
    total, stolen, worked = (b - a for a, b in zip(busy, _times(root), strict=True))
    own = (_own_s() - ours) * os.sysconf("SC_CLK_TCK")
    mode = detect(root).power_mode
    governors = tuple(sorted({_text(p) for p in _cores(root, "scaling_governor")}))
    told = {
        "temperatures": after.temperatures_c,
        "clocks": after.clocks_mhz,
        "governor": governors,
        "power mode": mode,
    }
    watch.result = Conditions(
        before=before,
        after=after,
        seconds=seconds,
        governors=governors,
        power_mode=f"{mode.name} (ID {mode.id})" if mode else "",
        cores=tuple(sorted(os.sched_getaffinity(0))),
        stolen=stolen / total if total else None,
        busy_otherwise=max(0.0, worked - own) / (seconds * os.sysconf("SC_CLK_TCK")),
        not_told=tuple(name for name, value in told.items() if not value),
    )


def state(root: Path = Path("/")) -> State:
    """Read heat, clocks and load now."""
    temperatures = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if (heat := _number(zone / "temp")) is not None:
            temperatures[f"{zone.name.removeprefix('thermal_')} {_text(zone / 'type')}"] = (
                heat / 1e3
            )
    clocks = {}
    for path in _cores(root, "scaling_cur_freq"):  # kHz
        if (clock := _number(path)) is not None:
            clocks[path.parent.parent.name] = clock / 1e3
    for device in sorted((root / "sys/class/devfreq").glob("*")):  # Hz
        if (clock := _number(device / "cur_freq")) is not None:
            clocks[device.name] = clock / 1e6
    return State(temperatures, clocks, round(os.getloadavg()[0], 2))


def _cores(root: Path, name: str) -> list[Path]:
    return sorted((root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/cpufreq/{name}"))


def _times(root: Path) -> tuple[float, float, float]:
    """Return ticks of all cores: all, stolen, and those in which something ran."""
    fields = [int(x) for x in _text(root / "proc/stat").splitlines()[0].split()[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = fields
    worked = user + nice + system + irq + softirq
    return worked + idle + iowait + steal, steal, worked


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip(" \t\r\n\0")
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
