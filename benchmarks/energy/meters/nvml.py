"""NVML: energy and power of NVIDIA's discrete GPUs, through the driver's own library.

Jetson boards answer "not supported": their rails are read instead. (NVML API reference:
nvmlDeviceGetTotalEnergyConsumption, mJ since the driver was loaded, Volta and later;
nvmlDeviceGetPowerUsage, mW.)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from sealshot.benchmarks.energy.meters.sampled import Channel

LIBRARY = "libnvidia-ml.so.1"
SUCCESS = 0


def find_nvml(library: Any = None) -> list[Channel]:
    """Return a channel a GPU: its energy counter, or its power where it has none.

    Args:
        library: NVML, for tests; the driver's by default.

    Raises:
        OSError: there is no driver, or it does not answer.
    """
    nvml = library or ctypes.CDLL(LIBRARY)
    _ask(nvml.nvmlInit_v2)
    count = ctypes.c_uint()
    _ask(nvml.nvmlDeviceGetCount_v2, ctypes.byref(count))
    channels = []
    for index in range(count.value):
        try:
            found = _channel(nvml, index)
        except OSError:  # this GPU is lost; others may answer
            continue
        if found:
            channels.append(found)
    return channels


def _channel(nvml: Any, index: int) -> Channel | None:
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    _ask(nvml.nvmlDeviceGetHandleByIndex_v2, ctypes.c_uint(index), ctypes.byref(device))
    _ask(nvml.nvmlDeviceGetName, device, name, ctypes.c_uint(len(name)))
    energy = _reader(nvml.nvmlDeviceGetTotalEnergyConsumption, device, ctypes.c_ulonglong)
    power = _reader(nvml.nvmlDeviceGetPowerUsage, device, ctypes.c_uint)
    for read, is_counter in ((energy, True), (power, False)):
        try:
            read()
        except OSError:
            continue
        return Channel(
            f"GPU {index}: {name.value.decode(errors='replace')}",
            "NVML energy counter" if is_counter else "NVML power",
            read,
            is_counter=is_counter,
            note="the GPU, not the machine",
        )
    return None


def _reader(function: Any, device: ctypes.c_void_p, kind: Any) -> Callable[[], float]:
    def read() -> float:
        value = kind()
        _ask(function, device, ctypes.byref(value))
        return float(value.value) * 1e-3

    return read


def _ask(function: Any, *arguments: Any) -> None:
    status = function(*arguments)
    if status != SUCCESS:
        raise OSError(
            0, f"NVML answers error {status} to {getattr(function, '__name__', 'a call')}"
        )
