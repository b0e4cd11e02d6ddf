"""Meters of energy: what the board can tell of itself, or an external one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealshot.benchmarks.energy.meters.base import Meter, NullMeter, RailEnergy, Reading
from sealshot.benchmarks.energy.meters.external import BAUD, open_csv, open_serial
from sealshot.benchmarks.energy.meters.nvml import find_nvml
from sealshot.benchmarks.energy.meters.rails import find_rails
from sealshot.benchmarks.energy.meters.rapl import find_rapl
from sealshot.benchmarks.energy.meters.sampled import Channel, SampledMeter
from sealshot.runtime.errors import InputError

__all__ = ["METERS", "Meter", "NullMeter", "RailEnergy", "Reading", "open_meter"]

METERS = ("auto", "none", "rails", "nvml", "rapl", "csv:FILE", "serial:DEVICE@BAUD")

FAMILIES: dict[str, tuple[Callable[[], list[Channel]], str, str]] = {
    "rails": (find_rails, "power rails", "no INA3221 or INA238 that the kernel knows"),
    "nvml": (find_nvml, "NVML", "no NVIDIA GPU that tells its energy"),
    "rapl": (find_rapl, "RAPL", "no energy counter of the processor"),
}


def open_meter(spec: str = "auto") -> Meter:
    """Open a meter.

    Args:
        spec: one of :data:`METERS`; ``auto`` takes all that the machine can tell of itself.

    Returns:
        The null meter where there is none; it knows why.

    Raises:
        InputError: there is no such meter, or the external one cannot be opened.
    """
    kind, _, where = spec.partition(":")
    if kind == "csv" and where:
        return open_csv(Path(where))
    if kind == "serial" and where:
        device, _, baud = where.partition("@")
        return open_serial(device, int(baud) if baud.isdigit() else BAUD)
    if spec == "none":
        return NullMeter("no meter was asked for")
    if spec != "auto" and spec not in FAMILIES:
        raise InputError(f"there is no meter '{spec}'", hint=f"use one of {', '.join(METERS)}")
    channels: list[Channel] = []
    names, missing = [], []
    for family in FAMILIES if spec == "auto" else (spec,):
        find, name, absent = FAMILIES[family]
        try:
            found = find()
        except PermissionError:
            missing.append(f"{name}: only root may read it")
            continue
        except OSError:  # no driver
            found = []
        channels += found
        if found:
            names.append(name)
        else:
            missing.append(f"{name}: {absent}")
    if not channels:
        return NullMeter("; ".join(missing))
    return SampledMeter(" and ".join(names), channels)
