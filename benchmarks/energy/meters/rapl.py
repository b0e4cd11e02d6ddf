"""RAPL: the energy counters of Intel and AMD processors, by the kernel's powercap files.

``/sys/class/powercap/intel-rapl:*/``: ``name``, ``energy_uj``, ``max_energy_range_uj``, where the
counter starts again at 0. Readable by root alone since CVE-2020-8694. (kernel:
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
    channels = []
    for zone in sorted((root / "class" / "powercap").glob("intel-rapl:*")):
        counter = zone / "energy_uj"
        if not counter.exists():
            continue
        counter.read_text()
        name = (zone / "name").read_text().strip()
        if zone.name.count(":") > 1:  # core, uncore or dram of a package
            package = zone.with_name(zone.name.rpartition(":")[0])
            name = f"{(package / 'name').read_text().strip()} {name}"
        channels.append(
            Channel(
                name,
                f"RAPL {zone.name.removeprefix('intel-rapl:')}",
                _joules(counter),
                is_counter=True,
                is_total=name == WHOLE,
                wrap_j=int((zone / "max_energy_range_uj").read_text()) * 1e-6,
                note="" if name == WHOLE else "part of the processor, not the machine",
            )
        )
    return channels


def _joules(counter: Path) -> Callable[[], float]:
    return lambda: int(counter.read_text()) * 1e-6
