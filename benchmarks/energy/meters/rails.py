"""Power rails of Jetson boards, by the files of the kernel.

- JetPack 5 and later, INA3221: ``/sys/bus/i2c/devices/*/hwmon/hwmon*/``: ``in{n}_label``,
  ``in{n}_input`` (mV), ``curr{n}_input`` (mA). Channel 7 is a sum of shunt voltages, and a channel
  labelled NC is not connected. (kernel: Documentation/hwmon/ina3221.rst)
- Thor, INA238: ``power1_input`` (µW). (kernel: Documentation/hwmon/ina238.rst)
- JetPack 4: ``/sys/bus/i2c/devices/*/iio:device*/``: ``rail_name_{n}``, ``in_power{n}_input`` (mW).

Buses, addresses and hwmon numbers differ between boards and boots: only labels are relied on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sealshot.benchmarks.energy.meters.sampled import Channel

TOTALS = {
    "VDD_IN": "supply of the module, without its carrier board",
    "POM_5V_IN": "supply of the module, without its carrier board",
    "VIN": "supply of the board",
}
"""Rails that feed all others (L4T developer guides). AGX Xavier and AGX Orin have none."""
NOT_CONNECTED = "NC"
SHUNT_SUM = 7


def find_rails(root: Path = Path("/sys")) -> list[Channel]:
    """Return the rails of the board; none where the kernel knows no power monitor.

    Args:
        root: where sysfs is mounted.
    """
    devices = root / "bus" / "i2c" / "devices"
    found = [
        channel
        for folder in sorted(devices.glob("*/hwmon/hwmon*"))
        for channel in (_ina238(folder) if _text(folder / "name") == "ina238" else _ina3221(folder))
    ]
    for folder in sorted(devices.glob("*/iio:device*")):
        found += _iio(folder)
    return found


def _ina3221(folder: Path) -> Iterator[Channel]:
    for label in sorted(folder.glob("in*_label")):
        number = int(re.sub(r"\D", "", label.name) or SHUNT_SUM)
        volts, amperes = folder / f"in{number}_input", folder / f"curr{number}_input"
        name = _text(label)
        if name in ("", NOT_CONNECTED) or number == SHUNT_SUM or not amperes.exists():
            continue
        if _text(folder / f"in{number}_enable") == "0":
            continue
        yield _channel(name, "INA3221", folder, _product(volts, amperes))


def _ina238(folder: Path) -> Iterator[Channel]:
    # its own label where the device tree gives one; on Thor the chip sits in the supply
    name = _text(folder / "in1_label") or "VIN"
    yield _channel(name, "INA238", folder, _scaled(folder / "power1_input", 1e-6))


def _iio(folder: Path) -> Iterator[Channel]:
    for label in sorted(folder.glob("rail_name_*")):
        power = folder / f"in_power{label.name.rpartition('_')[2]}_input"
        name = _text(label)
        if name not in ("", NOT_CONNECTED) and power.exists():
            yield _channel(name, "INA3221", folder, _scaled(power, 1e-3))


def _channel(name: str, chip: str, folder: Path, read: Callable[[], float]) -> Channel:
    address = next((part for part in folder.parts if re.fullmatch(r"\d+-[0-9a-f]{4}", part)), "")
    return Channel(
        name, f"{chip} {address}", read, is_total=name in TOTALS, note=TOTALS.get(name, "")
    )


def _scaled(path: Path, unit_w: float) -> Callable[[], float]:
    return lambda: int(path.read_text()) * unit_w


def _product(millivolts: Path, milliamperes: Path) -> Callable[[], float]:
    return lambda: int(millivolts.read_text()) * int(milliamperes.read_text()) * 1e-6


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip(" \t\r\n\0")
    except OSError:
        return ""
