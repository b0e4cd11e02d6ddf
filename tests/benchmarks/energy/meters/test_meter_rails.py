"""Power rails replayed from trees of files, laid out as the kernel of each JetPack does."""

import math
import time

import pytest

from sealshot.benchmarks.energy.meters.rails import TOTALS, find_rails
from sealshot.benchmarks.energy.meters.sampled import SampledMeter
from sealshot.boards import boards

DEVICES = "bus/i2c/devices"
IIO, INA3221, INA238 = "iio", "ina3221", "ina238"

# board -> chips: (kind, folder, rails by channel number), and the rail that is the total
BOARDS = {
    "Nano, JetPack 4": (
        [(IIO, "6-0040/iio:device0", {0: "POM_5V_IN", 1: "POM_5V_GPU", 2: "POM_5V_CPU"})],
        "POM_5V_IN",
    ),
    "TX2, JetPack 4": (
        [
            (IIO, "0-0040/iio:device0", {0: "VDD_SYS_GPU", 1: "VDD_SYS_SOC", 2: "VDD_4V0_WIFI"}),
            (IIO, "0-0041/iio:device1", {0: "VDD_IN", 1: "VDD_SYS_CPU", 2: "VDD_SYS_DDR"}),
            (IIO, "0-0042/iio:device2", {0: "VDD_MUX", 1: "VDD_5V0_IO_SYS", 2: "VDD_3V3_SYS"}),
        ],
        "VDD_IN",
    ),
    "AGX Xavier, JetPack 5": (
        [
            (INA3221, "1-0040/hwmon/hwmon5", {1: "GPU", 2: "CPU", 3: "SOC"}),
            (INA3221, "1-0041/hwmon/hwmon6", {1: "CV", 2: "VDDRQ", 3: "SYS5V"}),
        ],
        None,
    ),
    "Orin Nano and NX, JetPack 6": (
        [(INA3221, "1-0040/hwmon/hwmon1", {1: "VDD_IN", 2: "VDD_CPU_GPU_CV", 3: "VDD_SOC"})],
        "VDD_IN",
    ),
    "AGX Orin, JetPack 6": (
        [
            (INA3221, "1-0040/hwmon/hwmon3", {1: "VDD_GPU_SOC", 2: "VDD_CPU_CV", 3: "VIN_SYS_5V0"}),
            (INA3221, "1-0041/hwmon/hwmon4", {1: "NC", 2: "VDDQ_VDD2_1V8AO", 3: "NC"}),
        ],
        None,
    ),
    "Thor, JetPack 7": (
        [
            (INA238, "2-0044/hwmon/hwmon2", {1: "VIN"}),
            (INA3221, "2-0040/hwmon/hwmon3", {1: "VDD_GPU", 2: "VDD_CPU_SOC_MSS", 3: "NC"}),
        ],
        "VIN",
    ),
}


class Board:
    """A tree of files whose rails carry a power that is known at every moment."""

    def __init__(self, root, chips):
        self.devices = root / DEVICES
        self.rails = {}  # name -> function that sets the power
        for kind, folder, names in chips:
            folder = self.devices / folder
            folder.mkdir(parents=True)
            for number, name in names.items():
                {IIO: self._iio, INA3221: self._ina3221, INA238: self._ina238}[kind](
                    folder, number, name
                )
            if kind == INA3221:  # shunt voltages without a label, and their sum with one
                (folder / "name").write_text("ina3221\n")
                for number in (4, 5, 6, 7):
                    (folder / f"in{number}_input").write_text("80\n")
                (folder / "in7_label").write_text("sum of shunt voltages\n")
                (folder / "curr4_input").write_text("40\n")
        supply = self.devices / "2-0008/hwmon/hwmon0"  # a USB-C port: it measures no rail
        supply.mkdir(parents=True)
        (supply / "name").write_text("ucsi_source_psy_2_00081\n")
        (supply / "in0_input").write_text("5000\n")
        (supply / "curr1_input").write_text("3000\n")

    def set_power(self, watts):
        for i, set_w in enumerate(self.rails.values()):
            set_w(watts / (i + 1))

    def _iio(self, folder, number, name):
        (folder / f"rail_name_{number}").write_text(f"{name}\n")
        power = folder / f"in_power{number}_input"
        self.rails[name] = lambda w: power.write_text(f"{round(1e3 * w)}\n")
        self.rails[name](0)

    def _ina3221(self, folder, number, name):
        (folder / f"in{number}_label").write_text(f"{name}\n")
        (folder / f"in{number}_enable").write_text("1\n")
        volts, amperes = folder / f"in{number}_input", folder / f"curr{number}_input"
        volts.write_text("5040\n")
        amperes.write_text("0\n")
        if name != "NC":
            self.rails[name] = lambda w: amperes.write_text(f"{round(1e3 * w / 5.040)}\n")

    def _ina238(self, folder, _number, name):
        (folder / "name").write_text("ina238\n")
        (folder / "in0_input").write_text("12\n")
        (folder / "in1_input").write_text("20000\n")
        (folder / "curr1_input").write_text("1000\n")
        power = folder / "power1_input"
        self.rails[name] = lambda w: power.write_text(f"{round(1e6 * w)}\n")
        self.rails[name](0)


class Clock:
    def __init__(self):
        self.now = 5000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=BOARDS)
def board(request, tmp_path):
    chips, total = BOARDS[request.param]
    return Board(tmp_path, chips), total, tmp_path


@pytest.fixture
def orin(tmp_path):
    chips, _ = BOARDS["Orin Nano and NX, JetPack 6"]
    return Board(tmp_path, chips), tmp_path


def replay(board, meter, clock, power, seconds=6.0, step=0.05, each=lambda _i: None):
    """Let the board draw ``power(t)`` watts; return what the meter says, sampled every ``step``."""
    meter.begin()
    start = clock.now
    for i in range(round(seconds / step) + 1):
        clock.now = start + i * step
        board.set_power(power(i * step))
        each(i)
        meter.sample()
    return {rail.name: rail for rail in meter.between(start, start + seconds).rails}


def busy(t):
    return 14 + 6 * math.sin(2 * math.pi * t / 0.7) + (5 if t % 3 < 1.5 else 0)


def energy_of(power, seconds, parts=20_000):
    return sum(power((i + 0.5) * seconds / parts) for i in range(parts)) * seconds / parts


def test_each_board_has_its_rails_and_its_total(board):
    made, total, root = board
    channels = find_rails(root)
    assert {c.name for c in channels} == set(made.rails)
    assert [c.name for c in channels if c.is_total] == ([total] if total else [])
    assert all(not c.is_counter for c in channels)


@pytest.mark.parametrize("power", [lambda _: 15.0, busy], ids=["steady", "busy"])
def test_energy_integrates_to_the_known_value_on_each_board(board, power):
    made, _, root = board
    clock = Clock()
    found = replay(made, SampledMeter("rails", find_rails(root), clock=clock), clock, power)
    exact = energy_of(power, 6.0)
    for i, name in enumerate(made.rails):
        assert found[name].joules == pytest.approx(exact / (i + 1), rel=0.005)
        assert found[name].errors == 0
        assert found[name].rate_hz == pytest.approx(20, rel=0.02)
        assert found[name].longest_gap_s == pytest.approx(0.05, abs=1e-6)


def test_a_channel_that_fails_at_times_is_bridged_and_shown(orin):
    made, root = orin
    clock = Clock()
    current = made.devices / "1-0040/hwmon/hwmon1/curr1_input"
    meter = SampledMeter("rails", find_rails(root), clock=clock)
    set_w, broken = made.rails["VDD_IN"], [False]
    made.rails["VDD_IN"] = lambda w: None if broken[0] else set_w(w)

    def each(i):
        if i == 40:
            broken[0] = True
            current.unlink()
            current.mkdir()
        if i == 60:
            current.rmdir()
            broken[0] = False
            set_w(15.0)

    found = replay(made, meter, clock, lambda _: 15.0, each=each)
    rail = found["VDD_IN"]
    assert rail.joules == pytest.approx(90, rel=0.005)
    assert rail.errors == 20
    assert rail.longest_gap_s == pytest.approx(1.05, abs=1e-6)
    assert "20 of 121 reading failed" in rail.note
    assert found["VDD_SOC"].errors == 0


def test_a_rail_that_is_lost_altogether_is_not_measured(orin):
    made, root = orin
    clock = Clock()
    channels = find_rails(root)
    lost = made.devices / "1-0040/hwmon/hwmon1/in1_input"
    lost.unlink()
    found = replay(made, SampledMeter("rails", channels, clock=clock), clock, busy)
    assert found["VDD_IN"].joules is None
    assert "every reading failed: No such file" in found["VDD_IN"].note
    assert found["VDD_IN"].longest_gap_s == 6
    assert found["VDD_SOC"].joules > 0


def test_a_step_of_the_wall_clock_changes_nothing(orin, monkeypatch):
    made, root = orin
    made.set_power(12.0)
    wall = time.time
    meter = SampledMeter("rails", find_rails(root), interval_s=0.01)
    meter.start()
    time.sleep(0.2)
    monkeypatch.setattr(time, "time", lambda: wall() + 86400)
    time.sleep(0.2)
    reading = meter.stop()
    assert reading.rails[0].joules == pytest.approx(12 * reading.seconds, rel=0.005)
    assert 0.4 <= reading.seconds < 2
    assert reading.rails[0].samples >= 10


def test_a_meter_can_be_used_again(orin):
    made, root = orin
    meter = SampledMeter("rails", find_rails(root), interval_s=0.01)
    for watts in (5.0, 20.0):
        made.set_power(watts)
        meter.start()
        time.sleep(0.1)
        reading = meter.stop()
        assert reading.rails[0].joules == pytest.approx(watts * reading.seconds, rel=0.005)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("in1_label", "NC\n"),
        ("in1_label", ""),
        ("in1_enable", "0\n"),
    ],
)
def test_a_channel_that_is_not_connected_is_skipped(orin, file, content):
    made, root = orin
    (made.devices / "1-0040/hwmon/hwmon1" / file).write_text(content)
    assert {c.name for c in find_rails(root)} == {"VDD_CPU_GPU_CV", "VDD_SOC"}


def test_text_in_place_of_a_number_is_an_error_of_that_channel(orin):
    made, root = orin
    clock = Clock()
    meter = SampledMeter("rails", find_rails(root), clock=clock)
    (made.devices / "1-0040/hwmon/hwmon1/in2_input").write_text("volts\n")
    found = replay(made, meter, clock, busy, seconds=1)
    assert found["VDD_CPU_GPU_CV"].joules is None
    assert found["VDD_IN"].joules > 0


def test_the_profiles_of_the_boards_name_the_same_totals():
    rails = {(rail.label, rail.total) for board in boards().values() for rail in board.rails}
    assert {label for label, total in rails if total} <= TOTALS.keys()
    assert not {label for label, total in rails if not total} & TOTALS.keys()
    assert any(total for _, total in rails)


def test_a_machine_without_rails_has_none(tmp_path):
    assert find_rails(tmp_path) == []
