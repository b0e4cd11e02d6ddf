"""RAPL: the energy counters of Intel and AMD processors, by the kernel's powercap files.

``/sys/class/powercap/intel-rapl:*/``: ``name``, ``energy_uj``, ``max_energy_range_uj``, where the
counter starts again at 0; where it is not there (containers that pass on only the counter), a step
back is told as energy that is missing. Readable by root alone since CVE-2020-8694. (kernel:
Documentation/power/powercap/powercap.rst)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealshot.benchmarks.energy.meters.sampled import Channel

WHOLE = "psys"
"""The zone of the whole platform; a package is the processor alone."""


def find_rapl(root: Path = Path("/sys")) -> list[Channel]:
    """Return the zones that are there, with their sub-zones.

    Args:
        root: where sysfs is mounted.

    Raises:
        PermissionError: they are there, but not for this user.
    """
    channels, refused = [], False
    for zone in sorted((root / "class" / "powercap").glob("intel-rapl:*")):
        counter = zone / "energy_uj"
        if not counter.exists():
            continue
        try:
            counter.read_text()
        except PermissionError:
            refused = True
            continue
        except OSError:  # this zone does not answer; others may
            continue
        name = _text(zone / "name") or zone.name
        if zone.name.count(":") > 1:  # core, uncore or dram of a package
            package = zone.with_name(zone.name.rpartition(":")[0])
            name = f"{_text(package / 'name') or package.name} {name}"
        limit = _text(zone / "max_energy_range_uj")
        channels.append(
            Channel(
                name,
                f"RAPL {zone.name.removeprefix('intel-rapl:')}",
                _joules(counter),
                is_counter=True,
                is_total=name == WHOLE,
                wrap_j=int(limit) * 1e-6 if limit.isdecimal() else None,
                note="" if name == WHOLE else "part of the processor, not the machine",
            )
        )
    if refused and not channels:
        raise PermissionError("the energy counters of the processor are there for root alone")
    return channels


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _joules(counter: Path) -> Callable[[], float]:
    return lambda: int(counter.read_text()) * 1e-6
