"""External meters: a CSV file that grows, and a serial port (a pseudo-terminal)."""

import math
import os
import pty
import threading
import time
from datetime import datetime, timezone

import numpy as np
import pytest

from sealshot.benchmarks.energy.meters import open_meter
from sealshot.benchmarks.energy.meters.external import LineMeter, align, open_serial
from sealshot.benchmarks.energy.meters.lines import parse_line, read_lines
from sealshot.runtime.errors import InputError


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        ("1700000000.5,12.25", (1700000000.5, 12.25)),
        (" 1700000000.5 ; 12.25 ", (1700000000.5, 12.25)),
        ("12.25", (None, 12.25)),
        ("2026-11-21T05:00:00Z,3", (datetime(2026, 11, 21, 5, tzinfo=timezone.utc).timestamp(), 3)),
        ("-0.1", (None, -0.1)),
        ("1700000000,5;5,10", (1700000000.5, 5.1)),
        ("2.5\t5,10", (2.5, 5.1)),
    ],
)
def test_lines(line, reading):
    assert parse_line(line) == reading


@pytest.mark.parametrize("line", ["", "time,watts", "1,2,3", "1,nan", "inf,1", "x,1", "5,"])
def test_lines_that_are_no_reading(line):
    with pytest.raises(ValueError, match=r".*"):
        parse_line(line)


EVERY_S = 0.05
FORMS = {
    "seconds": (lambda t: f"{1.7e9 + t:.3f},5.10", 5.1),
    "seconds from 0": (lambda t: f"{t:.3f},5.10", 5.1),
    "milliseconds": (lambda t: f"{1000 * t:.1f},5.10", 5.1),
    "milliseconds of the epoch": (lambda t: f"{1.7e12 + 1000 * t:.0f},5", 5.0),
    "whole seconds and whole watts": (lambda t: f"{1_700_000_000 + int(t)},5", 5.0),
    "watts": (lambda t: "5.10", 5.1),
    "decimal comma": (lambda t: "5,10", 5.1),
    "decimal comma that moves": (lambda t: f"{4 + int(7.3 * t) % 3},10", 5.1),
    "semicolon and decimal comma": (lambda t: f"{t:.3f};5,10".replace(".", ","), 5.1),
    "seconds and whole watts": (lambda t: f"{round(t / EVERY_S)},10", 10.0),
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_every_form_give_their_watts(form):
    write, watts = FORMS[form]
    every_s = 1.0 if form == "seconds and whole watts" else EVERY_S
    times = [50 + i * every_s for i in range(120)]
    read = read_lines([(at, write((at - 50) * EVERY_S / every_s)) for at in times])
    assert read.skipped == 0
    assert read.why_not == ""
    assert read.watts.mean() == pytest.approx(watts, rel=0.02)
    if "whole seconds" not in form:
        assert align(read.arrival, read.stamps)[[0, -1]] == pytest.approx(times[:: len(times) - 1])


@pytest.mark.parametrize(
    ("line", "count", "why"),
    [
        ("5,10", 2, "decimal comma"),
        ("{ms:.1f},1020000.0", 50, "not watts"),
        ("{us:.0f},5.1", 50, "times as fast as time"),
    ],
)
def test_lines_that_cannot_be_told_say_why(line, count, why):
    lines = [
        (50 + i * EVERY_S, line.format(ms=1e3 * i * EVERY_S, us=1e6 * i * EVERY_S))
        for i in range(count)
    ]
    read = read_lines(lines)
    assert why in read.why_not
    assert len(read.watts) == 0


def power(t):
    return 20 + 8 * math.sin(2 * math.pi * t / 1.3)


def logged(tmp_path, burst_s, clock_step=0.0, stop_at=None):
    """Let a logger write 50 lines a second, ``burst_s`` of them at a time, for 10 s."""
    path = tmp_path / "power.csv"
    path.write_text("time,watts\n1,99999\n")
    clock = Clock()
    meter = LineMeter("test", os.open(path, os.O_RDONLY), clock=clock)
    meter.begin()
    waiting, next_write = [], 0.0
    with path.open("a") as out:
        for i in range(550):
            t = i * 0.02
            clock.now = 50 + t
            wall = 1.7e9 + t + (clock_step if t > 5 else 0)
            if stop_at is None or t < stop_at:
                waiting.append(f"{wall:.3f},{power(t):.4f}\n")
            if t >= next_write:
                out.writelines(waiting)
                out.flush()
                waiting, next_write = [], t + burst_s
            meter.take()
    (rail,) = meter.between(50.0, 60.0).rails
    return rail


EXACT_J = 200 + 8 * 1.3 / (2 * math.pi) * (1 - math.cos(2 * math.pi * 10 / 1.3))


@pytest.mark.parametrize("burst_s", [0.0, 0.5])
@pytest.mark.parametrize("clock_step", [0.0, 3600.0, -3600.0, -2.0])
def test_a_growing_file_integrates_to_the_known_energy(tmp_path, burst_s, clock_step):
    rail = logged(tmp_path, burst_s, clock_step)
    assert rail.joules == pytest.approx(EXACT_J, rel=0.005)
    assert rail.is_total
    assert rail.longest_gap_s < 0.6


def test_a_logger_that_stops_is_told(tmp_path):
    rail = logged(tmp_path, 0.0, stop_at=7.0)
    assert rail.longest_gap_s == pytest.approx(3.02, abs=0.03)
    assert "nothing came for the last 3.0 s" in rail.note


def test_lines_from_before_the_window_do_not_count(tmp_path):
    path = tmp_path / "power.csv"
    path.write_text("time,watts\n1,5\n2,5\n3,5")
    clock = Clock()
    meter = LineMeter("test", os.open(path, os.O_RDONLY), clock=clock)
    meter.begin()
    meter.take()
    (rail,) = meter.between(50.0, 51.0).rails
    assert rail.joules is None
    assert "no line came" in rail.note
    with path.open("a") as out:  # the torn line ends, and another follows
        out.write("7\n3.02,10\n")
    clock.now = 50.5
    meter.take()
    (rail,) = meter.between(50.0, 51.0).rails
    assert rail.samples == 2


def test_a_file_is_followed_while_work_is_done(tmp_path):
    path = tmp_path / "power.csv"
    path.write_text("")
    stop = threading.Event()

    def log():
        with path.open("a") as out:
            while not stop.wait(0.01):
                out.write(f"{time.time()},15\n")
                out.flush()

    logger = threading.Thread(target=log)
    logger.start()
    try:
        meter = open_meter(f"csv:{path}")
        meter.start()
        time.sleep(0.4)
        reading = meter.stop()
    finally:
        stop.set()
        logger.join()
    assert reading.rails[0].joules == pytest.approx(15 * reading.seconds, rel=0.005)
    assert reading.seconds < 1.5


def test_a_serial_port_is_read_raw():
    ours, theirs = pty.openpty()
    try:
        meter = open_serial(os.ttyname(theirs), 115200)
        meter.start()
        os.write(ours, b"2.0\r\n")  # torn: the port was opened in the middle of it
        for _ in range(30):
            os.write(ours, b"12.0\r\n")
            time.sleep(0.01)
        reading = meter.stop()
    finally:
        os.close(ours)
        os.close(theirs)
    (rail,) = reading.rails
    assert rail.joules == pytest.approx(12 * reading.seconds, rel=0.005)
    assert rail.errors == 1
    assert rail.samples >= 20


@pytest.mark.parametrize(("device", "baud"), [("/dev/null", 115200), ("/dev/none", 9600), ("", 7)])
def test_what_is_no_serial_port_is_refused(device, baud):
    with pytest.raises(InputError):
        open_serial(device, baud)


def test_times_never_go_back():
    arrival = np.array([0, 0.1, 0.2, 0.3, 0.4])
    stamps = np.array([100.0, 100.1, 40.0, 40.1, 40.2])
    times = align(arrival, stamps)
    np.testing.assert_allclose(times, arrival, atol=1e-9)
    assert len(align(np.array([]), np.array([]))) == 0
