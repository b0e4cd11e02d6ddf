"""Bounds by roofline: by hand, by what must hold of any bound, and against this machine."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.benchmarks.board.bounds.command import measure
from sealshot.benchmarks.board.bounds.peaks import PeakMeter
from sealshot.benchmarks.board.bounds.picture import reach
from sealshot.benchmarks.board.bounds.roofs import Roof, bound, measured_roofs, roofs
from sealshot.benchmarks.speed.graph_cost import Layer, read_layers
from sealshot.boards import boards
from sealshot.runtime.cli.main import main
from sealshot.runtime.weights import score_graph

ROOF = Roof("b", "m", "fp32", tops=1.0, memory_gb_s=10.0, watts=5.0, idle_w=2.0, basis="by hand")
HEAVY = Layer("heavy", "Conv", macs=10**9, weights=1000, inputs=10**6, outputs=10**6)
LIGHT = Layer("light", "Gemm", macs=10**6, weights=10**8, inputs=1000, outputs=1000)


def test_bound_by_arithmetic_by_hand():
    found = bound([HEAVY], 4, ROOF)  # 2e9 operations at 1e12 a second: 2 ms for 4 crops
    assert found.faces_per_s == pytest.approx(2000)
    assert found.limit == "compute"
    assert found.joules_at_budget == pytest.approx(5 / 2000)
    assert found.joules_at_rest == pytest.approx(2 / 2000)


def test_the_fewest_multiplications_of_any_form_make_the_bound():
    assert bound([HEAVY], 4, ROOF, 10**9 // 8).faces_per_s == pytest.approx(4000)
    assert bound([HEAVY], 4, ROOF, 10**12).faces_per_s == pytest.approx(2000)


def test_bound_by_memory_by_hand():
    found = bound(
        [LIGHT], 1, ROOF
    )  # 4e8 bytes of weights, 4100 of crop and score, at 1e10 a second
    assert found.faces_per_s == pytest.approx(1e10 / (4e8 + 4100))
    assert found.limit == "memory"


def test_layer_by_layer_each_waits_for_its_own_limit():
    found = bound([HEAVY, LIGHT], 1, ROOF)  # 2 ms of arithmetic, then 40 ms of memory
    assert found.faces_per_s_by_layer == pytest.approx(1 / (2e-3 + 4 * (1e8 + 2000) / 1e10))


def test_what_is_not_known_stays_unknown():
    found = bound([HEAVY], 1, dataclasses.replace(ROOF, watts=None, idle_w=None))
    assert found.joules_at_budget is None
    assert found.joules_at_rest is None


SIZES = st.integers(1, 10**9)
LAYERS = st.lists(
    st.builds(Layer, st.just("l"), st.just("Conv"), SIZES, SIZES, SIZES, SIZES), min_size=1
)


@given(LAYERS, st.integers(1, 64), st.floats(0.01, 1000), st.floats(0.1, 5000))
def test_layer_by_layer_is_never_above_the_bound_and_more_roof_never_hurts(layers, batch, tops, gb):
    low = bound(layers, batch, dataclasses.replace(ROOF, tops=tops, memory_gb_s=gb))
    high = bound(layers, batch, dataclasses.replace(ROOF, tops=2 * tops, memory_gb_s=2 * gb))
    assert 0 < low.faces_per_s_by_layer <= low.faces_per_s * (1 + 1e-9)
    assert high.faces_per_s == pytest.approx(2 * low.faces_per_s)
    assert math.isfinite(high.faces_per_s)


def test_power_modes_lower_the_roof():
    full, small = roofs(boards()["orin-nano-8gb"], "int8", all_modes=True)
    assert (full.mode, full.tops, full.watts) == ("15W", 20, 15)
    assert small.mode == "7W"
    assert small.tops == pytest.approx(20 * 408 * 4 / (625 * 8))


def test_memory_of_a_mode_is_used():
    modes = {r.mode: r for r in roofs(boards()["orin-nx-16gb"], "int8", all_modes=True)}
    assert (modes["10W"].memory_gb_s, modes["15W"].memory_gb_s) == (68, 102)


def test_without_modes_the_highest_clocks_count():
    (roof,) = roofs(boards()["orin-nano-8gb-super"], "int8", all_modes=False)
    assert (roof.mode, roof.tops) == ("MAXN_SUPER", 33.5)


@pytest.mark.parametrize(
    ("name", "precision"), [("nano", "int8"), ("cpu-x86-64", "fp32"), ("kv260", "fp16")]
)
def test_a_rate_that_is_not_known_is_not_guessed(name, precision):
    assert roofs(boards()[name], precision, all_modes=True) == []


@pytest.mark.parametrize("name", [b.name for b in boards().values() if b.compute.memory_gb_s])
def test_every_roof_says_that_it_is_second_hand(name):
    for precision in ("fp32", "fp16", "int8"):
        assert {r.basis for r in roofs(boards()[name], precision, all_modes=True)} <= {
            "second hand"
        }


def test_reach_bends_where_memory_meets_arithmetic():
    assert reach(ROOF, 50.0) == pytest.approx(500)  # 10 GB/s x 50 operations a byte
    assert reach(ROOF, 1e6) == pytest.approx(1000)


@pytest.fixture(scope="module")
def check():
    model = score_graph("quality")
    return measure(model, read_layers(model, 8), 8, threads=1, rounds=2)[0]


def test_this_machine_stays_below_its_bound(check):
    assert 0.02 < check.share < 1
    assert check.faces_per_s <= check.faces_per_s_best <= check.bound.faces_per_s
    assert check.bound.roof.basis == "measured here"


def test_peaks_are_those_of_a_computer(check):
    assert 1e-3 < check.peaks.fp32_tflops < 100
    assert 1e-3 < check.peaks.int8_tops < 1000
    assert 0.5 < check.peaks.memory_gb_s < 5000


def test_a_further_round_never_lowers_a_peak():
    meter = PeakMeter(1)
    first, second = meter.round(), meter.round()
    assert second.fp32_tflops >= first.fp32_tflops
    assert second.memory_gb_s >= first.memory_gb_s
    assert set(measured_roofs("here", second)) == {"fp32", "int8"}


def test_command_writes_figures_and_pictures(capsys, tmp_path):
    argv = ["board", "project", "orin-nano-8gb", "nano", "--precision", "fp32,int8"]
    argv += ["--threads", "1", "--rounds", "1", "--layers", "-o", str(tmp_path / "roofs")]
    assert main(argv) == 0
    shown = capsys.readouterr()
    assert "Upper bounds, not forecasts" in shown.out
    assert "nano: no int8 rate is known" in shown.err
    assert "checked here" in shown.out
    written = json.loads((tmp_path / "roofs/projection.json").read_text())
    assert {b["roof"]["mode"] for b in written["bounds"]} == {"15W", "7W", "MAXN", "5W", "1 thread"}
    assert written["environment"]["commit"]
    for precision in ("fp32", "int8"):
        svg = (tmp_path / f"roofs/roofline-{precision}.svg").read_text()
        assert "an upper bound" in svg
        assert (tmp_path / f"roofs/roofline-{precision}.png").stat().st_size > 10_000


def test_command_without_measurement_gives_json(capsys):
    assert main(["board", "project", "--rounds", "0", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["checks"] == []
    assert {b["roof"]["board"] for b in written["bounds"]} >= {"thor", "nano", "kv260", "h100"}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["toaster"], "there is no board 'toaster'"),
        (["--precision", "int4"], "'int4' is not some of"),
        (["--score", "beauty"], "there is no score 'beauty'"),
        (["--score", "none.onnx"], "none.onnx"),
        (["--batch", "0"], "not a whole number of 1 or more"),
    ],
)
def test_a_wrong_command_is_an_error(capsys, argv, says):
    assert main(["board", "project", *argv]) == 2
    assert says in capsys.readouterr().err
