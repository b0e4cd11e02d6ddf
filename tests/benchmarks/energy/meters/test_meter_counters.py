"""Energy counters: staircases, wraps, resets; RAPL from files, NVML from a faked library."""

import ctypes
import os

import numpy as np
import pytest

from sealshot.benchmarks.energy import meters
from sealshot.benchmarks.energy.meters import NullMeter, open_meter
from sealshot.benchmarks.energy.meters.integrate import counter_energy, power_energy, unwrap
from sealshot.benchmarks.energy.meters.nvml import find_nvml
from sealshot.benchmarks.energy.meters.rapl import find_rapl
from sealshot.benchmarks.energy.meters.sampled import SampledMeter
from sealshot.runtime.errors import InputError


@pytest.mark.parametrize("every_s", [0.001, 0.02, 0.1])
def test_a_counter_that_moves_now_and_then_is_no_coarser_for_it(every_s):
    times = np.arange(0, 10.5, 0.01)
    watts = 40.0
    stairs = watts * np.floor(times / every_s) * every_s + 1234
    assert counter_energy(times, stairs, 0.253, 10.248) == pytest.approx(watts * 9.995, rel=0.005)


@pytest.mark.parametrize(
    ("read", "wrap_j", "risen", "resets"),
    [
        ([1, 2, 5], None, [0, 1, 4], 0),
        ([90, 98, 6, 20], 100, [0, 8, 16, 30], 0),
        ([90, np.nan, 6], 100, [0, np.nan, 16], 0),
        ([50, 60, 1, 4], None, [0, 10, 10, 13], 1),
        ([np.nan, np.nan], 100, [np.nan, np.nan], 0),
        ([], 100, [], 0),
    ],
)
def test_a_wrap_is_undone_and_a_reset_is_told(read, wrap_j, risen, resets):
    found, count = unwrap(np.array(read, float), wrap_j)
    np.testing.assert_allclose(found, risen)
    assert count == resets


def test_power_outside_of_the_readings_is_that_of_the_nearest():
    times, watts = np.array([1.0, 2.0, 3.0]), np.array([10.0, np.nan, 20.0])
    assert power_energy(times, watts, 0.0, 4.0) == pytest.approx(10 + 2 * 15 + 20)
    assert power_energy(times, watts, 1.5, 2.5) == pytest.approx(15)
    assert power_energy(times, np.full(3, np.nan), 0.0, 4.0) is None


def write_zone(root, zone, name, energy_uj, range_uj=262_143_328_850):
    folder = root / "class/powercap" / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return folder / "energy_uj"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_rapl_zones_have_names_and_wraps(tmp_path):
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 0, range_uj=1_000_000_000)
    write_zone(tmp_path, "intel-rapl:0:0", "dram", 7)
    write_zone(tmp_path, "intel-rapl:1", "psys", 9)
    (tmp_path / "class/powercap/intel-rapl").mkdir()  # the control type: no counter
    channels = {c.name: c for c in find_rapl(tmp_path)}
    assert set(channels) == {"package-0", "package-0 dram", "psys"}
    assert [name for name, c in channels.items() if c.is_total] == ["psys"]

    clock = Clock()
    meter = SampledMeter("RAPL", list(channels.values()), clock=clock)
    meter.begin()
    for i in range(1001):  # 30 W for 10 s from 900 J on: it wraps at 1000 J
        counter.write_text(f"{(900_000_000 + i * 300_000) % 1_000_000_000}\n")
        clock.now = 100 + i * 0.01
        meter.sample()
    reading = meter.between(100.0, 110.0)
    energy = {rail.name: rail.joules for rail in reading.rails}
    assert energy["package-0"] == pytest.approx(300, rel=0.005)
    assert energy["psys"] is None
    assert "did not move" in reading.rails[-1].note


def test_one_bad_zone_takes_no_other(tmp_path):
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 900_000_000)
    write_zone(tmp_path, "intel-rapl:1", "package-1", 0).unlink()
    (tmp_path / "class/powercap/intel-rapl:1/energy_uj").mkdir()  # reading it fails
    for file in ("max_energy_range_uj", "name"):
        (tmp_path / "class/powercap/intel-rapl:0" / file).unlink()
    (channel,) = find_rapl(tmp_path)
    assert (channel.name, channel.wrap_j) == ("intel-rapl:0", None)

    clock = Clock()
    meter = SampledMeter("RAPL", [channel], clock=clock)
    meter.begin()
    for i in range(1001):  # 30 W for 10 s; once it starts again at 0
        counter.write_text(f"{(900_000_000 + i * 300_000) % 1_000_000_000}\n")
        clock.now = 100 + i * 0.01
        meter.sample()
    (rail,) = meter.between(100.0, 110.0).rails
    assert rail.joules == pytest.approx(300, rel=0.01)
    assert "went back 1 times" in rail.note


def test_rapl_for_root_alone_is_said_to_be_so(tmp_path, monkeypatch):
    def refused():
        raise PermissionError(13, os.strerror(13))

    families = {"rapl": (refused, *meters.FAMILIES["rapl"][1:])}
    monkeypatch.setattr(meters, "FAMILIES", families)
    meter = open_meter("auto")
    assert isinstance(meter, NullMeter)
    meter.start()
    reading = meter.stop()
    assert reading.rails == ()
    assert "only root" in reading.why_not


class Nvml:
    """The calls of NVML that are used; ``energy`` and ``power`` are None where unsupported."""

    NOT_SUPPORTED = 3

    def __init__(self, energy, power, count=1, init=0):
        self.energy, self.power, self.count, self.init = energy, power, count, init

    def nvmlInit_v2(self):  # noqa: N802
        return self.init

    def nvmlDeviceGetCount_v2(self, count):  # noqa: N802
        count._obj.value = self.count
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, device):  # noqa: N802
        device._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetName(self, _device, name, length):  # noqa: N802
        assert length.value == ctypes.sizeof(name)
        name.value = b"GPU X"
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, _device, value):  # noqa: N802
        return self._give(self.energy, value)

    def nvmlDeviceGetPowerUsage(self, _device, value):  # noqa: N802
        return self._give(self.power, value)

    def _give(self, what, value):
        if what is None:
            return self.NOT_SUPPORTED
        value._obj.value = what
        return 0


@pytest.mark.parametrize(
    ("energy", "power", "found"),
    [
        (5_000_000, 70_000, ("NVML energy counter", True, 5000.0)),
        (None, 70_500, ("NVML power", False, 70.5)),
        (None, None, None),  # a Jetson
    ],
)
def test_nvml_counts_energy_or_samples_power(energy, power, found):
    channels = find_nvml(Nvml(energy, power))
    if found is None:
        assert channels == []
        return
    (channel,) = channels
    assert (channel.source, channel.is_counter, channel.read()) == found
    assert channel.name == "GPU 0: GPU X"
    assert not channel.is_total


def test_a_gpu_that_does_not_answer_takes_no_other():
    class OneLost(Nvml):
        def nvmlDeviceGetHandleByIndex_v2(self, index, device):  # noqa: N802
            gpu_is_lost = 15
            if index.value == 0:
                return gpu_is_lost
            return super().nvmlDeviceGetHandleByIndex_v2(index, device)

    assert [c.name for c in find_nvml(OneLost(5_000_000, None, count=2))] == ["GPU 1: GPU X"]


def test_nvml_that_is_lost_later_is_an_error_of_the_channel():
    nvml = Nvml(None, 50_000, count=2)
    clock = Clock()
    meter = SampledMeter("NVML", find_nvml(nvml), clock=clock)
    meter.begin()
    for i in range(11):
        clock.now = 100 + i * 0.1
        nvml.power = None if i == 10 else 50_000
        meter.sample()
    reading = meter.between(100.0, 101.0)
    assert [r.joules for r in reading.rails] == [pytest.approx(50)] * 2
    assert "error 3" in reading.rails[0].note


def test_nvml_that_does_not_start_is_absent():
    with pytest.raises(OSError, match="error 9"):
        find_nvml(Nvml(1, 1, init=9))


@pytest.mark.parametrize("spec", ["watts", "csv:", "serial:/dev/null", "csv:/no/such/file"])
def test_a_meter_that_is_not_there_is_refused(spec):
    with pytest.raises(InputError):
        open_meter(spec)


def test_no_meter_measures_nothing():
    meter = open_meter("none")
    meter.start()
    assert meter.stop().rails == ()
    assert meter.name == "not measured"
