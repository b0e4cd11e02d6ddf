"""The benchmark of energy: known watts give known joules, in turns; without a meter it says so."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sealshot.benchmarks.energy.command import (
    REPEATS,
    Work,
    idle,
    main,
    measure,
    on_board,
    scoring,
    watching,
)
from sealshot.benchmarks.energy.meters.sampled import Channel, SampledMeter
from sealshot.benchmarks.speed.throughput.contenders import OURS, Contender
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.settings import Settings


class Board:
    """A board that draws 5 W, and 20 W while it works; its counter follows."""

    def __init__(self):
        self.busy = False

    def watts(self):
        return 20.0 if self.busy else 5.0

    def work(self, name="load"):
        def do(window_s):
            self.busy = True
            time.sleep(window_s)
            self.busy = False
            return 50

        return Work(name, "face", 10, 1, do)

    def meter(self, *, total=True):
        channels = [
            Channel("VDD_IN", "test", self.watts, is_total=total),
            Channel("broken", "test", lambda: float("none")),
        ]
        return SampledMeter("test", channels, interval_s=0.005)


def test_joules_watts_and_idle_are_those_of_the_board():
    board = Board()
    resting, load = measure([idle(), board.work()], board.meter(), 0.3, 3)
    assert (resting.name, resting.per_s) == ("idle", None)
    assert resting.channels[0].watts.median == pytest.approx(5, rel=0.05)
    assert resting.channels[0].joules_each is None
    main_rail, broken = load.channels
    assert main_rail.watts.median == pytest.approx(20, rel=0.1)  # idle is not subtracted
    assert main_rail.joules_each.median == pytest.approx(20 * 0.3 / 50, rel=0.1)
    assert load.per_s.median == pytest.approx(50 / 0.3, rel=0.1)
    assert main_rail.watts.count == len(main_rail.windows) == 3
    assert (broken.watts, broken.joules_each) == (None, None)
    assert "every reading failed" in broken.note


def test_windows_take_turns():
    board, order = Board(), []

    def logged(name):
        return Work(name, "face", 1, 1, lambda _: order.append(name) or 1)

    measure([logged("a"), logged("b"), logged("c")], board.meter(), 0.01, 4)
    rounds = [order[i : i + 3] for i in range(0, 12, 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in rounds)
    assert len({tuple(turn) for turn in rounds}) > 1


def test_scoring_counts_faces():
    counted = []
    figures = {"parameters": 1, "macs_per_face": 1, "file_bytes": 1, "sha256": ""}
    contender = Contender("quality", OURS, "onnxruntime", "fp32", Path("x"), **figures)
    crops = np.zeros((4, 1, 64, 64), np.uint8)

    def score(some):
        time.sleep(0.002)
        counted.append(len(some))
        return some

    work = scoring(contender, score, crops, 1)
    assert work.do(0.05) == sum(counted) - 4  # less the warm-up
    assert (work.unit, work.batch) == ("face", 4)


def test_an_fpga_is_measured_at_rest_with_its_line_at_work_and_with_the_line_at_rest():
    board, shown = Board(), []

    class Fpga:
        def score(self, crops):
            return self.busy(len(crops), 0.01)

        def repeat(self, crop, times):
            shown.append(crop.shape)
            return self.busy(times, 0.05)

        def busy(self, faces, seconds):
            board.work().do(seconds)
            return np.zeros(faces, np.float32)

    works = [idle(), *on_board(Fpga(), np.zeros((4, 1, 64, 64), np.uint8))]
    resting, linked, repeat = measure(works, board.meter(), 0.3, 2)
    assert [load.name for load in (resting, linked, repeat)] == [
        "idle",
        "FPGA, linked",
        "FPGA, repeat",
    ]
    assert set(shown) == {(1, 64, 64)}
    assert resting.channels[0].watts.median == pytest.approx(5, rel=0.05)
    for load, each_s in ((linked, 0.01 / 4), (repeat, 0.05 / REPEATS)):
        assert 0.4 / each_s < load.per_s.median <= 1 / each_s
        rail = load.channels[0]
        assert rail.joules_each.median * load.per_s.median == pytest.approx(
            rail.watts.median, rel=0.1
        )
        assert 10 < rail.watts.median <= 20


def test_a_simulated_fpga_has_no_energy(tmp_path):
    argv = ["--fpga", "sim", "--stream", str(tmp_path / "quality.fpga")]
    with pytest.raises(InputError, match="simulated FPGA draws no power"):
        main(argv)


def test_the_pipeline_counts_people(demo):
    work = watching(Settings(source=str(demo.clip)))
    assert work.do(0.01) == 2
    assert work.unit == "person"


@pytest.mark.parametrize("option", [["--meter", "none"], []])
def test_without_a_meter_nothing_is_claimed(option, demo, tmp_path, capsys, monkeypatch):
    for family in ("find_rails", "find_nvml", "find_rapl"):
        monkeypatch.setattr(f"sealshot.benchmarks.energy.meters.{family}", list)
    monkeypatch.setattr(
        "sealshot.benchmarks.energy.meters.FAMILIES", {"rails": (list, "power rails", "none here")}
    )
    out = tmp_path / "energy.json"
    assert main([*option, "--clip", str(demo.clip), "-o", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["kind"] == "energy"
    assert written["loads"] == []
    assert written["why_not"]
    assert "energy: not measured" in capsys.readouterr().out


def test_an_external_meter_gives_joules_a_face_and_a_person(demo, tmp_path, capsys):
    path, stop = tmp_path / "power.csv", threading.Event()
    path.write_text("time,watts\n")

    def log():
        with path.open("a") as out:
            while not stop.wait(0.01):
                out.write(f"{time.time()},12.5\n")
                out.flush()

    logger = threading.Thread(target=log)
    logger.start()
    out = tmp_path / "energy.json"
    argv = ["--meter", f"csv:{path}", "--seconds", "0.1", "--windows", "2", "--batch", "4"]
    argv += ["--engines", "onnxruntime,tensorrt", "--score", "quality", "--clip", str(demo.clip)]
    try:
        assert main([*argv, "-o", str(out)]) == 0
    finally:
        stop.set()
        logger.join()
    written = json.loads(out.read_text())
    loads = {load["name"]: load for load in written["loads"]}
    assert {"idle", "quality fp32, onnxruntime", "quality, whole pipeline"} <= loads.keys()
    for load in loads.values():
        (channel,) = load["channels"]
        assert channel["watts"]["median"] == pytest.approx(12.5, rel=0.01)
        if load["unit"]:
            assert channel["joules_each"]["high"] == pytest.approx(
                12.5 / load["per_s"]["low"], rel=0.01
            )
    assert "quality fp32, tensorrt" in [entry["what"] for entry in written["left_out"]]
    assert "supply (total)" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--meter", "thermometer"], ["--windows", "0"], ["--batch", "x"]])
def test_wrong_options_of_energy_are_refused(argv, demo):
    with pytest.raises(InputError):
        main([*argv, "--clip", str(demo.clip)])
