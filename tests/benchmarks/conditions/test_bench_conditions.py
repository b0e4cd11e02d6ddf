"""The state of the machine: what is told is noted before and after, what is not told is named."""

import platform
import time
from pathlib import Path

import pytest

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.machine import conditions, state
from sealshot.benchmarks.conditions.spread import Spread, spread


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


@pytest.fixture
def machine(tmp_path):
    write(tmp_path, "proc/stat", "cpu  1000 0 500 8000 10 0 20 30 0 0")
    write(tmp_path, "sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", 48250)
    write(tmp_path, "sys/class/thermal/thermal_zone1/type", "gpu-thermal")
    (tmp_path / "sys/class/thermal/thermal_zone1/temp").mkdir()  # asleep: reading it fails
    for core in (0, 1):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(tmp_path, f"{folder}/scaling_cur_freq", 1_510_400)
        write(tmp_path, f"{folder}/scaling_governor", "schedutil")
    write(tmp_path, "sys/class/devfreq/17000000.gpu/cur_freq", 624_750_000)
    return tmp_path


def test_heat_and_clocks_have_units(machine):
    now = state(machine)
    assert now.temperatures_c == {"zone0 cpu-thermal": 48.25}
    assert now.clocks_mhz == {"cpu0": 1510.4, "cpu1": 1510.4, "17000000.gpu": 624.75}


def test_a_machine_that_heats_up_is_seen_to(machine):
    with conditions(machine) as watch:
        write(machine, "sys/class/thermal/thermal_zone0/temp", 81000)
        write(machine, "sys/class/devfreq/17000000.gpu/cur_freq", 306_000_000)
        write(machine, "proc/stat", "cpu  1500 0 500 8400 10 0 20 130 0 0")
        time.sleep(0.05)
    found = watch.result
    assert found.before.temperatures_c["zone0 cpu-thermal"] == 48.25
    assert found.after.temperatures_c["zone0 cpu-thermal"] == 81
    assert found.after.clocks_mhz["17000000.gpu"] == 306
    assert found.governors == ("schedutil",)
    assert found.stolen == pytest.approx(0.1)
    assert found.busy_otherwise > 10  # 5 s of work by others in a moment
    assert found.not_told == ("power mode",)
    assert found.seconds >= 0.05


def test_what_a_machine_does_not_tell_is_named(tmp_path):
    write(tmp_path, "proc/stat", "cpu  1000 0 500 8000 10 0 20 30 0 0")
    with conditions(tmp_path) as watch:
        pass
    assert watch.result.not_told == ("temperatures", "clocks", "governor", "power mode")
    assert watch.result.stolen is None


def test_this_machine_can_be_watched():
    with conditions() as watch:
        sum(range(10**6))
    assert watch.result.cores
    assert watch.result.busy_otherwise >= 0


@pytest.mark.parametrize(
    ("values", "summed"),
    [([3, 1, 2], Spread(2, 1, 3, 3)), ([5], Spread(5, 5, 5, 1)), ([1, 2], Spread(1.5, 1, 2, 2))],
)
def test_a_spread_is_median_and_ends(values, summed):
    assert spread(values) == summed


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names x86-64's instructions")
def test_instructions_are_those_that_the_processor_has():
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    found = environment().instructions
    # NumPy 2.4 names levels of x86-64 where older ones name instructions
    for flag, names in (("avx2", ("AVX2", "X86_V3")), ("avx512f", ("AVX512F", "X86_V4"))):
        assert (flag in flags) == any(name in found for name in names)
